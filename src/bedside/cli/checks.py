"""Checks of a configuration, shared by ``config check`` and ``doctor``; each failure names its mend.

Owns what is looked at and in which order; refuses to change anything, so that it can be run beside a
working system.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from bedside.cli.output import coloured
from bedside.errors import BedsideError
from bedside.portal.shell import vendor

if TYPE_CHECKING:
    from bedside.config import Loaded, Settings, StageSettings
    from bedside.wiring.notices import Channel

#: What to type where the packages that read studies and run models are missing.
INSTALL_WORKER = "pip install 'bedside[worker]'"


class Status(StrEnum):
    """What a check found."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


_COLOURS = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "red"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check's answer.

    Attributes:
        status: How it stands.
        what: What was looked at, two or three words.
        detail: What was found, with the numbers.
        mend: A command that mends it, or ``""``.
    """

    status: Status
    what: str
    detail: str
    mend: str = ""

    def line(self) -> str:
        """Return it as one line for a person."""
        return f"{coloured(f'{self.status.value:<4}', _COLOURS[self.status])}  {self.what}: {self.detail}"

    def as_json(self) -> dict[str, str]:
        """Return it as a JSON value."""
        return {"status": self.status.value, "what": self.what, "detail": self.detail, "mend": self.mend}


def ok(what: str, detail: str) -> Finding:
    """Return a finding that needs nothing."""
    return Finding(status=Status.OK, what=what, detail=detail)


def warn(what: str, detail: str, mend: str) -> Finding:
    """Return a finding that somebody should know."""
    return Finding(status=Status.WARN, what=what, detail=detail, mend=mend)


def fail(what: str, detail: str, mend: str) -> Finding:
    """Return a finding that keeps bedside from working."""
    return Finding(status=Status.FAIL, what=what, detail=detail, mend=mend)


def browser_code(folder: Path = vendor.FOLDER) -> Finding:
    """Judge what browsers load of others' work: the portal works without, and shows less."""
    versions = vendor.versions(folder)
    missing = [name for name in vendor.NEEDED if name not in versions]
    if missing:
        detail = f"{', '.join(missing)} missing: results are shown in bedside's own viewer only"
        return warn("browser code", detail, vendor.how_to_get(folder))
    return ok("browser code", ", ".join(f"{name} {version}" for name, version in versions.items()))


def checked(what: str, check: Callable[[], str], *, mend: str = "") -> Finding:
    """Run one check that returns its detail or raises one of our errors."""
    try:
        return ok(what, check())
    except BedsideError as exc:
        return fail(what, exc.message, exc.hint or mend)
    except ModuleNotFoundError as exc:
        return fail(what, f"Python package {exc.name} is not installed", INSTALL_WORKER)


def configuration(loaded: "Loaded") -> Iterator[Finding]:
    """Check bundles, commands, expressions and the ledger of a configuration that was read."""
    settings = loaded.settings
    where = str(loaded.path) if loaded.path else "no bedside.toml here, defaults"
    yield ok("configuration", f"{where}; pipelines: {len(settings.pipeline)}, rules: {len(settings.rule)}")
    if not settings.pipeline:
        yield warn("pipelines", "there is none, so nothing can run", "bedside init BUNDLE")
    elif not settings.rule:
        yield warn("rules", "there is none, so nothing starts by itself", "bedside init BUNDLE --force")
    for name, stage in _stages(settings):
        yield _stage(name, stage)
    yield from _expressions(settings)
    yield checked("ledger", lambda: _ledger(settings), mend="bedside config show")
    yield from _notices(settings)


def _stages(settings: "Settings") -> Iterator[tuple[str, "StageSettings"]]:
    for pipeline in settings.pipeline:
        if not pipeline.stage:
            yield f"pipeline {pipeline.name}", pipeline
        for number, stage in enumerate(pipeline.stage):
            yield f"pipeline {pipeline.name}, stage {stage.name or number}", stage


def _stage(name: str, stage: "StageSettings") -> Finding:
    if stage.map:
        return ok(name, f"runs the MAP {stage.map}")
    if stage.bundle is None:
        program = stage.command[0]
        if shutil.which(program) is None:
            return fail(name, f"program {program} is not found", "bedside config show")
        return ok(name, f"runs {program}")
    bundle = stage.bundle

    def opened() -> str:
        from bedside.model.bundle import open_bundle

        found = open_bundle(bundle)
        names = ", ".join(label.name for label in found.labels) or "none"
        return f"{found.name} {found.version}, labels: {names}; {found.digest[:19]}…"

    return checked(name, opened, mend="bedside init BUNDLE")


def _expressions(settings: "Settings") -> Iterator[Finding]:
    found = [
        *(
            (f"rule {rule.name}", text)
            for rule in settings.rule
            for text in (rule.when, *rule.requires)
            if text
        ),
        *((f"{name}, select", stage.select) for name, stage in _stages(settings) if stage.select),
    ]
    for name, text in found:
        yield checked(name, lambda text=text: _expression(text))  # type: ignore[misc]


def _expression(text: str) -> str:
    from bedside.dicom.attributes import check_expression
    from bedside.domain.expression import parse

    check_expression(parse(text))
    return text


def _notices(settings: "Settings") -> Iterator[Finding]:
    from bedside.adapters.local.clock import SystemClock
    from bedside.log import silent
    from bedside.wiring.notices import channels_of

    channels = channels_of(settings, clock=SystemClock(), log=silent)
    if not channels:
        yield ok("notices", "nobody is told of dead jobs; [notify] names no channel")
    for channel in channels:

        def opened(channel: "Channel" = channel) -> str:
            channel.open()
            return f"{channel.to}; bedside notify test sends one"

        yield checked(f"notices by {channel.name}", opened, mend="bedside config show")


def _ledger(settings: "Settings") -> str:
    from bedside.wiring import ledger_state

    return ledger_state(settings)
