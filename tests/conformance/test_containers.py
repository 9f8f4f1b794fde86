"""How tightly containers are held, told by what runs in them; and that their results are the process's."""

import hashlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import foreign_map
import nothing_bundle
from bedside.adapters.containers import ContainerOptions, ContainerRunner, Engine, Limits
from bedside.adapters.process import ChildOptions, ChildRunner
from bedside.domain.pipeline import Pipeline, Stage, StageKind
from bedside.domain.request import RunRequest
from bedside.errors import ConfigError, ModelFailed, OutOfMemory
from bedside.model.bundle import open_bundle
from bedside.oci.layout import open_layout
from bedside.oci.open import ContainerImage, read_container_image
from bedside.phantom import make_phantom, write_study
from bedside.phantom.example import example_bundle
from bedside.ports import ModelRunner, Task
from engines import PROGRAMS, running_engine

MEMORY_BYTES = 256 * 2**20

HELD = {
    "input": "refused",
    "root": "refused",
    "application": "refused",
    "sysctl": "refused",
    "namespace": "refused",
    "tmp": "allowed",
    "home": "allowed",
    "network": "refused",
    "interfaces": ["lo"],
    "capabilities": [0, 0, 0, 0],
    "no_new_privileges": "1",
    "pid": 1,
    "model": "a model",
    "removed": False,
}

#: Takes more memory than it may, a megabyte at a time, all of it touched.
GREEDY = "taken = [b'x' * 2**20 for _ in range(2000)]\nprint(len(taken))\n"


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.needs(*needed)) for name, needed in PROGRAMS.items()],
)
def engine(request: pytest.FixtureRequest) -> Iterator[tuple[Engine, dict[str, str]]]:
    with running_engine(request.param) as (made, environment):
        yield made, environment


def image_of(written: foreign_map.Layout) -> ContainerImage:
    layout = open_layout(written.path)
    return read_container_image(layout, layout.resolve(written.digest))


def runner_of(
    image: ContainerImage, engine: tuple[Engine, dict[str, str]], folder: Path, *, writable: bool = False
) -> ContainerRunner:
    return ContainerRunner(
        maps=lambda _: image,
        engine=engine[0],
        scratch=folder / "scratch",
        environment={**engine[1], "AWS_SECRET_ACCESS_KEY": "credential", "OMP_NUM_THREADS": "1"},
        options=ContainerOptions(limits=Limits(memory_bytes=MEMORY_BYTES), writable=writable),
    )


def task_of(study: Path, output: Path, *, kind: StageKind = StageKind.MAP, release: str = "r") -> Task:
    output.mkdir()
    stage = Stage(name="infer", kind=kind, release=release)
    return Task(
        stage=stage,
        pipeline=Pipeline(name="p", stages=(stage,)),
        request=RunRequest(
            job_identity="j",
            arrival_id="a",
            release="sha256:" + "0" * 64,
            release_name="n",
            release_version="1",
            content_at=datetime(2026, 3, 1, tzinfo=UTC),
        ),
        input=study,
        output=output,
    )


def ran(runner: ModelRunner, task: Task) -> Path:
    try:
        runner.run(task, lambda doing, fraction: None)
    finally:
        runner.close()
    return task.output


@pytest.mark.parametrize("kind", ["warm", "holoscan"])
def test_a_container_can_do_nothing_but_its_work(
    engine: tuple[Engine, dict[str, str]], tmp_path: Path, kind: str
) -> None:
    write = foreign_map.write_bedside_map if kind == "warm" else foreign_map.write_map
    study = nothing_bundle.write_study(tmp_path / "study", behaviour="needs_clean_environment")
    output = ran(
        runner_of(image_of(write(tmp_path / "map")), engine, tmp_path), task_of(study, tmp_path / "out")
    )
    found = json.loads((output / "limits.json").read_text())
    memory = found.pop("memory", "")
    if engine[0].name == "podman":  # its own filter of system calls lets user namespaces pass
        found["namespace"] = "refused"
    assert found == HELD
    assert memory in ("", str(MEMORY_BYTES)) or engine[0].shortfalls()
    written = (output / "limits.json").stat()
    assert (written.st_uid, written.st_gid) == (os.getuid(), os.getgid())
    assert not (study / "new").exists()


