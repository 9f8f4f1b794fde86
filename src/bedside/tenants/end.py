"""Ends a tenant: everything of it is archived elsewhere, or removed; its record stays.

Owns the order, so that what breaks off is finished by the same command: it closes first, so that nothing
new comes, and is closed for good only when a last look finds what it should.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bedside.domain.job import Job, JobState, LedgerEvent
from bedside.domain.tenant import Ending, Tenant, TenantState, check_idle
from bedside.errors import Unavailable, UsageError
from bedside.ports import Blob, BlobStore, Clock, JobFilter, Ledger
from bedside.ports.keeping import Keeping
from bedside.ports.resources import TenantResources
from bedside.tenants.archived import Archived, Found

#: What is archived: what came, what was made of it, and what could not be used. Not what stages hand on.
KEPT_AREAS = ("arrivals", "inferred", "input", "rejected", "results")
#: Written last: an archive without it is not whole.
MANIFEST = "archive.json"
_PAGE = 500

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What a tenant has.

    Attributes:
        areas: Number of objects and their bytes, by area.
        jobs: Number of jobs by state.
        things: Buckets, groups and folders, in words.
        archived: What is in the image archive, where that is to be removed too.
    """

    areas: Mapping[str, tuple[int, int]]
    jobs: Mapping[JobState, int]
    things: Sequence[str]
    archived: Found | None = None

    @property
    def open_jobs(self) -> int:
        """Jobs that are queued or run."""
        return self.jobs.get(JobState.QUEUED, 0) + self.jobs.get(JobState.RUNNING, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ender:
    """Ends one tenant.

    Attributes:
        ledger: Of all tenants.
        blobs: Of this tenant.
        resources: Removes its things.
        clock: The time.
        archived: Removes from the image archive, or None where that is left alone.
    """

    ledger: Ledger
    blobs: BlobStore
    resources: TenantResources
    clock: Clock
    archived: Archived | None = None

    def inventory(self, tenant: Tenant) -> Inventory:
        """Count everything of a tenant."""
        areas: dict[str, tuple[int, int]] = {}
        # Where a removal broke off the buckets may be gone, and nobody is told how much is left of what.
        begun = tenant.state is TenantState.CLOSING and tenant.ending is Ending.REMOVE
        for blob in () if begun else self.blobs.list(""):
            number, size_bytes = areas.get(area_of(blob.key), (0, 0))
            areas[area_of(blob.key)] = (number + 1, size_bytes + blob.size_bytes)
        jobs = Counter(job.state for job in self._jobs(tenant, JobFilter()))
        archived = None
        if self.archived and not self.archived.is_done(tenant.name):
            archived = self.archived.find(tenant.name)
        return Inventory(areas=areas, jobs=jobs, things=self.resources.named(tenant), archived=archived)

    def archive(self, tenant: Tenant, place: str, keeping: Keeping, tell: Tell = lambda _: None) -> int:
        """Copy what came and what was made of it, then close the tenant; what is here stays readable.

        Args:
            tenant: Which.
            place: Where to, in words.
            keeping: That place.
            tell: Is told what is done.

        Returns:
            How many objects were copied now; those that were there already are not copied again.

        Raises:
            UsageError: Jobs wait or run.
            Unavailable: Something came while it was archived.
        """
        open_jobs = sum(1 for _ in self._jobs(tenant, _OPEN))
        if open_jobs:
            raise UsageError(
                f"tenant {tenant.path}: {open_jobs} jobs wait or run, whose results would be in no archive",
                hint=f"bedside job list --tenant {tenant.path}; wait, or bedside job cancel JOB",
            )
        closing = self._close(tenant, tenant.closing(Ending.ARCHIVE, place))
        copied = [self._keep(blob, keeping, tell) for blob in self._kept()]
        files, size_bytes = 0, 0
        for blob in self._kept():
            there = keeping.stat(blob.key)
            if there is None or there.size_bytes != blob.size_bytes:
                raise Unavailable(
                    f"tenant {tenant.path}: something changed while it was archived",
                    hint=f"bedside tenant delete {tenant.path} --archive {place}, once more",
                )
            files, size_bytes = files + 1, size_bytes + blob.size_bytes
        late = sum(1 for _ in self._jobs(tenant, _OPEN))
        if late:  # of a study that a machine was taking in while the tenant closed
            raise Unavailable(
                f"tenant {tenant.path}: {late} jobs came while it was archived, and have no result yet",
                hint=f"bedside tenant delete {tenant.path} --archive {place}, once they ended",
            )
        now = self.clock.now()
        manifest = {
            "tenant": tenant.path,
            "archived_at": now.isoformat(),
            "objects": files,
            "bytes": size_bytes,
        }
        keeping.put(MANIFEST, json.dumps(manifest, indent=2).encode())
        self._closed(closing)
        return sum(copied)

    def remove(self, tenant: Tenant, tell: Tell = lambda _: None) -> Sequence[str]:
        """Cancel its jobs, remove everything of it but the record, and close it.

        Returns:
            What is gone, in words.

        Raises:
            UsageError: Jobs run.
            Unavailable: Something came while it was removed, or something of it stays in the image archive.
        """
        check_idle(tenant.name, sum(1 for _ in self._jobs(tenant, _RUNNING)))
        closing = self._close(tenant, tenant.closing(Ending.REMOVE))
        waiting = list(self._jobs(tenant, _QUEUED))
        for job in waiting:
            self.ledger.cancel(tenant.name, job.id, self.clock.now())
        # Again: a worker may have taken one before it was cancelled.
        check_idle(tenant.name, sum(1 for _ in self._jobs(tenant, _RUNNING)))
        gone = list(self.archived.remove(tenant.name, tell)) if self.archived else []
        tell("removing objects")
        gone += self.resources.remove(closing)
        tell("removing rows of the ledger")
        gone.append(f"{self.ledger.forget_tenant(tenant.name)} rows of the ledger")
        if tenant.name in self.ledger.tenants_with_data() or (
            closing.buckets is None and next(iter(self.blobs.list("")), None) is not None
        ):
            raise Unavailable(
                f"tenant {tenant.path}: something came while it was removed",
                hint=f"bedside tenant delete {tenant.path} --remove, once more",
            )
        self._closed(closing)
        return [*([f"{len(waiting)} waiting jobs"] if waiting else []), *gone]

    def _kept(self) -> Iterator[Blob]:
        for area in KEPT_AREAS:
            yield from self.blobs.list(f"{area}/")

    def _keep(self, blob: Blob, keeping: Keeping, tell: Tell) -> bool:
        there = keeping.stat(blob.key)
        if there and there.size_bytes == blob.size_bytes and there.modified_at >= blob.modified_at:
            return False
        tell(f"archiving {area_of(blob.key)}")
        keeping.copy(blob)
        return True

    def _jobs(self, tenant: Tenant, where: JobFilter) -> Iterator[Job]:
        # Read whole before anything is done with them: what leaves a state moves the pages.
        found: list[Job] = []
        while page := self.ledger.jobs(tenant.name, where, limit=_PAGE, offset=len(found)):
            found += page
        return iter(found)

    def _close(self, tenant: Tenant, closing: Tenant) -> Tenant:
        if not self.ledger.put_tenant(closing, over=tenant.state):
            raise Unavailable(
                f"tenant {tenant.path}: somebody else changed it meanwhile",
                hint=f"bedside tenant show {tenant.path}",
            )
        return closing

    def _closed(self, closing: Tenant) -> None:
        now = self.clock.now()
        self.ledger.put_tenant(closing.closed(now), over=TenantState.CLOSING)
        self.ledger.add_event(
            LedgerEvent(at=now, tenant=closing.name, action=f"tenant.{closing.ending}d", detail=closing.place)
        )


def area_of(key: str) -> str:
    """Return the area of a key; empty for one that is in none."""
    area, slash, _ = key.partition("/")
    return area if slash else ""


_QUEUED = JobFilter(states=frozenset({JobState.QUEUED}))
_RUNNING = JobFilter(states=frozenset({JobState.RUNNING}))
_OPEN = JobFilter(states=frozenset({JobState.QUEUED, JobState.RUNNING}))
