"""Sends delivered results to the archive, and believes it only its receipts.

Owns when an export is tried and when it is given up. Any worker may do it, any number of times: a worker
takes an export for a while by writing that down, and one that dies lets go of it. A sending is repeated
with the same token until it is confirmed or failed as a whole, so that nothing is kept twice. Nobody waits
for it: a result is delivered when it is in the store, and the archive may be out of reach for a day.
"""

from dataclasses import dataclass, field
from datetime import timedelta

from bedside.domain.arrival import ArrivalKind, StoredFile
from bedside.domain.export import (
    Export,
    ExportState,
    StudyPart,
    claimed,
    confirmed,
    failed,
    lost,
    sent,
    waiting,
)
from bedside.domain.job import LedgerEvent
from bedside.errors import BedsideError, ConfigError, NotFound, Unavailable
from bedside.log import Log, silent
from bedside.ports import Clock, JobFilter, Ledger
from bedside.ports.archive import ImageArchive, Parcel, Receipt
from bedside.worker.observe import Observer

#: Exports looked at in one go: between two jobs, a patient waits for the next one.
BATCH = 5
#: A worker has an export to itself for so long; longer than a sending takes, or it is done twice.
HOLD = timedelta(minutes=10)
#: Between two looks at a sending under way.
LOOK = timedelta(seconds=15)
#: Jobs of one study, looked at for what the archive has; what is sent twice is kept once.
LOOKED_AT = 200
#: Waits after a try that failed double from the first to the longest; after so many, a person is needed.
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)
MAX_ATTEMPTS = 30
#: Of an export that brought its study along, all of it.
_WHOLE = (ExportState.STORED, StudyPart.STORED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Archivist:
    """Brings results into the archive.

    Attributes:
        ledger: Knows what is to be done.
        archive: Where results go.
        studies: Whether the study that a result was read from goes there too.
        clock: The time.
        log: Takes notes.
        observer: Tells people, and counts.
    """

    ledger: Ledger
    archive: ImageArchive
    studies: bool = True
    clock: Clock
    log: Log = silent
    observer: Observer = field(default_factory=Observer)

    def step(self) -> int:
        """Do what is due, one thing for each export; return how many it was.

        Raises:
            Unavailable: The ledger is out of reach; the archive may be, and is tried again later.
        """
        done = 0
        for export in self.ledger.due_exports(self.clock.now(), limit=BATCH):
            taken = claimed(export, self.clock.now(), HOLD, study=self.studies)
            if not self.ledger.put_export(taken):
                continue
            after = self._tried(taken)
            if self.ledger.put_export(after):
                self._note(export, after)
            done += 1
        return done

    def _tried(self, export: Export) -> Export:
        """Send an export, or ask for its receipt; return what became of it."""
        try:
            parcel = self._parcel(export)
            if export.state is ExportState.SENT:
                receipt = self.archive.check(parcel, export.ticket)
            else:
                sending = self.archive.send(parcel)
                receipt = sending.receipt
                if receipt is None:
                    now = self.clock.now()
                    return sent(export, sending.ticket, now, now + LOOK)
        except BedsideError as problem:
            return self._later(export, problem)
        now = self.clock.now()
        if receipt is None:
            return waiting(export, "", now, now + LOOK, counts=False)
        return confirmed(export, receipt.stored, _refused(receipt), now, study=self.studies)

    def _parcel(self, export: Export) -> Parcel:
        return Parcel(
            tenant=export.tenant,
            job_id=export.job_id,
            prefix=export.prefix,
            token=export.token,
            study=self._study(export) if self.studies else (),
        )

    def _study(self, export: Export) -> tuple[StoredFile, ...]:
        """Return the instances of an export's study that no archived result of it brought along before.

        A result from a time when studies stayed out brought none, whatever the setting says now.
        """
        ledger, tenant = self.ledger, export.tenant
        job = ledger.job(tenant, export.job_id)
        arrival = ledger.arrival(tenant, job.arrival_id)
        if arrival.kind is not ArrivalKind.DICOM:
            return ()
        there: set[StoredFile] = set()
        for other in ledger.jobs(tenant, JobFilter(subject=job.subject), limit=LOOKED_AT):
            known = ledger.export(tenant, other.id)
            if known is not None and (known.state, known.study) == _WHOLE:
                there.update(ledger.arrival(tenant, other.arrival_id).files)
        return tuple(file for file in arrival.files if file not in there)

    def _later(self, export: Export, problem: BedsideError) -> Export:
        now = self.clock.now()
        is_lost = export.state is ExportState.SENT and isinstance(problem, NotFound)
        hopeless = not is_lost and not isinstance(problem, Unavailable | NotFound | ConfigError)
        if hopeless or export.attempts + 1 >= MAX_ATTEMPTS:
            return failed(export, problem.message, now)
        until = now + min(FIRST_WAIT * 2 ** min(export.attempts, 20), LONGEST_WAIT)
        if is_lost:
            return lost(export, problem.message, now, until)
        return waiting(export, problem.message, now, until, counts=True)

    def _note(self, before: Export, after: Export) -> None:
        """Say what became of an export; its job's history has what changed its state."""
        self.log(
            f"archive.{after.state.value}",
            tenant=after.tenant,
            job=after.job_id,
            stored=after.stored or None,
            reason=after.reason,
        )
        if after.state is not before.state:
            self.observer.exported(after)
            self.ledger.add_event(
                LedgerEvent(
                    at=after.changed_at,
                    tenant=after.tenant,
                    action=f"archive.{after.state.value}",
                    job_id=after.job_id,
                    detail=after.reason or (f"{after.stored} instances" if after.stored else ""),
                )
            )


def _refused(receipt: Receipt) -> tuple[tuple[str, str], ...]:
    return tuple((refused.instance, refused.reason) for refused in receipt.refused)
