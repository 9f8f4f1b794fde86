"""Reads ``bedside.toml``, the environment and flags into `Settings`, and remembers which said what.

Owns precedence and the wording of every configuration error; refuses to guess (an unknown key or a
number in quotes is an error, not a default). The merged document is validated once, as strict JSON,
so that a value means the same wherever it was written.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from bedside.config.environment import from_environment
from bedside.config.lines import KeyPath, key_lines
from bedside.config.problems import Places, problems_of, wrong_references
from bedside.config.settings import DEFAULT_FILE, Settings
from bedside.errors import ConfigError

DEFAULT = "default"
FLAG = "flag"

#: Keys that name a file, or none.
_FILES = (
    ("notify", "webhook_secret_file"),
    ("notify", "smtp_password_file"),
    ("identity", "client_secret_file"),
    ("metrics", "file"),
    ("dicom", "tls_certificate"),
    ("dicom", "tls_key"),
    ("dicom", "tls_client_ca"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Settings and where each value came from.

    Attributes:
        settings: What is in force. Paths are absolute.
        sources: Per dotted key (``worker.count``, ``pipeline.0.bundle``): ``default``, a file and
            line, a variable's name, or ``flag``. A key that is not here is a default.
        path: The file that was read, or None where there was none.
    """

    settings: Settings
    sources: Mapping[str, str]
    path: Path | None


def load(path: Path | None, *, environment: Mapping[str, str], flags: Mapping[str, object]) -> Loaded:
    """Read the configuration.

    Args:
        path: The file; None takes ``bedside.toml`` of the working folder where there is one.
        environment: Variables, of which ``BEDSIDE_<SECTION>_<KEY>`` are read.
        flags: Dotted key to value; None means that the flag was not given.

    Raises:
        ConfigError: The file is missing or not TOML, a key is unknown, a value is of the wrong type
            or out of range, or a rule names a pipeline that does not exist. All problems at once.
    """
    path, text = _read(path)
    document = _parse(path, text)
    base = (path.parent if path else Path()).absolute()
    lines = key_lines(text)
    sources: dict[KeyPath, str] = {key: f"{path}:{line}" for key, line in lines.items()}
    _resolve_paths(document, base)
    for key, value, source in _overlays(environment, flags):
        section = document.setdefault(key[0], {})
        if not isinstance(section, dict):
            break  # validation says what is wrong with the section itself
        section[key[1]] = value
        # What the file says of a table's keys is not in force where the whole table is given.
        sources = {said: where for said, where in sources.items() if said[:2] != key} | {key: source}
    settings = _validate(document, Places(sources=sources, path=path))
    settings = _with_root(settings, base)
    return Loaded(
        settings=settings,
        sources={".".join(map(str, key)): source for key, source in sources.items()},
        path=path,
    )


def _read(path: Path | None) -> tuple[Path | None, str]:
    if path is None:
        if not DEFAULT_FILE.is_file():
            return None, ""
        path = DEFAULT_FILE
    try:
        return path, path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path} cannot be read: {why}", hint="bedside init BUNDLE") from exc


def _parse(path: Path | None, text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path} is not TOML: {exc}", hint="bedside config check") from exc


def _overlays(
    environment: Mapping[str, str], flags: Mapping[str, object]
) -> list[tuple[tuple[str, str], object, str]]:
    found = from_environment(environment)
    for dotted, value in flags.items():
        if value is None:
            continue
        section, _, key = dotted.partition(".")
        found.append(((section, key), str(value) if isinstance(value, Path) else value, FLAG))
    return [(key, _resolved(key, value, Path().absolute()), source) for key, value, source in found]


def _validate(document: dict[str, object], places: Places) -> Settings:
    try:
        settings = Settings.model_validate_json(_json(document), strict=True)
    except ValidationError as exc:
        found = problems_of(exc, document, places)
        raise ConfigError("\n".join(found), hint="bedside config schema") from exc
    found = wrong_references(settings, places)
    if found:
        raise ConfigError("\n".join(found), hint="bedside config show")
    return settings


def _json(document: dict[str, object]) -> str:
    # No key is a date: TOML's own dates arrive as text and are refused by the key's type.
    return json.dumps(document, default=str)


def _resolve_paths(document: dict[str, object], base: Path) -> None:
    """Make the file's relative paths relative to the file, in place."""
    for section, key in (("system", "root"), ("ledger", "url"), *_FILES):
        table = document.get(section)
        if isinstance(table, dict) and key in table:
            table[key] = _resolved((section, key), table[key], base)
    for pipeline in _tables(document.get("pipeline")):
        for stage in (pipeline, *_tables(pipeline.get("stage"))):
            if isinstance(stage.get("bundle"), str):
                stage["bundle"] = _absolute(str(stage["bundle"]), base)
            if isinstance(stage.get("map"), str) and _is_place(str(stage["map"]), base):
                stage["map"] = _absolute(str(stage["map"]), base)


def _tables(value: object) -> list[dict[str, object]]:
    return [table for table in value if isinstance(table, dict)] if isinstance(value, list) else []


def _resolved(key: tuple[str, str], value: object, base: Path) -> object:
    if not isinstance(value, str):
        return value
    if key == ("system", "root") or (key in _FILES and value):
        return _absolute(value, base)
    scheme, slashes, file = value.partition(":///")
    if key == ("ledger", "url") and slashes and scheme.startswith("sqlite") and file not in ("", ":memory:"):
        return f"{scheme}:///{_absolute(file, base)}"
    return value


def _is_place(value: str, base: Path) -> bool:
    """Say whether a MAP lies on this machine; else its text names one in a registry."""
    return value.startswith((".", "~")) or (bool(value) and (base / value).exists())


def _absolute(value: str, base: Path) -> str:
    return str(base / Path(value).expanduser())


def _with_root(settings: Settings, base: Path) -> Settings:
    if settings.system.root.is_absolute():
        return settings
    system = settings.system.model_copy(update={"root": base / settings.system.root})
    return settings.model_copy(update={"system": system})
