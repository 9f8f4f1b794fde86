"""What a job costs around its model: milliseconds from lease to result, models that do nothing.

Run ``python bench/overhead.py [--jobs 50] [--slices 100] [--json]``. A real SQLite ledger and a real
store in a folder (``--folder``), one worker in this process. Three runners: one that returns at once, a
warm child with a bundle that does nothing, and a program that does nothing. Of the child, what it says
it spent on reading, running and writing is taken off: the rest is queue, pipe and delivery.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import nothing_bundle
from bedside.config import Settings
from bedside.dicom.identify import identify
from bedside.domain.arrival import Arrival, ArrivalKind, StoredFile, arrival_id
from bedside.domain.identity import short_id
from bedside.domain.job import Job, JobState, job_id, job_identity
from bedside.domain.pipeline import Pipeline
from bedside.ports import JobFilter, ModelRunner, Outcome, Progress, Task
from bedside.wiring import Deployment, open_deployment, worker_name
from bedside.worker.loop import Parts, Worker, WorkerOptions
from bedside.worker.stop import Stop
from bedside.worker.unpack import hash_file

#: What a job may cost around its model.
GOAL_MS = 20.0


@dataclass(frozen=True)
class Figures:
    """Milliseconds per job.

    Attributes:
        name: Of the runner.
        whole: From lease to result, median.
        inside: Of it, what the model's process spent on reading, running and writing, median.
        overhead: The rest, median.
        worst: The rest, 95th percentile.
        cpu: CPU time of the worker's process, mean: what a busy machine cannot inflate.
    """

    name: str
    whole: float
    inside: float
    overhead: float
    worst: float
    cpu: float


class Nothing:
    """Runs nothing at all."""

    def run(self, task: Task, progress: Progress) -> Outcome:
        progress("nothing", 1.0)
        (task.output / "mask.bin").write_bytes(b"mask")
        return Outcome(report={}, timings_s={})

    def close(self) -> None:
        pass


class Timed:
    """Notes how long the model's process said it worked."""

    def __init__(self, runner: ModelRunner) -> None:
        self._runner = runner
        self.inside: list[float] = []

    def run(self, task: Task, progress: Progress) -> Outcome:
        outcome = self._runner.run(task, progress)
        steps = ("load", "scan", "read", "run", "write")
        self.inside.append(sum(outcome.timings_s.get(step, 0.0) for step in steps))
        return outcome

    def close(self) -> None:
        self._runner.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=50)
    parser.add_argument("--slices", type=int, default=100)
    parser.add_argument("--size", type=int, default=64, help="rows and columns of a slice")
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = []
    for name in ("nothing", "warm child", "program"):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder, deployed(Path(folder)) as deployment:
            stored = store_study(deployment, Path(folder), options.slices, options.size)
            pipeline = deployment.pipelines["program" if name == "program" else "child"]
            runner: ModelRunner = Nothing() if name == "nothing" else deployment.runner(deployment.scratch)
            figures.append(measure(deployment, name, pipeline, runner, stored, options.jobs))
    if options.json:
        print(json.dumps([vars(figure) for figure in figures], indent=2))
        return
    print("| runner | job, whole | model's process | overhead | overhead, 95th percentile | worker's CPU |")
    print("|---|---|---|---|---|---|")
    for f in figures:
        cells = (f.whole, f.inside, f.overhead, f.worst, f.cpu)
        print(f"| {f.name} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |")
    print(f"\nMedian ms of {options.jobs} jobs of {options.slices} slices; the goal is {GOAL_MS:g} ms.")


@contextmanager
def deployed(folder: Path) -> Iterator[Deployment]:
    bundle = nothing_bundle.write_bundle(folder / "bundle")
    settings = Settings.model_validate(
        {
            "system": {"root": folder / "data"},
            "worker": {"device": "cpu"},
            "pipeline": [
                {"name": "child", "bundle": bundle, "outputs": ["seg"]},
                {"name": "program", "command": ["true"]},
            ],
        }
    )
    deployment = open_deployment(settings)
    yield deployment
    deployment.close()


def store_study(deployment: Deployment, folder: Path, slices: int, size: int) -> tuple[StoredFile, ...]:
    """Put a study into the store as intake does."""
    study = nothing_bundle.write_study(folder / "study", slices=slices, size=size)
    store = deployment.blobs.tenant("default")
    stored = {}
    for path in study.iterdir():
        found, hashed = identify(path), hash_file(path)
        assert found is not None
        file = StoredFile(
            sop_instance_uid=found.sop_instance_uid, sha256=hashed.sha256, size_bytes=hashed.size_bytes
        )
        stored[file.key] = (file, path)
    store.put_files({key: path for key, (_, path) in stored.items()})
    return tuple(sorted(file for file, _ in stored.values()))


def measure(
    deployment: Deployment,
    name: str,
    pipeline: Pipeline,
    runner: ModelRunner,
    files: tuple[StoredFile, ...],
    count: int,
) -> Figures:
    timed = Timed(runner)
    worker = Worker(
        Parts(
            ledger=deployment.ledger,
            blobs=deployment.blobs,
            runner=timed,
            releases=deployment.releases,
            clock=deployment.clock,
        ),
        WorkerOptions(name=worker_name(), pools=("default",), scratch=deployment.scratch / "w"),
        Stop(grace_s=0),
    )
    whole, cpu = [], []
    for number in range(count + 1):
        enqueue(deployment, pipeline, files, number)
        begun, worked = time.perf_counter(), time.process_time()
        assert worker.step()
        whole.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - worked)
    timed.close()
    done = deployment.ledger.jobs(
        "default", JobFilter(states=frozenset({JobState.SUCCEEDED})), limit=count + 2
    )
    assert len(done) == count + 1, f"{name}: {len(done)} of {count + 1} jobs succeeded"
    spent = list(zip(whole[1:], timed.inside[1:], strict=True))  # the first one starts the child
    rest = [(one - inside) * 1000 for one, inside in spent]
    return Figures(
        name=name,
        whole=milliseconds([one for one, _ in spent]),
        inside=milliseconds([inside for _, inside in spent]),
        overhead=statistics.median(rest),
        worst=statistics.quantiles(rest, n=20)[-1],
        cpu=statistics.mean(cpu[1:]) * 1000,
    )


def milliseconds(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1000


def enqueue(deployment: Deployment, pipeline: Pipeline, files: tuple[StoredFile, ...], number: int) -> None:
    """Queue a job of its own on the stored files, under an arrival of its own."""
    now = datetime.now(UTC)
    arrival = deployment.ledger.add_arrival(
        Arrival(
            tenant="default",
            id=short_id([arrival_id(files), number]),
            kind=ArrivalKind.DICOM,
            subject=f"1.2.{number}",
            version=0,
            files=files,
            received_at=now,
        )
    )
    identity = job_identity(tenant="default", arrival_id=arrival.id, pipeline=pipeline)
    deployment.ledger.enqueue(
        Job(
            tenant="default",
            id=job_id(identity, 0),
            identity=identity,
            run=0,
            arrival_id=arrival.id,
            subject=arrival.subject,
            arrival_version=1,
            pipeline=pipeline,
            rule="all",
            not_before=now,
            created_at=now,
        )
    )


if __name__ == "__main__":
    main()
