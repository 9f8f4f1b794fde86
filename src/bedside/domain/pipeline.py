"""Pipelines, their stages, the releases they run, and the rules that start them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bedside.domain.because import Because
from bedside.domain.identity import short_id


class ReleaseKind(StrEnum):
    """What a release is made of."""

    BUNDLE = "bundle"  # the files of a MONAI bundle
    MAP = "map"  # a packaged application: a container image


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A model as it was registered, named by its content.

    Attributes:
        digest: ``sha256:`` and 64 hex digits: over a bundle's files, or of a MAP's manifest.
        name: Its own name, for people.
        version: Its own version, for people.
        added_at: When this deployment first saw it.
        kind: What it is made of.
        source: Where it was had from, as it was named: a registry's reference, or ``""`` for a path.
        size_bytes: Of all its files; 0 where nobody counted.
    """

    digest: str
    name: str
    version: str
    added_at: datetime
    kind: ReleaseKind = ReleaseKind.BUNDLE
    source: str = ""
    size_bytes: int = 0


class StageKind(StrEnum):
    """How a stage is run."""

    BUNDLE = "bundle"  # a MONAI bundle, in a warm child process
    MAP = "map"  # a packaged application, in a container
    COMMAND = "command"  # any program that keeps the folder contract (input folder → output folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of a pipeline, with its own queue.

    Attributes:
        name: Unique in its pipeline.
        kind: How it is run.
        pool: Which workers lease it: each pool is a queue of its own.
        release: The digest of the bundle or MAP; empty for `StageKind.COMMAND`.
        command: Program and arguments, for `StageKind.COMMAND`.
        settings: What changes the result (selection, labels, outputs, precision, engine): part of
            the job's identity. JSON values.
        timeout_s: Longest run before the child is ended and the attempt counted.
    """

    name: str
    kind: StageKind
    pool: str = "default"
    release: str = ""
    command: tuple[str, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    timeout_s: float = 3600.0

    def identity(self) -> dict[str, object]:
        """Return what makes two stages the same work. Pool and time-out do not change a result."""
        return {
            "name": self.name,
            "kind": self.kind.value,
            "release": self.release,
            "command": list(self.command),
            "settings": dict(self.settings),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A named list of stages; the shortest has one."""

    name: str
    stages: tuple[Stage, ...]
    max_attempts: int = 3

    @property
    def version(self) -> str:
        """Hash of what it runs: a new release or another setting is another version."""
        return short_id([self.name, [stage.identity() for stage in self.stages]])

    @property
    def track(self) -> str:
        """Hash of what it is whatever releases it runs: versions of one track follow one another."""
        kept = [
            {key: value for key, value in stage.identity().items() if key not in ("release", "kind")}
            for stage in self.stages
        ]
        return short_id(["track", self.name, kept])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which arrivals start a pipeline.

    Attributes:
        name: Unique in the deployment.
        pipeline: The pipeline it starts.
        when: An expression that at least one series must satisfy; empty is always.
        requires: Further expressions, each of which some series must satisfy (not the same one).
        priority: Of the jobs it makes; higher is leased first.
    """

    name: str
    pipeline: str
    when: str = ""
    requires: tuple[str, ...] = ()
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Why a rule did or did not start a pipeline on an arrival, with the values that made it.

    Attributes:
        tenant: Whose arrival.
        arrival_id: Which arrival.
        rule: The rule's name.
        pipeline: The pipeline it names.
        matched: Whether it started a job.
        reason: A sentence, e.g. ``"Modality == 'CT' is false: it is 'MR' (3 of 3 series)"``.
        values: Per series UID, the attributes the expression read. Attributes that identify a
            patient are replaced by ``"(withheld)"``.
        decided_at: When.
        because: What the sentence says, as values; None where it was decided before these were kept.
    """

    tenant: str
    arrival_id: str
    rule: str
    pipeline: str
    matched: bool
    reason: str
    values: Mapping[str, Mapping[str, object]]
    decided_at: datetime
    because: Because | None = None
