"""A worker that is killed leaves no container; one that was left all the same is swept away."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import foreign_map
import nothing_bundle
from bedside.adapters.containers import Engine
from bedside.adapters.containers.owner import gone, mark
from engines import PROGRAMS, running_engine

#: A worker process: one runner, one study that takes for ever.
WORKER = """
import os, sys, time
sys.path[:0] = {path!r}
from pathlib import Path
from datetime import UTC, datetime
from bedside.adapters.containers import ContainerOptions, ContainerRunner, choose_engine
from bedside.adapters.containers.docker import Docker
from bedside.adapters.containers.podman import Podman
from bedside.domain.pipeline import Pipeline, Stage, StageKind
from bedside.domain.request import RunRequest
from bedside.oci.layout import open_layout
from bedside.oci.open import read_container_image
from bedside.ports import Task

name, program, layout, folder = {name!r}, {program!r}, open_layout(Path({layout!r})), Path({folder!r})
made = {{"podman": Podman, "docker": Docker}}.get(name)
engine = made(program, os.environ) if made else choose_engine(name, os.environ)
image = read_container_image(layout, layout.resolve())
runner = ContainerRunner(
    maps=lambda _: image, engine=engine, scratch=folder / "scratch", environment=os.environ,
    options=ContainerOptions(),
)
stage = Stage(name="infer", kind=StageKind.MAP, release="r")
request = RunRequest(job_identity="j", arrival_id="a", release="r", release_name="n", release_version="1",
                     content_at=datetime(2026, 3, 1, tzinfo=UTC))
task = Task(stage=stage, pipeline=Pipeline(name="p", stages=(stage,)), request=request,
            input=folder / "study", output=folder / "out")
runner.run(task, lambda doing, fraction: print(doing, flush=True))
"""


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.needs(*needed)) for name, needed in PROGRAMS.items()],
)
def engine(request: pytest.FixtureRequest) -> Iterator[tuple[Engine, dict[str, str]]]:
    with running_engine(request.param) as (made, environment):
        yield made, environment


def contained(word: str) -> list[int]:
    """Return the processes in containers that were started with a mark in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and word.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def until(condition: object, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("kind", ["warm", "monai"])
def test_a_killed_worker_leaves_no_container(
    engine: tuple[Engine, dict[str, str]], tmp_path: Path, kind: str
) -> None:
    written = (
        foreign_map.write_bedside_map(tmp_path / "map")
        if kind == "warm"
        else foreign_map.write_map(tmp_path / "map", kind)
    )
    nothing_bundle.write_study(tmp_path / "study", behaviour="sleeps")
    (tmp_path / "out").mkdir()
    word = f"bedside_{os.urandom(6).hex()}"
    script = WORKER.format(
        path=sys.path,
        name=engine[0].name,
        program=getattr(engine[0], "_program", []),
        layout=str(written.path),
        folder=str(tmp_path),
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**engine[1], "LC_MEASUREMENT": word},
        stdout=subprocess.PIPE,
    )
    try:
        inside = lambda: [pid for pid in contained(word) if pid != worker.pid]  # noqa: E731
        assert until(inside, 60)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        assert until(lambda: not contained(word), 40), contained(word)
    finally:
        worker.kill()
        worker.wait()
    engine[0].sweep()
    listed = getattr(engine[0], "_call", None)
    if engine[0].name in ("podman", "docker") and listed:
        assert until(lambda: not listed(["ps", "--all", "--quiet"]).stdout.strip(), 30)


@pytest.mark.needs("podman", "runc")
def test_a_container_that_was_left_is_swept_and_a_living_workers_is_not(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "from bedside.adapters.containers.owner import mark; print(mark())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    written = foreign_map.write_map(tmp_path / "map")
    with running_engine("podman") as (podman, environment):
        from bedside.oci.layout import open_layout
        from bedside.oci.open import read_container_image

        layout = open_layout(written.path)
        held = podman.bring(read_container_image(layout, layout.resolve()))
        program = podman._program  # type: ignore[attr-defined]
        for owner in (ended, mark(), "nonsense"):
            create = ["create", "--network", "none", "--label", f"org.bedside.owner={owner}", held.id, "/x"]
            subprocess.run([*program, *create], check=True, capture_output=True, env=environment)
        assert podman.sweep() == 1
        assert podman.sweep() == 0


def test_a_mark_tells_a_living_process_from_a_dead_one() -> None:
    mine = mark()
    assert not gone(mine)
    boot, namespace, pid, started = mine.split(":")
    assert gone(f"{boot}:{namespace}:{pid}:{int(started) + 1}"), "the process id has come again"
    assert gone(f"another-boot:{namespace}:{pid}:{started}")
    assert not gone(f"{boot}:{int(namespace) + 1}:999999999:1"), "another namespace cannot be seen from here"
    assert not gone("")
    assert not gone("nonsense")
