"""What arrives: a series of many objects while no machine runs, and what nobody can read."""

import json
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

import nothing_bundle
from applied import Deployment
from aws_site import SiteOf, zipped
from bedside.domain.arrival import EntryState
from bedside.domain.export import ExportState
from bedside.domain.job import JobState
from deployed_waker import MINUTE
from serving import eventually
from wishes import DATASTORE

pytestmark = [pytest.mark.needs("initdb", "pg_ctl", "docker-registry", "terraform"), pytest.mark.timeout(600)]

SLICES = 200
PATIENT = "Meitner^Lise"


def test_from_zero_machines_a_series_of_200_objects_becomes_one_job(
    site_of: SiteOf, aws: Deployment, tmp_path: Path
) -> None:
    """Its result is as many instances, so that HealthImaging imports them from the bucket."""
    site = site_of("copies", quiet_s=3.0, lease_s=30.0)
    pool, waker, imaging = site.pool, aws.waker, aws.imaging
    before = {"instances": set(imaging.instances(DATASTORE)), "imports": set(imaging.imports)}
    waker.stop_clock()
    assert waker.call(MINUTE)["default"] == "rest"
    assert pool.machines() == []
    slices = sorted(nothing_bundle.write_study(tmp_path / "study", slices=SLICES).iterdir())
    assert len(slices) == SLICES

    def send(which: slice) -> None:
        for path in slices[which]:
            site.upload(f"{PATIENT}/{path.name}", path.read_bytes())

    send(slice(0, 1))
    assert waker.calls[-1] == ("aws.s3", {"default": "wake", "cpu": "rest"})
    send(slice(1, SLICES // 2))
    assert waker.calls[-1][1]["default"] == "seen awake"
    assert pool.desired() == 1
    machine = site.start()  # as the group does now
    assert pool.machines() == [machine.node.instance], "the waker's"
    send(slice(SLICES // 2, SLICES))
    assert eventually(lambda: site.settled(1), within_s=120), site.told()

    (job,) = site.jobs()
    assert job.state is JobState.SUCCEEDED, job.failure
    assert job.arrival_version == 1
    assert len(site.ledger.arrival(site.tenant, job.arrival_id).files) == SLICES
    assert site.store().get(f"{job.prefix}/count.txt") == str(SLICES).encode()
    (entry,) = site.entries()
    assert entry.arrivals == (job.arrival_id,)

    def is_archived() -> bool:
        export = site.ledger.export(site.tenant, job.id)
        return export is not None and export.state is ExportState.STORED

    assert eventually(is_archived, within_s=60), site.told()
    (imported,) = (imaging.imports[job_id] for job_id in set(imaging.imports) - before["imports"])
    assert imported.request["inputS3Uri"] == (
        f"s3://{site.bucket}/results/{site.tenant}/{job.arrival_id}/{job.id}/dicom/"
    )
    assert imported.request["dataAccessRoleArn"] == aws.outputs["import_role_arn"]
    kept = set(imaging.instances(DATASTORE)) - before["instances"]
    assert len(kept) == 2 * SLICES, "the result, and the study with it"
    # Each object's message is done with, and the job's hint.
    assert eventually(lambda: not any(site.cloud.messages(site.queue).values()), within_s=30), site.told()
    assert PATIENT not in "\n".join(machine.lines)
    assert machine.stop() == 0
    pool.leave(machine.node.instance)
    assert waker.call(MINUTE)["default"] == "rest"


def test_what_nobody_can_read_is_buried_and_sent_back_once_it_is_mended(
    site_of: SiteOf, aws: Deployment, tmp_path: Path
) -> None:
    """A message of no form, a study of a tenant that is not served, and a ZIP without a study."""
    site, cloud = site_of("1.0"), aws.cloud
    other = f"{site.tenant}-other"
    first = site.start()
    cloud.client("sqs").send_message(QueueUrl=site.queue, MessageBody=json.dumps({"name": PATIENT}))
    study = nothing_bundle.write_study(tmp_path / "study").iterdir()
    site.upload(f"{PATIENT}.zip", zipped(study), other)
    letter = BytesIO()
    with zipfile.ZipFile(letter, "w") as archive:
        archive.writestr("letter.txt", "no study")
    site.upload(f"{PATIENT}.zip", letter.getvalue())

    def both_are_buried() -> bool:
        cloud.let_holders_lapse(site.queue)
        return cloud.messages(site.dead_letters)["visible"] == 2

    assert eventually(lambda: site.settled(1), within_s=60), site.told()
    (entry,) = site.entries()
    assert (entry.state, entry.arrivals) == (EntryState.REJECTED, ())
    assert "no DICOM instance" in site.store().get(f"rejected/{entry.id}/reason.json").decode()
    assert eventually(both_are_buried, within_s=60, every_s=0.3), site.told()
    assert not any(cloud.messages(site.queue).values()), "a rejected study is no dead letter"
    assert first.said("queue.malformed") and first.said("queue.foreign")
    assert first.stop() == 0

    # Whoever deployed sees them too, by what Terraform has made.
    listed = aws.typed("deploy", "dead", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    letters = {found["kind"]: found for found in json.loads(listed.stdout)["letters"]}
    assert letters.keys() == {"unknown", "arrival"}
    assert letters["arrival"]["tenants"] == [other]
    assert "system.tenants" in letters["arrival"]["reason"]
    assert PATIENT not in listed.stdout + "".join(first.lines)

    site.tenants = (site.tenant, other)
    site.configure()
    site.start()
    sent = site.command("deploy", "dead", "redrive", "--yes", letters["arrival"]["message"])
    assert sent.returncode == 0, sent.stderr
    assert eventually(lambda: site.settled(1, other), within_s=60), site.told()
    (job,) = site.jobs(other)
    assert job.state is JobState.SUCCEEDED
    assert eventually(lambda: not any(cloud.messages(site.queue).values()), within_s=20)
    assert cloud.messages(site.dead_letters)["visible"] == 1, "the other one was not asked for"
