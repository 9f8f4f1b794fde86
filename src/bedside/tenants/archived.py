"""Takes out of the image archive what went there for one tenant, and nothing of anybody else.

Owns the question whose an image set is. The archive knows no tenants, so the ledger says which studies were
sent and the store which instances their results had: an image set goes if every instance in it is one of
those, and no other tenant sent the same. What is mixed stays, and is told. All of this is asked while ledger
and store are whole, so that a removal that broke off finds the rest again.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bedside.domain.arrival import ArrivalKind
from bedside.domain.export import OPEN, Export, ExportState, StudyPart, failed
from bedside.domain.job import Job, LedgerEvent
from bedside.errors import BedsideError, NotFound, Unavailable
from bedside.ports import BlobStore, Clock, JobFilter, Ledger
from bedside.ports.archive import ImageArchive, Parcel

if TYPE_CHECKING:
    from bedside.dicom.identify import Identified

#: A sending that a worker had begun has ended after this, whatever became of the worker.
SENDING = timedelta(minutes=10)
#: A sending that is only asked for again has its time within this.
_LOOKING = timedelta(seconds=15)
#: Of exports, and of what is told one by one.
_MOST, _TOLD, _PAGE = 1_000_000, 10, 500
#: In the ledger's events: the archive holds nothing of the tenant any more.
DONE = "tenant.image_sets_removed"
#: After so many refusals nothing more is tried now.
_REFUSALS = 20
#: From the removal of image sets to the second look for them; what follows takes twice as long each.
_FIRST_LOOK_S = 0.1
_STOPPED = "stopped, because the tenant is removed"
_STOPPED_IN_FLIGHT = "stopped while it may have been on its way, because the tenant is removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is in the archive of a tenant.

    Attributes:
        image_sets: Ids to remove, by Study Instance UID.
        mixed: Image sets that hold instances of others too, or that nobody knows of; they stay.
        shared: Those that another tenant of the deployment sent as well; they go with that one.
    """

    image_sets: Mapping[str, Sequence[str]]
    mixed: int = 0
    shared: int = 0

    @property
    def number(self) -> int:
        """How many image sets go."""
        return sum(len(ids) for ids in self.image_sets.values())

    @property
    def words(self) -> Sequence[str]:
        """What stays, in words."""
        mixed, shared = self.mixed, self.shared
        return [
            *([f"{mixed} image sets stay: others' instances are in them too"] if mixed else []),
            *([f"{shared} image sets stay: another tenant sent the same instances"] if shared else []),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """What is in the archive of tenants.

    Attributes:
        ledger: Of all tenants.
        blobs: The store, of any tenant.
        archive: Where results went.
        clock: The time.
        identify: Says whose instance a file is; `bedside.dicom.identify.identify`, which needs pydicom.
        poll_s: Longest between two looks whether image sets are gone.
        most_s: Until that is an error.
        sleep: Waits.
    """

    ledger: Ledger
    blobs: BlobStore
    archive: ImageArchive
    clock: Clock
    identify: Callable[[Path], "Identified | None"]
    poll_s: float = 5.0
    most_s: float = 900.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def find(self, tenant: str) -> Found:
        """Look for a tenant's image sets; nothing is changed.

        Raises:
            Unavailable: The archive, the ledger or the store is out of reach.
        """
        ours = self._sent(tenant)
        theirs: dict[str, set[str]] = {}
        for other in self.ledger.tenants_with_data():
            if other != tenant:
                for study, instances in self._sent(other, only=frozenset(ours)).items():
                    theirs.setdefault(study, set()).update(instances)
        image_sets: dict[str, list[str]] = {}
        mixed = shared = 0
        for study, instances in ours.items():
            for known in self.archive.image_sets(study):
                try:
                    within = {each.sop_instance_uid for each in self.archive.instances(known.id)}
                except NotFound:  # on its way out
                    continue
                if not within & instances:
                    continue  # another system's
                if within - instances:
                    mixed += 1
                elif within & theirs.get(study, set()):
                    shared += 1
                else:
                    image_sets.setdefault(study, []).append(known.id)
        return Found(image_sets=image_sets, mixed=mixed, shared=shared)

    def stop(self, tenant: str) -> None:
        """Let nothing of a tenant be sent any more.

        Raises:
            Unavailable: Something may be on its way; once more later.
        """
        now, moving = self.clock.now(), 0
        for export in self.ledger.exports(tenant, limit=_MOST):
            if export.state in OPEN:
                # What a worker holds has a time before which nobody else touches it, as has what failed once.
                held = export.revision > 0 and export.not_before > now + _LOOKING
                if export.state is ExportState.SENT and self._is_under_way(export):
                    moving += 1
                    continue
                reason = _STOPPED_IN_FLIGHT if held else _STOPPED
                if not self.ledger.put_export(failed(export, reason, now)):
                    held = True  # a worker was faster
                moving += held
            elif export.reason == _STOPPED_IN_FLIGHT and export.changed_at + SENDING > now:
                moving += 1
        if moving:
            raise Unavailable(
                f"{moving} results of the tenant may be on their way into the archive",
                hint=f"the same command once more, in {SENDING.seconds // 60} minutes",
            )

    def remove(self, tenant: str, tell: Callable[[str], None] = lambda _: None) -> Sequence[str]:
        """Remove a tenant's image sets, and wait until they are gone; return in words what is gone.

        Raises:
            Unavailable: Some could not be removed, or are not gone in time; the others are.
        """
        if self.is_done(tenant):
            return []
        self.stop(tenant)
        tell("looking for image sets")
        found = self.find(tenant)
        refused: dict[str, str] = {}
        begun: dict[str, set[str]] = {}
        for study, image_set in ((study, each) for study, ids in found.image_sets.items() for each in ids):
            tell(f"removing image sets: {sum(map(len, begun.values()))} of {found.number}")
            try:
                self.archive.remove(image_set)
            except BedsideError as problem:
                refused[image_set] = problem.message
                if len(refused) >= _REFUSALS:
                    break
                continue
            begun.setdefault(study, set()).add(image_set)
        self._wait(begun)
        if refused:
            names = ", ".join(list(refused)[:_TOLD])
            more = f" and {len(refused) - _TOLD} more" if len(refused) > _TOLD else ""
            gone = sum(map(len, begun.values()))
            raise Unavailable(
                f"{gone} of {found.number} image sets are removed, not {names}{more}:"
                f" {next(iter(refused.values()))}",
                hint="the same command once more; objects and jobs of the tenant are still there",
            )
        # What is removed next is what told whose they were.
        self.ledger.add_event(LedgerEvent(at=self.clock.now(), tenant=tenant, action=DONE))
        return [f"{found.number} image sets in the archive"]

    def is_done(self, tenant: str) -> bool:
        """Whether all were removed, by a command that broke off later."""
        return any(event.action == DONE for event in self.ledger.events(tenant))

    def _wait(self, begun: Mapping[str, set[str]]) -> None:
        deadline = time.monotonic() + self.most_s
        left, pause_s = dict(begun), _FIRST_LOOK_S
        while left:
            left = {
                study: ids
                for study, ids in left.items()
                if ids & {each.id for each in self.archive.image_sets(study)}
            }
            if left and time.monotonic() > deadline:
                raise Unavailable(
                    f"image sets of {len(left)} studies are not gone after {self.most_s:g} s",
                    hint="the same command once more; objects and jobs of the tenant are still there",
                )
            if left:
                self.sleep(pause_s)
                pause_s = min(pause_s * 2, self.poll_s)

    def _is_under_way(self, export: Export) -> bool:
        parcel = Parcel(tenant=export.tenant, job_id=export.job_id, prefix=export.prefix, token=export.token)
        try:
            return self.archive.check(parcel, export.ticket) is None
        except NotFound:  # failed as a whole
            return False

    def _sent(self, tenant: str, only: frozenset[str] | None = None) -> dict[str, set[str]]:
        """Return the SOP Instance UIDs that were ever sent for a tenant, by Study Instance UID.

        Args:
            tenant: Whose.
            only: Studies that are asked for; None is all.
        """
        exports = {export.job_id: export for export in self.ledger.exports(tenant, limit=_MOST)}
        sent: dict[str, set[str]] = {}
        for job in self._jobs(tenant):
            export = exports.get(job.id)
            if export is None or not export.revision:
                continue  # never tried
            if only is not None and job.subject not in only:
                continue
            arrival = self.ledger.arrival(tenant, job.arrival_id)
            if arrival.kind is ArrivalKind.DICOM and export.study is not StudyPart.NONE:
                known = sent.setdefault(arrival.subject, set())
                known.update(file.sop_instance_uid for file in arrival.files)
            for found in self._results(export):
                sent.setdefault(found.study_uid, set()).add(found.sop_instance_uid)
        return sent

    def _jobs(self, tenant: str) -> Iterator[Job]:
        """Give all jobs of a tenant; nothing that is told of them changes meanwhile."""
        offset = 0
        while page := self.ledger.jobs(tenant, JobFilter(), limit=_PAGE, offset=offset):
            yield from page
            offset += len(page)

    def _results(self, export: Export) -> Iterator["Identified"]:
        """Say whose instances a result has, as the objects themselves tell."""
        store = self.blobs.tenant(export.tenant)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "instance"
            for blob in store.list(f"{export.prefix}/"):
                store.fetch(blob.key, path)
                if found := self.identify(path):
                    yield found
                path.unlink()
