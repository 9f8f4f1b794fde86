"""What people who follow studies and jobs ask the ledger: lists with filters, counts, places in line, news.

Part of the `Ledger`. Lists are newest first and go on after the last one shown (a key, not a number of
rows to skip), so that the hundredth page costs what the first does and nothing is shown twice while jobs
come in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bedside.domain.arrival import ArrivalSummary, Entry, EntryState
from bedside.domain.job import Job, JobState, LedgerEvent
from bedside.domain.release import Role

#: More jobs before one are not counted: a person wants to know that it is long.
COUNTED_BEFORE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs to list; empty means any.

    Attributes:
        states: Where they stand.
        roles: For whom they are.
        arrival_id: What they read.
        arrivals: What they read, several.
        subject: Study Instance UID.
        pipeline: Its name.
        release: Digest of a release that a stage runs.
        rule: What started them.
        since: Made then or later.
        until: Made earlier.
        text: Begins the job's id, the arrival's id, or the study's UID.
        named: Besides ``text``, studies that were found elsewhere by the same words.
    """

    states: frozenset[JobState] = frozenset()
    roles: frozenset[Role] = frozenset()
    arrival_id: str = ""
    arrivals: frozenset[str] = frozenset()
    subject: str = ""
    pipeline: str = ""
    release: str = ""
    rule: str = ""
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    named: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFilter:
    """Which studies to list; empty means any.

    Attributes:
        jobs: One of the study's jobs must be so; of this filter `JobFilter.states`, ``roles``,
            ``pipeline``, ``release`` and ``rule`` count.
        without_job: Only studies that started nothing.
        subject: Study Instance UID.
        all_versions: Earlier versions of a study too, each by itself.
        since: Received then or later.
        until: Received earlier.
        text: Begins the arrival's id or the study's UID.
        named: Besides ``text``, studies that were found elsewhere by the same words.
    """

    jobs: JobFilter = field(default_factory=JobFilter)
    without_job: bool = False
    subject: str = ""
    all_versions: bool = False
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    named: frozenset[str] = frozenset()


class Following(Protocol):
    """The part of the ledger that people look at."""

    def studies(
        self, tenant: str, where: StudyFilter, *, limit: int = 100, after: str = ""
    ) -> Sequence[ArrivalSummary]:
        """Return the newest version of each study, last received first.

        Args:
            tenant: Whose.
            where: Which.
            limit: How many.
            after: Id of the arrival that the list goes on after.

        Raises:
            NotFound: There is no arrival ``after``.
        """
        ...

    def entries(
        self,
        tenant: str,
        *,
        states: frozenset[EntryState] = frozenset(),
        arrival_id: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> Sequence[Entry]:
        """Return drop-box entries, newest first; all, or those that became part of one arrival."""
        ...

    def jobs(
        self, tenant: str, where: JobFilter, *, limit: int = 100, offset: int = 0, after: str = ""
    ) -> Sequence[Job]:
        """Return jobs, newest first.

        Args:
            tenant: Whose.
            where: Which.
            limit: How many.
            offset: How many to leave out; ``after`` is better for lists that people page through.
            after: Id of the job that the list goes on after.

        Raises:
            NotFound: There is no job ``after``.
        """
        ...

    def job_counts(self, tenant: str, where: JobFilter) -> Mapping[JobState, int]:
        """Return how many jobs are in each state; what ``where`` says of states is left aside."""
        ...

    def jobs_before(self, job: Job, *, limit: int = COUNTED_BEFORE) -> int:
        """Return how many queued jobs of all tenants are leased before a queued one in its pool.

        Delayed ones count too; at most ``limit`` are counted.
        """
        ...

    def last_event(self) -> int:
        """Return the number of the newest line of the history, 0 where there is none."""
        ...

    def news(self, tenant: str, *, after: int, limit: int = 1000) -> Sequence[tuple[int, LedgerEvent]]:
        """Return numbered lines of a tenant's history after one, oldest first.

        Numbers are given out before lines become visible: one that is written at the same time as
        another may appear a moment after a higher one.
        """
        ...
