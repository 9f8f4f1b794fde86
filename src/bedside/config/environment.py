"""``BEDSIDE_<SECTION>_<KEY>``: which variables are settings, and their text as a value of the key's type.

Only keys of the plain sections can be set this way; lists of tables (pipelines, rules) cannot.
Variables that only resemble ours are left alone where an orchestrator makes them.
"""

import difflib
import re
from collections.abc import Mapping
from typing import get_args, get_origin

from pydantic import BaseModel

from bedside.config.settings import Settings
from bedside.errors import ConfigError

PREFIX = "BEDSIDE_"

_TRUTH = {"true": True, "1": True, "false": False, "0": False}

#: Kubernetes gives every pod variables named after services: one called bedside-worker must not end us.
_ORCHESTRATOR = re.compile(r"_SERVICE_(HOST|PORT\w*)$|_PORT(_\d+_\w+)?$")


def variable(section: str, key: str) -> str:
    """Return the name of the variable that sets a key."""
    return f"{PREFIX}{section}_{key}".upper()


def from_environment(environment: Mapping[str, str]) -> list[tuple[tuple[str, str], object, str]]:
    """Return (section, key), value and variable name of every setting in the environment.

    Raises:
        ConfigError: A variable of a known section names no key, or its text is not of the key's type.
    """
    known = _variables()
    sections = {variable(name, "") for name in Settings.model_fields}
    found: list[tuple[tuple[str, str], object, str]] = []
    for name, text in sorted(environment.items()):
        if name in known:
            section, key, annotation = known[name]
            found.append(((section, key), _value(name, text, annotation), name))
        elif name.startswith(tuple(sections)) and not _ORCHESTRATOR.search(name):
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            raise ConfigError(
                f"{name}: no such setting; the nearest is {near[0]}",
                hint=f"unset {name}; bedside config show",
            )
    return found


def _variables() -> dict[str, tuple[str, str, object]]:
    known: dict[str, tuple[str, str, object]] = {}
    for section, info in Settings.model_fields.items():
        model = info.annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            continue
        for key, field in model.model_fields.items():
            if not _holds_tables(field.annotation):
                known[variable(section, key)] = (section, key, field.annotation)
    return known


def _holds_tables(annotation: object) -> bool:
    inner = [annotation, *get_args(annotation)]
    return any(isinstance(part, type) and issubclass(part, BaseModel) for part in inner)


def _value(name: str, text: str, annotation: object) -> object:
    if get_origin(annotation) is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    if get_origin(annotation) is dict:
        pairs = [part.strip().partition("=") for part in text.split(",") if part.strip()]
        if not all(key and given for key, _, given in pairs):
            raise ConfigError(f"{name}={text}: expected NAME=VALUE,NAME=VALUE", hint=f"unset {name}")
        return {key: given for key, _, given in pairs}
    if annotation is bool:
        if text.lower() not in _TRUTH:
            raise ConfigError(f"{name}={text}: expected true or false", hint=f"unset {name}")
        return _TRUTH[text.lower()]
    if annotation in (int, float):
        try:
            return int(text) if annotation is int else float(text)
        except ValueError as exc:
            kind = "a whole number" if annotation is int else "a number"
            raise ConfigError(f"{name}={text}: expected {kind}", hint=f"unset {name}") from exc
    return text
