"""A portal in the middle of its work: jobs in every state, uploads of every kind, a result that was corrected
and read again.

For what looks at every state of a page; `portal_filled` is its quiet morning.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from bedside.domain.job import Job, JobState
from bedside.domain.result import RESULT_FILE
from bedside.judging.judge import Sender
from bedside.ports import JobFilter
from bedside.uploads.limits import Wish
from intake_samples import instances
from ledger_samples import make_result
from operate_samples import Busy, work_on
from portal_accounts import Clinic
from portal_corrections import corrected, shifted
from portal_filled import EMAIL
from portal_results import TENANT, Made

#: A tenant with more jobs than a page lists.
FULL = "ward-3"


def at_work(ward: Clinic, made: Made, folder: Path) -> None:
    """Let a portal have so much behind and before it."""
    deployment = ward.deployment
    rao = ward.people.accounts.by_email(EMAIL)
    assert rao is not None
    busy = work_on(deployment)
    read_again(ward, made)
    corrected(
        deployment,
        deployment.ledger.job(TENANT, made.job_id),
        Sender(subject=rao.id, name="Rao"),
        edit=shifted,
    )
    give_up(ward, busy)
    for _ in range(41):
        busy.wait(FULL, deployment.clock.now())
    upload(ward, rao.id, folder)


def read_again(ward: Clinic, made: Made) -> Job:
    """Let a study be read once more, with other outputs, so that its first result is superseded."""
    ledger, now = ward.deployment.ledger, ward.deployment.clock.now()
    store = ward.deployment.blobs.tenant(TENANT)
    first = ledger.job(TENANT, made.job_id)
    again = ledger.set_priority(TENANT, ledger.rerun(TENANT, first.id, now).id, 1_000_000, now)
    lease = ledger.lease(pools=(), worker="w1", now=now, lease_s=60)
    assert lease is not None and lease.job.id == again.id
    for blob in store.list(f"{first.prefix}/"):
        data = store.get(blob.key)
        if blob.key.endswith(f"/{RESULT_FILE}"):
            left = [{"reason": "not an image"}, {"reason": "not an image"}]
            data = json.dumps(
                {**json.loads(data), "numbers": {"malignancy": 0.125}, "left_aside": left}
            ).encode()
        store.put(blob.key.replace(first.prefix, again.prefix), data)
    return ledger.complete(lease, make_result(lease, created_at=now), now=now)


def give_up(ward: Clinic, busy: Busy) -> None:
    """Cancel a job that waits."""
    ledger, now = ward.deployment.ledger, ward.deployment.clock.now()
    busy.wait(TENANT, now)
    waiting = ledger.jobs(TENANT, JobFilter(states=frozenset({JobState.QUEUED})), limit=1)
    ledger.cancel(TENANT, waiting[0].id, now)


def upload(ward: Clinic, person: str, folder: Path) -> None:
    """Send studies: one that is read, the same again, none at all, one that waits, one that is half sent."""
    paths = instances(folder / "sent", "sent")
    slices = {f"{n}.dcm": path.read_bytes() for n, path in enumerate(paths)}
    send(ward, person, {**slices, "note.txt": b"beside them"})
    ward.deployment.intake.step(TENANT)
    send(ward, person, {f"again/{name}": data for name, data in slices.items()})
    send(ward, person, {"note.txt": b"alone"})
    ward.deployment.intake.step(TENANT)
    ward.deployment.cataloguer.step()
    send(ward, person, {"late.txt": b"of today"})
    half = Wish(name="half", fingerprint="0" * 64, files=2, size_bytes=99)
    ward.deployment.uploads.begin(TENANT, person, half)


def send(ward: Clinic, person: str, files: Mapping[str, bytes]) -> None:
    """Send files as a page does: as one ZIP, in one part."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    data, uploads = stream.getvalue(), ward.deployment.uploads
    digest = hashlib.sha256(data).hexdigest()
    wish = Wish(name="A study", fingerprint=digest, files=len(files), size_bytes=len(data))
    begun = uploads.begin(TENANT, person, wish)
    part = uploads.part(begun, 1, digest)
    with uploads.receive(begun, part) as sink:
        sink.write([data])
        sink.finish()
    uploads.complete(begun)