def test_memory_is_limited(engine: tuple[Engine, dict[str, str]], tmp_path: Path) -> None:
    study = nothing_bundle.write_study(tmp_path / "study")
    image = image_of(foreign_map.write_map(tmp_path / "map", program=GREEDY))
    with pytest.raises(ModelFailed, match=r"memory|MemoryError") as failed:
        ran(runner_of(image, engine, tmp_path), task_of(study, tmp_path / "out"))
    assert isinstance(failed.value, OutOfMemory) or engine[0].shortfalls()


def test_a_program_that_is_not_there_is_a_wrong_configuration(
    engine: tuple[Engine, dict[str, str]], tmp_path: Path
) -> None:
    study = nothing_bundle.write_study(tmp_path / "study")
    app = json.dumps({**foreign_map.application_manifest("holoscan"), "command": '["absent", "-u"]'})
    more = [foreign_map.File("etc/holoscan/app.json", app.encode())]
    written = foreign_map.write_map(tmp_path / "map", last=more)
    with pytest.raises(ConfigError, match="absent cannot be executed in the container"):
        ran(runner_of(image_of(written), engine, tmp_path), task_of(study, tmp_path / "out"))


def test_a_copy_of_its_files_may_be_written_where_a_person_allows_it(
    engine: tuple[Engine, dict[str, str]], tmp_path: Path
) -> None:
    image = image_of(foreign_map.write_map(tmp_path / "map"))
    study = nothing_bundle.write_study(tmp_path / "study", behaviour="needs_clean_environment")
    for number, writable in enumerate((True, False)):
        runner = runner_of(image, engine, tmp_path, writable=writable)
        output = ran(runner, task_of(study, tmp_path / f"out{number}"))
        found = json.loads((output / "limits.json").read_text())
        assert found["root"] == ("allowed" if writable else "refused")
        assert found["input"] == "refused"
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_container_image_that_is_no_map_is_refused(
    engine: tuple[Engine, dict[str, str]], tmp_path: Path
) -> None:
    files = [foreign_map.File("etc/hostname", b"x"), foreign_map.File("bin/sh", b"x", mode=0o755)]
    written = foreign_map.write_layout(tmp_path / "map", [foreign_map.layer(files)], {"Cmd": ["/bin/sh"]})
    with pytest.raises(ConfigError, match=r"is no MAP, it has neither /etc/holoscan/app\.json nor"):
        runner_of(image_of(written), engine, tmp_path).prepare("r")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_example_in_a_container_gives_the_bytes_of_the_process(
    engine: tuple[Engine, dict[str, str]], tmp_path: Path, example_map: Path
) -> None:
    layout = open_layout(example_map)
    image = read_container_image(layout, layout.resolve())
    study = tmp_path / "study"
    write_study(study, make_phantom(7, shape=(60, 256, 256), spacing_mm=(4.0, 1.6, 1.6)), seed=7)
    bundle = open_bundle(example_bundle())
    process = ChildRunner(
        bundles=lambda _: bundle.path,
        scratch=tmp_path / "process",
        environment=os.environ,
        options=ChildOptions(device="cpu"),
    )
    ran(process, expected := task_of(study, tmp_path / "a", kind=StageKind.BUNDLE, release=bundle.digest))
    runner = ContainerRunner(
        maps=lambda _: image,
        engine=engine[0],
        scratch=tmp_path / "scratch",
        environment={**os.environ, **engine[1]},
        options=ContainerOptions(child=ChildOptions(device="cpu")),
    )
    ran(runner, task := task_of(study, tmp_path / "b", release=image.descriptor.digest))
    assert hashes(task.output) == hashes(expected.output)
    assert "dicom/seg.dcm" in hashes(task.output)


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
