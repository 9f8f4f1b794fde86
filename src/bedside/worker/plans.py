"""Pipelines and rules as values of the domain, made of what ``bedside.toml`` says.

Owns the defaults of names and the checks that need the whole configuration: unknown pipelines,
stages that are neither a bundle nor a command, expressions over unknown attributes. Only settings
that differ from the default become part of a stage, so that a new option in a later bedside does
not change the identity of yesterday's jobs.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bedside.config import PipelineSettings, RuleSettings, StageSettings
from bedside.dicom.attributes import check_expression
from bedside.domain.expression import parse
from bedside.domain.pipeline import Pipeline, Release, Rule, Stage, StageKind
from bedside.errors import ConfigError

#: What of a stage's settings changes its result.
RESULT_SETTINGS = frozenset(
    {"select", "outputs", "labels", "accept", "precision", "engine", "tolerance_dice"}
)

#: Stage names stand in keys of the store.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def pipelines_of(
    settings: Sequence[PipelineSettings],
    register: Callable[[Path], Release],
    register_map: Callable[[str], Release] | None = None,
) -> dict[str, Pipeline]:
    """Return the configured pipelines by name, their releases registered.

    Args:
        settings: Of ``[[pipeline]]``.
        register: Makes a release of a bundle.
        register_map: Makes a release of a MAP; without it, a stage that names one is refused.

    Raises:
        ConfigError: A stage cannot be meant, or its bundle or MAP cannot be read.
        Unavailable: A MAP's registry is out of reach.
    """
    registered = _Register(bundle=register, map=register_map)
    pipelines: dict[str, Pipeline] = {}
    for given in settings:
        if given.name in pipelines:
            raise ConfigError(f"pipeline {given.name}: there are two of this name")
        if given.stage and (given.bundle or given.map or given.command):
            raise ConfigError(
                f"pipeline {given.name}: has stages, and a bundle, MAP or command beside them",
                hint="move it into a [[pipeline.stage]]",
            )
        stages = [
            _stage(stage, where=f"pipeline {given.name}", name=stage.name or default, register=registered)
            for stage, default in _stages(given)
        ]
        if len({stage.name for stage in stages}) < len(stages):
            raise ConfigError(f"pipeline {given.name}: two stages have the same name")
        pipelines[given.name] = Pipeline(
            name=given.name, stages=tuple(stages), max_attempts=given.max_attempts
        )
    return pipelines


def rules_of(settings: Sequence[RuleSettings], pipelines: Mapping[str, Pipeline]) -> tuple[Rule, ...]:
    """Return the configured rules.

    Raises:
        ConfigError: A rule names no configured pipeline, or its expression is wrong.
    """
    names: set[str] = set()
    for given in settings:
        if given.name in names:
            raise ConfigError(f"rule {given.name}: there are two of this name")
        names.add(given.name)
        if given.pipeline not in pipelines:
            known = ", ".join(sorted(pipelines)) or "none"
            raise ConfigError(
                f"rule {given.name}: there is no pipeline {given.pipeline!r}; configured: {known}",
                hint="bedside config check",
            )
        for source in (given.when, *given.requires):
            _check(source)
    return tuple(
        Rule(
            name=given.name,
            pipeline=given.pipeline,
            when=given.when,
            requires=given.requires,
            priority=given.priority,
        )
        for given in settings
    )


def _stages(given: PipelineSettings) -> list[tuple[StageSettings, str]]:
    """Return a pipeline's stages with the names they get where they have none."""
    if not given.stage:
        return [(given.model_copy(update={"name": ""}), "infer")]
    return [(stage, f"stage{number}") for number, stage in enumerate(given.stage, start=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Register:
    """What makes a release of a stage's bundle or MAP."""

    bundle: Callable[[Path], Release]
    map: Callable[[str], Release] | None

    def release(self, given: StageSettings, where: str) -> str:
        """Return the digest of what a stage runs; empty for a command."""
        if given.bundle:
            return self.bundle(given.bundle).digest
        if given.map and self.map is None:
            raise ConfigError(f"{where}: MAPs cannot be run here")
        return self.map(given.map).digest if given.map and self.map else ""


def _stage(given: StageSettings, *, where: str, name: str, register: _Register) -> Stage:
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{where}: stage name {name!r} has more than letters, digits, - and _")
    if [bool(given.bundle), bool(given.map), bool(given.command)].count(True) != 1:
        raise ConfigError(
            f"{where}, stage {name}: needs either a bundle or a command, or a MAP",
            hint="bedside init BUNDLE shows what a pipeline looks like",
        )
    _check(given.select)
    chosen = given.model_dump(mode="json", exclude_defaults=True, include=set(RESULT_SETTINGS))
    kind = StageKind.MAP if given.map else StageKind.BUNDLE
    return Stage(
        name=name,
        kind=StageKind.COMMAND if given.command else kind,
        pool=given.pool,
        release=register.release(given, f"{where}, stage {name}"),
        command=given.command,
        settings=chosen,
        timeout_s=given.timeout_s,
    )


def _check(source: str) -> None:
    if source:
        check_expression(parse(source))
