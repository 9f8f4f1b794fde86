"""What every `ModelRunner` keeps, with real processes: a do-nothing MONAI bundle and small programs."""

import inspect
import itertools
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import foreign_map
import nothing_bundle
from bedside.adapters.containers import ContainerOptions, ContainerRunner, Limits
from bedside.adapters.process import ChildOptions, ChildRunner, CommandRunner
from bedside.domain.pipeline import Pipeline, Stage, StageKind
from bedside.domain.request import RunRequest
from bedside.errors import BedsideError, Cancelled, InputRejected, ModelFailed, OutOfMemory
from bedside.oci.layout import open_layout
from bedside.oci.open import read_container_image
from bedside.ports import ModelRunner, Outcome, Task
from bedside.worker.runners import StageRunners
from engines import PROGRAMS, running_engine

#: Engines, and what runs in them: warm MAPs that speak the protocol, and others' of both generations.
CONTAINERS = (("podman", "warm"), ("docker", "monai"), ("runc", "holoscan"), ("none", "warm"))
SLOW_CONTAINERS = (("podman", "holoscan"), ("docker", "warm"), ("runc", "warm"), ("none", "monai"))

#: Given to the runner as the worker's environment: a child sees none of the last five.
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "AWS_SECRET_ACCESS_KEY": "credential",
    "BEDSIDE_LEDGER_URL": "postgresql://user:credential@host/db",
    "CUDA_TOKEN": "credential",
    "HOME": "/home/credential",
    "MY_PASSWORD": "credential",
}


@dataclass
class Bench:
    """A runner, and a stage of one kind that behaves as its study says."""

    runner: ModelRunner
    stage: Callable[[str], Stage]
    folder: Path
    scratch: Path
    pids: Callable[[], list[int]]
    contained: bool = False

    def task(self, behaviour: str, **changes: object) -> Task:
        stage = replace(self.stage(behaviour), **changes)  # type: ignore[arg-type]
        study = self.folder / behaviour
        if not study.exists():
            nothing_bundle.write_study(study, behaviour=behaviour)
        return Task(
            stage=stage,
            pipeline=Pipeline(name="p", stages=(stage,)),
            request=RunRequest(
                job_identity="j",
                arrival_id="a",
                release=stage.release,
                release_name="nothing",
                release_version="1",
                content_at=datetime(2026, 3, 1, tzinfo=UTC),
                outputs=("seg",),
            ),
            input=study,
            output=Path(tempfile.mkdtemp(prefix="output-", dir=self.folder)),
        )

    def run(self, behaviour: str, **changes: object) -> Outcome:
        return self.runner.run(self.task(behaviour, **changes), lambda doing, fraction: None)


def processes_of(folder: Path) -> list[int]:
    """Return the processes that work in a folder: children run in their private home."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(folder):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def processes_marked(mark: str) -> list[int]:
    """Return the processes that have a mark in their environment: those in containers."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@contextmanager
def processes(folder: Path, kind: str) -> Iterator[Bench]:
    """Give a bench of child processes."""
    scratch = folder / "scratch"
    bundle = nothing_bundle.write_bundle(folder / "bundle")
    program = folder / "program.py"
    program.write_text(f"#!{sys.executable}\n{nothing_bundle.PROGRAM}")
    program.chmod(0o755)
    bundles = ChildRunner(
        bundles=lambda _digest: bundle,
        scratch=scratch,
        environment=ENVIRONMENT,
        options=ChildOptions(device="cpu", threads=1),
    )
    commands = CommandRunner(scratch=scratch, environment=ENVIRONMENT)
    runner = StageRunners({StageKind.BUNDLE: lambda: bundles, StageKind.COMMAND: lambda: commands})

    def bundle_stage(_behaviour: str) -> Stage:
        return Stage(name="infer", kind=StageKind.BUNDLE, release=nothing_bundle.digest(bundle))

    def command_stage(behaviour: str) -> Stage:
        command = (str(program), behaviour, "{input}", "{output}")
        return Stage(name="prepare", kind=StageKind.COMMAND, command=command)

    yield Bench(
        runner=runner,
        stage=bundle_stage if kind == "bundle" else command_stage,
        folder=folder,
        scratch=scratch,
        pids=lambda: processes_of(scratch),
    )
    runner.close()


@contextmanager
def containers(folder: Path, name: str, kind: str) -> Iterator[Bench]:
    """Give a bench of containers: warm ones that speak the protocol, or others' MAPs, one for each run."""
    mark = f"bedside_{os.urandom(6).hex()}"
    if kind == "warm":
        written = foreign_map.write_bedside_map(folder / "map")
    else:
        written = foreign_map.write_map(folder / "map", kind)
    layout = open_layout(written.path)
    with running_engine(name) as (engine, environment):
        runner = ContainerRunner(
            maps=lambda digest: read_container_image(layout, layout.resolve(digest)),
            engine=engine,
            scratch=folder / "scratch",
            environment={**ENVIRONMENT, **environment, "LC_MEASUREMENT": mark},
            options=ContainerOptions(
                child=ChildOptions(device="cpu", threads=1), limits=Limits(memory_bytes=512 * 2**20)
            ),
        )
        yield Bench(
            runner=runner,
            stage=lambda _: Stage(name="infer", kind=StageKind.MAP, release=written.digest),
            folder=folder,
            scratch=folder / "scratch",
            pids=lambda: processes_marked(mark),
            contained=True,
        )
        runner.close()
        assert processes_marked(mark) == []


