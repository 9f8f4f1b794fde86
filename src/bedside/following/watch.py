"""What is new in one tenant: jobs that moved, how far running ones are, and studies that came.

Owns one look at the ledger, however many people watch: the lines of the history since the last look name
the jobs that moved, and running jobs say how far they are. What people are told is how a job stands, never
a line, so that a look that was missed, or one that tells twice, does no harm.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from bedside.domain.job import Job, JobState, LedgerEvent
from bedside.errors import NotFound
from bedside.ports import JobFilter, Ledger

#: A line may become visible a moment after one with a higher number; it is looked for so many numbers back.
OVERLAP = 200
#: More news than this are not told one by one: whoever watches loads the page again.
MANY = 500
#: More running jobs than this are not followed in their progress, only in their moves.
RUNNING = 200
#: Lines that say that a study came: with its first job, or without any.
CAME = frozenset({"job.enqueue", "arrival.unmatched"})


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What one look found.

    Attributes:
        number: Of the newest line of the history; a later look goes on from it.
        jobs: Jobs that stand otherwise than before, as they are now.
        arrivals: Ids of arrivals that came.
        is_much: There was more than can be told.
    """

    number: int
    jobs: Sequence[Job] = ()
    arrivals: Sequence[str] = ()
    is_much: bool = False


@dataclass
class Watch:
    """Looks at one tenant again and again. Used by one thread at a time.

    Attributes:
        ledger: Where jobs are.
        tenant: Whose.
        number: Of the newest line that was told; below zero before the first look.
    """

    ledger: Ledger
    tenant: str
    number: int = -1
    _told: set[int] = field(default_factory=set, repr=False)
    _running: dict[str, Job] = field(default_factory=dict, repr=False)

    def look(self) -> News:
        """Return what is new since the last look; at the first one nothing is."""
        is_first = self.number < 0
        if is_first:
            self.number = self.ledger.last_event()
        lines = self.ledger.news(self.tenant, after=max(0, self.number - OVERLAP), limit=MANY + OVERLAP + 1)
        fresh = [] if is_first else [(number, line) for number, line in lines if number not in self._told]
        self._told = {number for number, _ in lines}
        self.number = max([self.number, *self._told])
        before, self._running = self._running, self._now_running()
        if is_first or len(fresh) > MANY:
            return News(number=self.number, is_much=not is_first)
        moved = _jobs_of(line for _, line in fresh)
        changed = [job for key, job in self._running.items() if key not in moved and job != before.get(key)]
        return News(
            number=self.number,
            jobs=[*find(self.ledger, self.tenant, moved), *changed],
            arrivals=_came(line for _, line in fresh),
        )

    def _now_running(self) -> dict[str, Job]:
        where = JobFilter(states=frozenset({JobState.RUNNING}))
        return {job.id: job for job in self.ledger.jobs(self.tenant, where, limit=RUNNING)}


def since(ledger: Ledger, tenant: str, number: int, only: Collection[str] = ()) -> News:
    """Return what is new since a line that somebody saw last.

    Args:
        ledger: Where jobs are.
        tenant: Whose.
        number: Of the line.
        only: Jobs to tell of; empty is all.
    """
    lines = ledger.news(tenant, after=max(0, number - OVERLAP), limit=MANY + OVERLAP + 1)
    newest = max([number, *(n for n, _ in lines)])
    if sum(n > number for n, _ in lines) > MANY:
        return News(number=newest, is_much=True)
    moved = [job_id for job_id in _jobs_of(line for _, line in lines) if not only or job_id in only]
    came = _came(line for n, line in lines if n > number)
    return News(number=newest, jobs=find(ledger, tenant, moved), arrivals=came)


def find(ledger: Ledger, tenant: str, ids: Iterable[str]) -> list[Job]:
    """Return jobs by id; those that are gone, with their tenant, are left out."""
    found = []
    for job_id in ids:
        try:
            found.append(ledger.job(tenant, job_id))
        except NotFound:
            continue
    return found


def _jobs_of(lines: Iterable[LedgerEvent]) -> list[str]:
    return list(dict.fromkeys(line.job_id for line in lines if line.job_id))


def _came(lines: Iterable[LedgerEvent]) -> list[str]:
    return list(dict.fromkeys(line.arrival_id for line in lines if line.action in CAME))
