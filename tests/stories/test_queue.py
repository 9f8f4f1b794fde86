"""From an upload to a job where S3's events come by a queue: told, taken, in the ledger, deleted."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

import nothing_bundle
from bedside.adapters.aws.blobs import S3BlobStore
from bedside.adapters.aws.places import Bucket
from bedside.config import load
from bedside.domain.job import JobState
from bedside.wiring import open_deployment
from clinic import Clinic, zipped
from clouds import Cloud
from ledger_samples import make_arrival, make_job

NONE, ONE, HELD = (
    dict(zip(("visible", "held", "delayed"), n, strict=True)) for n in ((0, 0, 0), (1, 0, 0), (0, 1, 0))
)


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


PASS_ON = """
[[pipeline]]
name = "two"

[[pipeline.stage]]
name = "prepare"
command = ["{program}", "{{input}}", "{{output}}"]
pool = "cpu"

[[pipeline.stage]]
name = "infer"
command = ["{program}", "{{input}}", "{{output}}"]
pool = "gpu"

[[rule]]
name = "all"
pipeline = "two"
"""


def test_each_pool_is_told_of_its_stage_and_only_the_first_takes_in(
    clinic_of: Callable[..., Clinic], cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bedside.adapters.aws.feed._JOBS_S", 0)
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\necho done > "$2/done.txt"\n')
    program.chmod(0o755)
    bucket = cloud.bucket()
    events, gpu_url = cloud.queue(announces=bucket), cloud.queue()
    clinic = clinic_of(
        store_url=f"s3://{bucket}", pipelines=PASS_ON.format(program=program), intake="poll_s = 1e-6"
    )
    configuration = clinic.configuration.read_text().replace(
        "backoff_s = 0", 'backoff_s = 0\npools = ["cpu"]'
    )
    queues = f'[queue]\nurl = "{events}"\npools = {{ cpu = "{events}", gpu = "{gpu_url}" }}\n'
    clinic.configuration.write_text(configuration + queues)
    clinic.restart()
    variables = {"BEDSIDE_WORKER_POOLS": "gpu"}
    gpu = open_deployment(load(clinic.configuration, environment=variables, flags={}).settings)
    study = sorted(nothing_bundle.write_study(tmp_path / "study", seed="pools").iterdir())
    archive = zipped(study, tmp_path / "study.zip")
    S3BlobStore(Bucket(name=bucket), "default").put("input/study.zip", archive.read_bytes())

    assert gpu.intake.step("default") == 0
    assert clinic.take() == 1
    assert (cloud.messages(events), cloud.messages(gpu_url)) == (ONE, NONE)
    clinic.take()
    assert cloud.messages(events) == HELD
    assert clinic.work(clinic.worker("c1", pools=["cpu"])) == 1
    assert (cloud.messages(events), cloud.messages(gpu_url)) == (HELD, ONE)
    clinic.take()  # this pool is done with the job, which goes on in the other
    assert cloud.messages(events) == NONE

    gpu.intake.step("default")
    assert cloud.messages(gpu_url) == HELD
    assert clinic.work(clinic.worker("g1", pools=["gpu"], ledger=gpu.ledger)) == 1
    gpu.intake.step("default")
    assert cloud.messages(gpu_url) == NONE
    assert gpu.intake.settle("default") == 1  # the machine that ended the job tidies up, whose ever the pool
    assert clinic.job().state is JobState.SUCCEEDED
    gpu.close()


def test_a_job_that_a_person_sends_again_wakes_its_pool(
    clinic_of: Callable[..., Clinic], cloud: Cloud
) -> None:
    bucket = cloud.bucket()
    queue = cloud.queue()
    clinic = clinic_of(store_url=f"s3://{bucket}")
    with clinic.configuration.open("a") as file:
        file.write(f'[queue]\nurl = "{queue}"\n')
    clinic.restart()
    arrival = clinic.ledger.add_arrival(make_arrival(tenant="default"))
    job, _ = clinic.ledger.enqueue(make_job(arrival))
    assert clinic.type("job", "cancel", job.id, "--yes").code == 0
    cloud.client("sqs").purge_queue(QueueUrl=queue)
    again = clinic.type("job", "retry", job.id)
    assert again.code == 0, again.err
    assert cloud.messages(queue) == ONE

    clinic.type("job", "cancel", job.id, "--yes")
    cloud.client("sqs").delete_queue(QueueUrl=queue)
    again = clinic.type("job", "retry", job.id)
    assert again.code == 0
    assert "pool default was not told" in again.err
    assert clinic.job().state is JobState.QUEUED


@pytest.mark.slow
def test_a_hint_wakes_a_worker_that_sleeps_until_its_next_look(
    clinic_of: Callable[..., Clinic], cloud: Cloud, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\necho done > "$2/done.txt"\n')
    program.chmod(0o755)
    bucket = cloud.bucket()
    events = cloud.queue(announces=bucket)
    clinic = clinic_of(store_url=f"s3://{bucket}", pipelines=PASS_ON.format(program=program))
    slow = clinic.configuration.read_text().replace("backoff_s = 0", "backoff_s = 0\npoll_s = 300")
    clinic.configuration.write_text(f'{slow}\n[queue]\nurl = "{events}"\n')
    study = sorted(nothing_bundle.write_study(tmp_path / "study", seed="woken").iterdir())
    archive = zipped(study, tmp_path / "study.zip")
    command = [sys.executable, "-m", "bedside", "serve", "-c", str(clinic.configuration)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stderr is not None
            until = time.monotonic() + 60
            while "action=worker.ready" not in serving.stderr.readline():
                assert time.monotonic() < until
            time.sleep(2)  # the worker has looked, found nothing, and sleeps for five minutes
            S3BlobStore(Bucket(name=bucket), "default").put("input/study.zip", archive.read_bytes())
            while not (jobs := clinic.jobs()) or jobs[0].state is not JobState.SUCCEEDED:
                assert time.monotonic() < until
                time.sleep(0.1)
        finally:
            serving.terminate()
            serving.wait(40)
