"""Secrets of the settings: each stands there itself, or in a file that they name."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from bedside.errors import ConfigError


def secret_of(section: str, settings: BaseModel, key: str) -> str:
    """Return a secret; empty where it is in neither place.

    Args:
        section: Of the configuration, for messages.
        settings: That section; has the key, and the same with ``_file``.
        key: Which.

    Raises:
        ConfigError: It is in both places, or its file cannot be read.
    """
    given: Mapping[str, str] = settings.model_dump(include={key, f"{key}_file"})
    file = given[f"{key}_file"]
    if not file:
        return given[key]
    if given[key]:
        raise ConfigError(f"{section}: both {key} and {key}_file are set", hint="bedside config show")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise ConfigError(
            f"{section}.{key}_file: {file} cannot be read: {why}", hint=f"ls -l {file}"
        ) from exc