@pytest.fixture(
    scope="module",
    params=[
        "bundle",
        "command",
        *(
            pytest.param(f"{name} {kind}", marks=pytest.mark.needs(*PROGRAMS[name]))
            for name, kind in CONTAINERS
        ),
        *(
            pytest.param(f"{name} {kind}", marks=[pytest.mark.slow, pytest.mark.needs(*PROGRAMS[name])])
            for name, kind in SLOW_CONTAINERS
        ),
    ],
)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("runner")
    first, _, second = request.param.partition(" ")
    with containers(folder, first, second) if second else processes(folder, first) as made:
        yield made
    assert processes_of(made.scratch) == []
    assert list(made.scratch.iterdir()) == []


@pytest.mark.parametrize("adapter", [StageRunners, ChildRunner, CommandRunner, ContainerRunner])
def test_signatures_are_the_ports(adapter: type) -> None:
    for name in ("run", "close"):
        assert inspect.signature(getattr(adapter, name)) == inspect.signature(getattr(ModelRunner, name))


def test_a_stage_runs_and_reports(bench: Bench) -> None:
    task = bench.task("works")
    said: list[tuple[str, float]] = []
    outcome = bench.runner.run(task, lambda doing, fraction: said.append((doing, fraction)))
    written = [path for path in task.output.rglob("*") if path.is_file()]
    assert written and all(path.stat().st_size for path in written)
    assert "run" in outcome.timings_s
    assert all(0 <= fraction <= 1 for _, fraction in said)


def test_the_environment_holds_no_credentials(bench: Bench) -> None:
    bench.run("needs_clean_environment")


def test_a_refused_input_is_input_rejected(bench: Bench) -> None:
    with pytest.raises(InputRejected) as refused:
        bench.run("rejects")
    assert refused.value.message
    bench.run("works")


def test_a_failing_model_is_model_failed_without_its_text(bench: Bench) -> None:
    with pytest.raises(ModelFailed) as failed:
        bench.run("fails")
    assert "Doe^Jane" not in failed.value.message
    assert "ValueError" in failed.value.message
    bench.run("works")


@pytest.mark.parametrize(
    ("sign", "error", "says"),
    [
        (signal.SIGKILL, OutOfMemory, "SIGKILL, most likely by the kernel for lack of memory"),
        (signal.SIGSEGV, ModelFailed, "ended by SIGSEGV"),
    ],
)
def test_a_child_that_dies_costs_one_run(
    bench: Bench, sign: signal.Signals, error: type[BedsideError], says: str
) -> None:
    def kill(doing: str, fraction: float) -> None:
        for pid in bench.pids():
            os.kill(pid, sign)

    if bench.contained and sign is not signal.SIGKILL:
        pytest.skip("the kernel keeps other signals from a container's first process")

    with pytest.raises(error, match=says):
        bench.runner.run(bench.task("sleeps"), kill)
    bench.run("works")


def test_a_run_that_takes_too_long_is_ended(bench: Bench) -> None:
    begun = time.monotonic()
    with pytest.raises(ModelFailed, match=r"not done after 1\.5 s"):
        bench.run("sleeps", timeout_s=1.5)
    assert time.monotonic() - begun < 20


def test_an_exit_status_is_told(bench: Bench) -> None:
    with pytest.raises(ModelFailed, match="exit status 9"):
        bench.run("dies")


def test_the_caller_is_called_all_the_time_and_can_cancel(bench: Bench) -> None:
    calls: list[float] = []

    def cancels(doing: str, fraction: float) -> None:
        calls.append(time.monotonic())
        if calls[-1] - calls[0] > 2:
            raise Cancelled("a person asked")

    task = bench.task("sleeps")
    with pytest.raises(Cancelled, match="a person asked"):
        bench.runner.run(task, cancels)
    assert max(later - earlier for earlier, later in itertools.pairwise(calls)) < 2
    before = sorted(task.output.rglob("*"))
    time.sleep(1.0)
    assert sorted(task.output.rglob("*")) == before


def test_what_a_child_prints_corrupts_nothing(bench: Bench) -> None:
    bench.run("prints")


def test_the_study_stays_as_it_was(bench: Bench) -> None:
    study = bench.task("works").input
    before = {path: path.read_bytes() for path in study.iterdir()}
    bench.run("works")
    assert {path: path.read_bytes() for path in study.iterdir()} == before
