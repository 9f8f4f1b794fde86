"""The line of every key in a TOML text, so that an error can point at it.

``tomllib`` keeps no positions. A TOML document is a list of statements (a table header, or a key and
its value), each of which parses alone; so lines are gathered until they parse, and what they parse
to says which key it was. No second grammar to keep in step with the first.
"""

import tomllib
from collections.abc import Iterator

#: A key's place in the parsed document: table keys and list positions.
KeyPath = tuple[str | int, ...]


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line, counted from 1, on which each key of a valid TOML text is set."""
    found: dict[KeyPath, int] = {}
    seen: dict[KeyPath, int] = {}  # list of tables -> position of its newest element
    table: KeyPath = ()
    for line, statement, parsed in _statements(text):
        header = statement.lstrip().startswith("[")
        if header:
            table = _place(parsed, seen, new=statement.lstrip().startswith("[["))
            found.setdefault(table, line)
            continue
        for path in _paths(parsed):
            found.setdefault(table + path, line)
    return found


def _statements(text: str) -> Iterator[tuple[int, str, dict[str, object]]]:
    pending: list[str] = []
    first = 1
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        if not pending:
            first = number
        pending.append(line)
        statement = "".join(pending)
        try:
            parsed = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue  # not whole yet: a value over several lines
        if parsed:
            yield first, statement, parsed
        pending = []


def _place(parsed: dict[str, object], seen: dict[KeyPath, int], *, new: bool) -> KeyPath:
    """Turn what a header alone parses to into its place in the whole document."""
    keys: list[str] = []
    value: object = parsed
    while isinstance(value, dict) and value:
        key, value = next(iter(value.items()))
        keys.append(key)
        if isinstance(value, list):
            value = value[0]
    path: KeyPath = ()
    for depth, key in enumerate(keys):
        path += (key,)
        if new and depth == len(keys) - 1:
            seen[path] = seen.get(path, -1) + 1
        if path in seen:
            path += (seen[path],)
    return path


def _paths(value: object, before: KeyPath = ()) -> Iterator[KeyPath]:
    if isinstance(value, dict):
        items: list[tuple[str | int, object]] = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        return
    for key, inner in items:
        yield (*before, key)
        yield from _paths(inner, (*before, key))
