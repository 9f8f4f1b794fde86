"""Writes docs/cli.md, docs/configuration.md, docs/errors.md and the navigation in mkdocs.yml.

With ``--check`` it writes nothing and exits with 1 where a file differs.
"""

import inspect
import json
import re
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import get_args

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bedside import errors
from bedside.cli import main
from bedside.config import Settings
from bedside.config.environment import variable

DOCS = Path(__file__).resolve().parents[1] / "docs"
WIDTH = 100


def cli() -> str:
    """Return docs/cli.md: the help of every command."""
    parts = [
        "# Command line\n",
        "Data goes to standard output, everything else to standard error. Progress is one live line on a "
        "terminal and plain lines elsewhere; colours appear only on a terminal and without `NO_COLOR`. "
        "Exit codes are in [Errors](errors.md).\n",
    ]
    for path, command in _commands(main.bedside, "bedside"):
        parts.append(
            f"{'#' * min(len(path.split()) + 1, 4)} {path}\n\n```text\n{_help(path, command)}\n```\n"
        )
    return "\n".join(parts)


def _commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _commands(found, f"{path} {name}")


def _help(path: str, command: click.Command) -> str:
    parent, _, name = path.rpartition(" ")
    outer = click.Context(click.Command(parent), info_name=parent) if parent else None
    context = command.make_context(name, [], parent=outer, resilient_parsing=True)
    context.terminal_width = WIDTH
    return command.get_help(context).rstrip()


def configuration() -> str:
    """Return docs/configuration.md: every key of bedside.toml."""
    parts = [
        "# Configuration\n",
        "One file, `bedside.toml`; `bedside init BUNDLE` writes a first one. A flag overrides an environment "
        "variable, which overrides the file, which overrides the default; `bedside config show` says where "
        "each value came from. Relative paths in the file are relative to the file. An unknown key is an "
        "error that names the nearest known one. `bedside config schema` prints the JSON schema, for "
        "editors.\n",
    ]
    for section, field in Settings.model_fields.items():
        parts += _section(section, field, listed=field.default == ())
    return "\n".join(parts)


def _section(path: str, field: FieldInfo, *, listed: bool) -> list[str]:
    model = _model(field.annotation)
    assert model is not None
    keyed = "dict" in str(field.annotation)
    title = f"[[{path}]]" if listed else f"[{path}{'.VALUE' if keyed else ''}]"
    plain = "." not in path and not listed
    parts = [f"## `{title}`\n", f"{field.description}\n"]
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    inner: list[str] = []
    for key, value in model.model_fields.items():
        below = _model(value.annotation)
        if below is not None:
            if path.count(".") < 1:
                inner += _section(f"{path}.{key}", value, listed=isinstance(value.default, tuple))
            continue
        by = f"<br>`{variable(path, key)}`" if plain else ""
        rows.append(
            f"| `{key}`{by} | {_type(value)} | {_default(value)} | {_cell(value.description or '')} |"
        )
    if path == "pipeline.stage":
        parts.append("The keys of `[[pipeline]]` but `max_attempts` and `stage`, for one stage of several.\n")
        return parts
    return [*parts, *rows, "", *inner]


def _model(annotation: object) -> type[BaseModel] | None:
    inner = [annotation, *get_args(annotation)]
    return next((m for m in inner if isinstance(m, type) and issubclass(m, BaseModel)), None)


def _type(field: FieldInfo) -> str:
    text = str(field.annotation)
    choices = re.findall(r"'([^']+)'", text)
    if "Literal" in text:
        many = "list of " if text.startswith("tuple") else ""
        return many + ", ".join(f"`{choice}`" for choice in choices)
    args = [a for a in get_args(field.annotation) if a not in (type(None), Ellipsis)]
    if text.startswith("tuple") or "tuple[" in text:
        items = get_args(args[0]) if args and "tuple" in str(args[0]) else args
        kinds = [_name(item) for item in items if item is not Ellipsis]
        return f"list of {kinds[0]}" if "..." in text else f"[{', '.join(kinds)}]"
    return _name(args[0] if args else field.annotation)


