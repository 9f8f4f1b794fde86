"""Ends the stay of an entry in the drop-box once all jobs that came of it ended.

Owns the decision where it goes: to ``inferred/``, or to ``rejected/`` where every job found its input
unreadable. Dead and cancelled jobs settle too: the arrival holds its own copy of every file, so a
re-drive needs nothing of the drop-box, and a drop-box that fills up with old trouble hides the new.
Nobody waits for shadows, nor for past studies that a person runs again.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from bedside.config import FileSetSettings
from bedside.domain.arrival import Entry, EntryState
from bedside.domain.job import ENDED, Job, JobState
from bedside.errors import Unavailable
from bedside.ports import BlobStore, JobFilter, Ledger
from bedside.worker.admit import BY_RULE
from bedside.worker.depart import INFERRED, REJECTED, depart, things_in
from bedside.worker.dropbox import Thing

_MOST_JOBS = 10_000  # of one arrival


def settle(
    tenant: str,
    *,
    ledger: Ledger,
    blobs: BlobStore,
    file_sets: Sequence[FileSetSettings] = (),
    stays: Callable[[Entry, Unavailable], None],
) -> list[Entry]:
    """Settle the entries of a tenant whose jobs all ended; return them as they are now.

    Safe to run again at any time: what a crash left between move and record is repaired.

    Args:
        tenant: Whose.
        ledger: Knows entries and jobs.
        blobs: The store, of any tenant.
        file_sets: Sets of other files than DICOM.
        stays: Told of an entry that cannot be moved now; it keeps no other waiting.
    """
    ended = []
    for entry in ledger.unsettled_entries(tenant):
        jobs = [
            job
            for arrival_id in entry.arrivals
            for job in ledger.jobs(tenant, JobFilter(arrival_id=arrival_id, roles=BY_RULE), limit=_MOST_JOBS)
        ]
        if all(job.state in ENDED for job in jobs):
            ended.append((entry, _newest_runs(jobs)))
    if not ended:
        return []
    store = blobs.tenant(tenant)
    things = things_in(store, file_sets)
    settled = []
    for entry, jobs in ended:
        try:
            settled.append(settle_entry(entry, jobs, things.get(entry.key), store))
        except Unavailable as missing:
            stays(entry, missing)
            continue
        ledger.put_entry(settled[-1])
    return settled


def settle_entry(entry: Entry, jobs: Sequence[Job], thing: Thing | None, store: BlobStore) -> Entry:
    """Move an entry's objects to where it goes, and return it as it is then.

    Args:
        entry: In state TAKEN; without arrivals where intake itself rejected it.
        jobs: All that came of it, ended.
        thing: What lies under its key in the drop-box now, or None.
        store: Its tenant's.
    """
    rejected = not entry.arrivals or (bool(jobs) and all(job.state is JobState.REJECTED for job in jobs))
    facts = {
        "state": "rejected" if rejected else "settled",
        "arrivals": list(entry.arrivals),
        "reason": entry.reason,
        "jobs": [
            {"id": j.id, "pipeline": j.pipeline.name, "state": j.state.value, "reason": _reason(j)}
            for j in jobs
        ],
    }
    moved = depart(entry, thing, store, place=REJECTED if rejected else INFERRED, facts=facts)
    reasons = [
        entry.reason,
        "no rule started a job" if entry.arrivals and not jobs else "",
        *dict.fromkeys(_reason(job) for job in jobs if rejected),
        "" if moved else "taken away or replaced in the drop-box before it settled",
    ]
    return replace(
        entry,
        state=EntryState.REJECTED if rejected else EntryState.SETTLED,
        reason="; ".join(dict.fromkeys(filter(None, reasons))),
    )


def _newest_runs(jobs: Sequence[Job]) -> list[Job]:
    newest: dict[str, Job] = {}
    for job in sorted(jobs, key=lambda j: j.run):
        newest[job.identity] = job
    return list(newest.values())


def _reason(job: Job) -> str:
    return job.failure.message if job.failure and job.state is not JobState.SUCCEEDED else ""
