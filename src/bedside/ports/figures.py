"""Figures over the ledger's jobs, arrivals and results, for whoever operates a deployment."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from bedside.domain.figures import (
    ArrivalSeen,
    EndedFigure,
    FailureFigure,
    QueueFigure,
    Scope,
    SpentFigure,
    TimedResult,
    Unit,
    WorkerSeen,
    WorkInHand,
)
from bedside.domain.job import Job, JobState


class Figures(Protocol):
    """Counts what the ledger holds, without changing it.

    Every call is one look, cheap enough for a page that is refreshed: it groups in the database, by an
    index or over a bounded number of rows. A scope of no tenants has nothing. An unreachable database
    raises `Unavailable`.
    """

    def queues(self, scope: Scope, now: datetime) -> Sequence[QueueFigure]:
        """Return what waits, by pool in order of name; pools without a queued job are left out."""
        ...

    def states(self, scope: Scope) -> Mapping[JobState, int]:
        """Return how many jobs stand in each state; states without any are left out."""
        ...

    def ended(self, scope: Scope, *, since: datetime, unit: Unit) -> Sequence[EndedFigure]:
        """Return how many jobs ended how, by piece of time, oldest first; empty pieces are left out."""
        ...

    def failures(self, scope: Scope, *, since: datetime) -> Sequence[FailureFigure]:
        """Return why jobs ended dead or rejected, most jobs first."""
        ...

    def dead(self, scope: Scope, *, limit: int = 100) -> Sequence[Job]:
        """Return dead jobs, those that died last first."""
        ...

    def in_hand(self, scope: Scope, *, limit: int = 200) -> Sequence[WorkInHand]:
        """Return jobs that workers have in hand, longest first."""
        ...

    def workers(self, scope: Scope) -> Sequence[WorkerSeen]:
        """Return the workers of the newest lines of the history, last seen first."""
        ...

    def timed(self, scope: Scope, *, since: datetime, limit: int = 1000) -> Sequence[TimedResult]:
        """Return how long the newest delivered results took; those that do not say are left out."""
        ...

    def spent(self, scope: Scope, *, since: datetime) -> Sequence[SpentFigure]:
        """Return what results took, shadows included, by day, oldest first; empty days are left out."""
        ...

    def rejected_inputs(self, scope: Scope, *, since: datetime) -> int:
        """Return how many drop-box entries could not be used."""
        ...

    def failed_exports(self, scope: Scope) -> int:
        """Return how many results the archive did not take, and nobody tries any more."""
        ...

    def arrivals(self, scope: Scope, *, since: datetime | None, limit: int) -> Sequence[ArrivalSeen]:
        """Return DICOM arrivals, those recorded last first; of any age where ``since`` is None."""
        ...