def _name(kind: object) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(f"`{member.value}`" for member in kind)
    names = {str: "text", int: "whole number", float: "number", Path: "path", bool: "true or false"}
    return names.get(kind, str(kind))  # type: ignore[call-overload]


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required" if field.default_factory is None else ""
    if field.default is None:
        return ""
    value = str(field.default) if isinstance(field.default, Path) else field.default
    return f"`{json.dumps(value)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def exit_codes() -> str:
    """Return docs/errors.md: the error tree."""
    rows = ["| exit code | error | meaning | retried |", "|---|---|---|---|", "| 0 | | It worked. | |"]
    for cls in sorted(errors.BY_NAME.values(), key=lambda cls: cls.exit_code):
        sentence = inspect.getdoc(cls)
        assert sentence
        first = sentence.split("\n\n")[0].replace("\n", " ")
        again = "with back-off" if cls.retryable else "no"
        rows.append(f"| {cls.exit_code} | `{cls.__name__}` | {first} | {again} |")
    rows.append("| 130 | | Stopped by Ctrl-C. | |")
    return "\n".join(
        [
            "# Errors and exit codes\n",
            "An error is one line, `error: what: why, with the numbers`, and a `hint:` with a command to "
            "run, both on standard error. `-v` adds a traceback. The exit code says what kind it was, so "
            "that a script can tell a study that cannot be read from a machine that is not ready.\n",
            *rows,
            "",
            "`bedside submit --wait` and `bedside job watch` exit with the code of the worst job: 0 "
            "succeeded, 1 cancelled, 4 rejected, 6 dead. `bedside config check` exits with 3 and `bedside "
            "doctor` with 1 when a check failed.\n",
            "An error that nobody foresaw prints its kind and place but not its text, which may hold what a "
            "library read from a DICOM header.\n",
        ]
    )


#: Pages in the order a newcomer needs them; all others explain how bedside works.
START = ("index.md", "install.md", "tutorial.md")
REFERENCE = ("cli.md", "configuration.md", "rules.md", "results.md", "notices.md", "errors.md")
PACKAGING = (
    "packaging.md",
    "proof.md",
    "releases.md",
    "containers.md",
    "registries.md",
    "bases.md",
    "map.md",
)
#: Missing ones are left out.
PORTAL = (
    "portal.md",
    "sign-in.md",
    "upload.md",
    "following.md",
    "viewing.md",
    "judging.md",
    "operating.md",
    "audit.md",
    "dicomweb.md",
    "api.md",
)
DEPLOYING = ("deploy.md", "aws.md", "terraform.md", "cost.md", "github.md")


def site() -> str:
    """Return mkdocs.yml with every page and every decision in its navigation."""
    before = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[0]
    # Names of generated pages count before they are written the first time.
    pages = {path.name for path in DOCS.glob("*.md")} | set(DOCUMENTS)
    others = sorted(pages - {*START, *REFERENCE, *PACKAGING, *PORTAL, *DEPLOYING})
    decisions = sorted(f"decisions/{path.name}" for path in (DOCS / "decisions").glob("*.md"))
    sections = {
        "Start": START,
        "Reference": [page for page in REFERENCE if page in pages],
        "The portal": [page for page in PORTAL if page in pages],
        "Packaging and releases": [page for page in PACKAGING if page in pages],
        "On AWS": [page for page in DEPLOYING if page in pages],
        "How it works": others,
        "Decisions": decisions,
    }
    lines = [
        line
        for title, names in sections.items()
        for line in (f"  - {title}:", *(f"      - {name}" for name in names))
    ]
    return "\n".join([before, "nav: # by tools/generate_docs.py", *lines, ""])


DOCUMENTS = {"cli.md": cli, "configuration.md": configuration, "errors.md": exit_codes}
TARGETS = {DOCS / name: make for name, make in DOCUMENTS.items()} | {DOCS.parent / "mkdocs.yml": site}

if __name__ == "__main__":
    differing = []
    for path, make in TARGETS.items():
        text = make()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            differing.append(path.name)
            if "--check" not in sys.argv:
                path.write_text(text, encoding="utf-8")
    sys.stderr.write(f"differing: {', '.join(differing) or 'none'}\n")
    sys.exit(1 if differing and "--check" in sys.argv else 0)
