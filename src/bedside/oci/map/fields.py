"""Fields of a manifest in whatever form the field writes them.

Owns the tolerance: keys in camelCase, kebab-case or snake_case; numbers as text and text as numbers;
lists that are null, one word or objects. Refuses only what cannot be understood, with the name of the
field, because a guess would run somebody's application in another way than it was made for.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from bedside.errors import ConfigError

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")
_UNITS = {
    "": 1, "b": 1,
    "k": 10**3, "kb": 10**3, "ki": 2**10, "kib": 2**10,
    "m": 10**6, "mb": 10**6, "mi": 2**20, "mib": 2**20,
    "g": 10**9, "gb": 10**9, "gi": 2**30, "gib": 2**30,
    "t": 10**12, "tb": 10**12, "ti": 2**40, "tib": 2**40,
}  # fmt: skip

#: What only a shell understands.
_SHELL = re.compile(r"[$`|&;<>()*?\n]|(?:^|\s)~")


class Fields:
    """The members of one JSON object, found whatever the spelling of their names.

    Args:
        name: Of the object, for messages.
        document: The object; None is an empty one.
    """

    def __init__(self, name: str, document: object) -> None:
        if document is None:
            document = {}
        if not isinstance(document, Mapping):
            raise ConfigError(f"MAP: {name} is a {_kind(document)}, an object is needed")
        self._name = name
        self._members = {_plain(str(key)): value for key, value in document.items()}

    @classmethod
    def parse(cls, name: str, content: bytes) -> "Fields":
        """Return the members of a manifest file.

        Raises:
            ConfigError: It is no JSON object.
        """
        try:
            return cls(name, json.loads(content.decode("utf-8-sig")))
        except (UnicodeDecodeError, ValueError, RecursionError) as exc:
            raise ConfigError(f"MAP: {name} is not JSON ({type(exc).__name__})") from exc

    def __contains__(self, key: str) -> bool:
        return self._members.get(_plain(key)) is not None

    def object(self, key: str) -> "Fields":
        """Return a member that is an object; none is an empty one."""
        return Fields(self._at(key), self._members.get(_plain(key)))

    def objects(self) -> "Iterator[tuple[str, Fields]]":
        """Yield all members, each an object."""
        for key in self._members:
            yield key, self.object(key)

    def text(self, key: str, default: str = "") -> str:
        """Return a member as text; a number is one too."""
        value = self._members.get(_plain(key))
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ConfigError(f"MAP: {self._at(key)} is a {_kind(value)}, text is needed")
        return str(value)

    def number(self, key: str, default: float) -> float:
        """Return a member as a number that is not negative."""
        value = self._members.get(_plain(key))
        if value is None:
            return default
        try:
            number = float(value) if isinstance(value, str | int | float) else -1.0
        except ValueError:
            number = -1.0
        if not 0 <= number < float("inf"):
            raise ConfigError(f"MAP: {self._at(key)} is {value!r}, a number from 0 on is needed")
        return number

    def size_bytes(self, key: str, default: int) -> int:
        """Return a member as a size: ``1.5Gi``, ``2048MiB``, ``1GB``, ``512m`` or a count of bytes."""
        value = self._members.get(_plain(key))
        if value is None:
            return default
        found = _SIZE.fullmatch(str(value))
        unit = _UNITS.get(found[2].lower()) if found else None
        if found is None or unit is None:
            raise ConfigError(f"MAP: {self._at(key)} is {value!r}, a size such as 1.5Gi is needed")
        return int(float(found[1]) * unit)

    def words(self, *keys: str) -> tuple[str, ...]:
        """Return the first member of these names that is there as words, whatever it consists of."""
        value = next((found for key in keys if (found := self._members.get(_plain(key))) is not None), None)
        return tuple(_words(value))

    def command(self, key: str) -> tuple[str, ...]:
        """Return a member as program and arguments.

        A JSON array in a string, as the field writes it, a list, or a shell command; the last is run by
        a shell where it needs one.

        Raises:
            ConfigError: There is none.
        """
        value: Any = self._members.get(_plain(key))
        if isinstance(value, str) and value.lstrip().startswith("["):
            try:
                value = json.loads(value)
            except ValueError as exc:
                raise ConfigError(f"MAP: {self._at(key)} is neither a command nor a JSON array") from exc
        if isinstance(value, list):
            parts = tuple(str(part) for part in value)
        elif isinstance(value, str) and _SHELL.search(value):
            parts = ("/bin/sh", "-c", value)
        else:
            try:
                parts = tuple(shlex.split(str(value or "")))
            except ValueError as exc:
                raise ConfigError(f"MAP: {self._at(key)} has an open quote") from exc
        if not parts or not parts[0]:
            raise ConfigError(f"MAP: {self._at(key)} is empty, there is nothing to run")
        return parts

    def environment(self, key: str) -> dict[str, str]:
        """Return a member as variables: an object, or a list of {name, value}."""
        value = self._members.get(_plain(key))
        if isinstance(value, list):
            listed = [Fields(self._at(key), one) for one in value]
            return {one.text("name"): one.text("value") for one in listed if one.text("name")}
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise ConfigError(f"MAP: {self._at(key)} is a {_kind(value)}, an object is needed")
        return {str(name): _variable(given) for name, given in value.items()}

    def models(self, key: str, root: str) -> dict[str, str]:
        """Return a member as absolute folders by model name: a list of {name, path}, or an object."""
        value = self._members.get(_plain(key))
        if isinstance(value, Mapping):
            pairs = [(str(name), str(path or name)) for name, path in value.items()]
        else:
            listed = [Fields(self._at(key), one) for one in value or ()]
            pairs = [(one.text("name"), one.text("path") or one.text("name")) for one in listed]
        return {name: joined(root, path) for name, path in pairs if name}

    def _at(self, key: str) -> str:
        return f"{self._name} {key}"


def joined(folder: str, path: str) -> str:
    """Return a path as an absolute one: as it stands, or below a folder; without a slash at its end."""
    whole = path if path.startswith("/") else f"{folder.rstrip('/')}/{path.removeprefix('./')}"
    return whole.rstrip("/") or "/"


def _plain(key: str) -> str:
    return re.sub("[-_]", "", key).lower()


def _variable(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _words(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _words(one)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _words(inner) if _plain(str(key)) in ("type", "format", "data") else (str(key),)
    elif value is not None:
        yield str(value)


def _kind(value: object) -> str:
    return {"list": "list", "str": "text", "bool": "truth value"}.get(type(value).__name__, "number")
