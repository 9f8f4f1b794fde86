"""What is wrong with a configuration, in words: which key, on which line, and what was expected.

Turns pydantic's findings and broken references into messages; decides nothing itself. Values are
quoted only where they cannot hold a secret.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pydantic import BaseModel, ValidationError

from bedside.config.lines import KeyPath
from bedside.config.settings import PipelineSettings, Settings, StageSettings
from bedside.config.shown import SECRETS
from bedside.domain.expression import parse
from bedside.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where keys were set.

    Attributes:
        sources: Per key path, as in `Loaded.sources`.
        path: The file, named where a key's own place is not known.
    """

    sources: Mapping[KeyPath, str]
    path: Path | None

    def of(self, key: KeyPath) -> str:
        """Return the place of a key, or of the nearest table around it."""
        while key:
            if key in self.sources:
                return self.sources[key]
            key = key[:-1]
        return str(self.path or "settings")


def problems_of(error: ValidationError, document: object, places: Places) -> list[str]:
    """Return one message per finding of pydantic, in the order of the file's keys."""
    found: list[str] = []
    for finding in error.errors(include_url=False, include_context=False):
        key: KeyPath = finding["loc"]
        if finding["type"] == "extra_forbidden":
            found.append(f"{places.of(key)}: {_unknown(key)}")
        elif finding["type"] == "missing":
            found.append(f"{places.of(key)}: {dotted(key)} is missing")
        else:
            expected = _expected(finding["msg"])
            found.append(f"{places.of(key)}: {_assigned(key, document)}: {expected}")
    return found


def _expected(message: str) -> str:
    return (
        message.removeprefix("Value error, ")
        .replace("Input should be", "expected")
        .replace("a valid integer", "a whole number")
        .replace("a valid tuple", "a list")
        .replace("a valid ", "a ")
    )


def dotted(key: Iterable[str | int]) -> str:
    """Write a key path the way `bedside config show` does, e.g. ``pipeline.0.bundle``."""
    return ".".join(map(str, key))


def _unknown(key: KeyPath) -> str:
    known = _keys_beside(key)
    near = difflib.get_close_matches(str(key[-1]), known, n=1, cutoff=0.0)
    nearest = f"; the nearest is {dotted((*key[:-1], near[0]))}" if near else ""
    return f"unknown key {dotted(key)}{nearest}"


def _keys_beside(key: KeyPath) -> list[str]:
    """Return the keys of the table that a key path points into."""
    model: type[BaseModel] = Settings
    for part in key[:-1]:
        field = model.model_fields.get(str(part))
        if field is None:
            continue  # a list position, or the key of a free mapping
        inner = [field.annotation, *get_args(field.annotation)]
        model = next((m for m in inner if isinstance(m, type) and issubclass(m, BaseModel)), model)
    return list(model.model_fields)


def _assigned(key: KeyPath, document: object) -> str:
    value = document
    for part in key:
        if isinstance(value, dict) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return dotted(key)
    # A whole table is not quoted: one of its keys may be a secret.
    quoted = dotted(key) not in SECRETS and not isinstance(value, dict)
    return f"{dotted(key)} = {value!r}" if quoted else dotted(key)


def wrong_references(settings: Settings, places: Places) -> list[str]:
    """Return what contradicts itself although every single value is well formed."""
    pipelines = [pipeline.name for pipeline in settings.pipeline]
    found = [
        *_repeated("pipeline", pipelines, places),
        *_repeated("rule", [rule.name for rule in settings.rule], places),
    ]
    for number, pipeline in enumerate(settings.pipeline):
        found += _wrong_stages(pipeline, ("pipeline", number), places)
    for number, rule in enumerate(settings.rule):
        found += _no_pipeline(rule.pipeline, pipelines, ("rule", number, "pipeline"), places)
        found += _wrong_expression(rule.when, ("rule", number, "when"), places)
        for position, text in enumerate(rule.requires):
            found += _wrong_expression(text, ("rule", number, "requires", position), places)
    if settings.deploy.dicom_from and settings.dicom.tls_client_ca and not settings.deploy.dicom_client_ca:
        found.append(
            f"{places.of(('dicom', 'tls_client_ca'))}: dicom.tls_client_ca is a file of this machine, and "
            "the control machine would ask senders for no certificate: give deploy.dicom_client_ca the same "
            "authorities, as text"
        )
    for number, file_set in enumerate(settings.intake.file_set):
        key = ("intake", "file_set", number, "pipeline")
        found += _no_pipeline(file_set.pipeline, pipelines, key, places)
    return found


def _repeated(section: str, names: list[str], places: Places) -> list[str]:
    return [
        f"{places.of((section, number, 'name'))}: {section}.{number}.name = {name!r} is used before"
        for number, name in enumerate(names)
        if name in names[:number]
    ]


def _no_pipeline(name: str, pipelines: list[str], key: KeyPath, places: Places) -> list[str]:
    if name in pipelines:
        return []
    near = difflib.get_close_matches(name, pipelines, n=1, cutoff=0.0)
    nearest = f"; the nearest is {near[0]!r}" if near else "; there is none"
    return [f"{places.of(key)}: {dotted(key)} = {name!r} names no pipeline{nearest}"]


def _wrong_stages(pipeline: PipelineSettings, key: KeyPath, places: Places) -> list[str]:
    found = _wrong_expression(pipeline.select, (*key, "select"), places)
    if not pipeline.stage:
        return found + _wrong_stage(pipeline, key, places)
    if pipeline.bundle or pipeline.map or pipeline.command:
        found.append(
            f"{places.of(key)}: {dotted(key)} has stages, "
            "so bundle, map and command belong in [[pipeline.stage]]"
        )
    for number, stage in enumerate(pipeline.stage):
        found += _wrong_stage(stage, (*key, "stage", number), places)
        found += _wrong_expression(stage.select, (*key, "stage", number, "select"), places)
    return found


def _wrong_expression(text: str, key: KeyPath, places: Places) -> list[str]:
    try:
        if text:
            parse(text)
    except ConfigError as exc:
        return [f"{places.of(key)}: {dotted(key)}: {exc.message}"]
    return []


def _wrong_stage(stage: StageSettings, key: KeyPath, places: Places) -> list[str]:
    given = [name for name in ("bundle", "map", "command") if getattr(stage, name)]
    if len(given) != 1:
        has = " and ".join(given) or "none"
        return [f"{places.of(key)}: {dotted(key)} needs a bundle, a map or a command, it has {has}"]
    return []
