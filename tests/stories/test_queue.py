"""From an upload to a job where S3's events come by a queue: told, taken, in the ledger, deleted."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx

import nothing_bundle
from bedside.adapters.aws.blobs import S3BlobStore
from bedside.adapters.aws.places import Bucket
from clinic import Clinic, zipped
from clouds import Cloud


def test_an_event_goes_once_its_study_is_in_the_ledger(
    clinic_of: Callable[..., Clinic], cloud: Cloud, tmp_path: Path
) -> None:
    bucket = cloud.bucket()
    queue = cloud.queue(announces=bucket)
    study = sorted(nothing_bundle.write_study(tmp_path / "study", seed="told").iterdir())
    archive = zipped(study, tmp_path / "Meitner^Lise.zip")
    clinic = clinic_of(store_url=f"s3://{bucket}")
    configuration = clinic.configuration.read_text()
    clinic.configuration.write_text(f'{configuration}\n[queue]\nurl = "{queue}"\n')
    clinic.restart()
    store = S3BlobStore(Bucket(name=bucket), "ward-3")
    url = store.presign_put("input/Meitner^Lise.zip", 60, size_bytes=archive.stat().st_size)
    httpx.put(url, content=archive.read_bytes()).raise_for_status()
    assert cloud.messages(queue)["visible"] == 2  # and S3's test event

    assert type(clinic.here.feed).__name__ == "SqsFeed"
    clinic.take("ward-3")
    assert len(clinic.jobs("ward-3")) == 1
    assert cloud.messages(queue) == {"visible": 1, "held": 0, "delayed": 0}  # the hint of the job
    (hint,) = cloud.client("sqs").receive_message(QueueUrl=queue, VisibilityTimeout=0)["Messages"]
    assert json.loads(hint["Body"])["job"] == clinic.job("ward-3").id


def test_what_a_deployment_held_comes_back_as_soon_as_it_is_closed(
    clinic_of: Callable[..., Clinic], cloud: Cloud
) -> None:
    bucket = cloud.bucket()
    queue = cloud.queue(announces=bucket)
    clinic = clinic_of(store_url=f"s3://{bucket}")
    configuration = clinic.configuration.read_text().replace("quiet_s = 0", "quiet_s = 600")
    clinic.configuration.write_text(f'{configuration}\n[queue]\nurl = "{queue}"\n')
    clinic.restart()
    S3BlobStore(Bucket(name=bucket), "ward-3").put("input/study/1.dcm", b"still coming")
    clinic.take("ward-3")
    assert cloud.messages(queue) == {"visible": 0, "held": 1, "delayed": 0}
    clinic.close()
    assert cloud.messages(queue) == {"visible": 1, "held": 0, "delayed": 0}

    clinic.restart()
    clinic.take("ward-3")
    cloud.client("sqs").delete_queue(QueueUrl=queue)
    clinic.close()  # a queue that is gone is a line in the log, and no reason not to end
    assert "action=queue.waits" in clinic.said[-1]
