"""One attempt at one stage: its input brought together, its request written, the runner called.

Owns the layout of a stage's input folder: the arrival's files at its top, named by content, and
from the second stage on the output of the stage before under ``stages/<name>/``. Whoever runs the
stage may only read it; most stores give hard links.
"""

from dataclasses import replace
from pathlib import Path
from time import perf_counter

from bedside.domain.arrival import Arrival
from bedside.domain.figures import FETCH
from bedside.domain.job import Job
from bedside.domain.pipeline import Stage, StageKind
from bedside.domain.request import RunRequest, request_settings
from bedside.errors import NotFound, Unavailable
from bedside.ports import BlobStore, Ledger, ModelRunner, Outcome, Task
from bedside.worker.abreast import abreast
from bedside.worker.deliver import STAGE_FILE, stage_prefix
from bedside.worker.heartbeat import Heartbeat
from bedside.worker.releases import Releases

#: Where the output of the stage before lies in the input folder.
STAGES_FOLDER = "stages"


def execute(
    job: Job,
    *,
    folder: Path,
    ledger: Ledger,
    blobs: BlobStore,
    runner: ModelRunner,
    releases: Releases,
    heartbeat: Heartbeat,
) -> tuple[RunRequest, Outcome]:
    """Run the stage a job is at; return what was asked and what came of it, its times with the fetching.

    Args:
        job: Leased by the caller.
        folder: Private to this attempt; ``input`` and ``output`` are made in it.
        ledger: Knows the arrival.
        blobs: The tenant's store.
        runner: Runs the stage.
        releases: Knows the model's name.
        heartbeat: Called all along.
    """
    arrival = ledger.arrival(job.tenant, job.arrival_id)
    task = Task(
        stage=job.stage,
        pipeline=job.pipeline,
        request=request_of(job, arrival, releases),
        input=folder / "input",
        output=folder / "output",
    )
    task.input.mkdir(parents=True)
    task.output.mkdir()
    began = perf_counter()
    _bring(job, arrival, blobs, task.input, heartbeat)
    fetched_s = round(perf_counter() - began, 4)
    outcome = runner.run(task, heartbeat.beat)
    return task.request, replace(outcome, timings_s={FETCH: fetched_s, **outcome.timings_s})


def request_of(job: Job, arrival: Arrival, releases: Releases) -> RunRequest:
    """Return what a job's stage is asked to do. Its date is the arrival's, so a re-run writes the same."""
    stage = job.stage
    name, version = _named(stage, job, releases)
    return RunRequest(
        job_identity=job.identity,
        arrival_id=job.arrival_id,
        release=stage.release,
        release_name=name,
        release_version=version,
        content_at=arrival.received_at,
        **request_settings(stage),
    )


def _named(stage: Stage, job: Job, releases: Releases) -> tuple[str, str]:
    if stage.kind is StageKind.COMMAND:
        return stage.name, job.pipeline.version
    release = releases.find(stage.release)
    return release.name, release.version


def _bring(job: Job, arrival: Arrival, blobs: BlobStore, folder: Path, heartbeat: Heartbeat) -> None:
    """Bring the arrival's files, and the output of the stage before, into the input folder."""
    try:
        wanted = {file.key: folder / f"{file.sha256}{file.suffix}" for file in arrival.files}
        if job.stage_index:
            before = job.pipeline.stages[job.stage_index - 1]
            if blobs.stat(f"{stage_prefix(job, before)}/{STAGE_FILE}") is None:
                raise NotFound(f"job {job.id}: what stage {before.name} left is not in the store")
            prefix = f"{stage_prefix(job, before)}/output/"
            for blob in blobs.list(prefix):
                target = folder / STAGES_FOLDER / before.name / blob.key.removeprefix(prefix)
                target.parent.mkdir(parents=True, exist_ok=True)
                wanted[blob.key] = target
        abreast(lambda pair: blobs.fetch(*pair), wanted.items(), after=lambda: heartbeat.beat("fetch", 0.0))
    except NotFound as missing:
        raise Unavailable(f"job {job.id}: a file of its input is not in the store") from missing
    except OSError as exc:
        raise Unavailable(f"job {job.id}: its input folder cannot be written: {exc.strerror}") from exc
