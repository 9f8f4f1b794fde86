"""The golden case of a real MAP, replayed in every engine: the same label map, voxel for voxel."""

from pathlib import Path

import pytest

import map_samples
from bedside.adapters.containers import ContainerOptions, ContainerRunner
from bedside.domain.pipeline import Stage, StageKind
from bedside.oci.layout import open_layout
from bedside.oci.open import ContainerImage, read_container_image
from bedside.package.replay import golden_of, replay
from bedside.phantom.example import example_bundle
from engines import PROGRAMS, running_engine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> ContainerImage:
    place = tmp_path_factory.mktemp("proved") / "map"
    done = map_samples.package(example_bundle(), "-o", place)
    assert done.returncode == 0, done.stderr
    layout = open_layout(place)
    return read_container_image(layout, layout.resolve())


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.needs(*programs)) for name, programs in PROGRAMS.items()]
)
def test_each_engine_finds_what_was_found_at_packaging(
    name: str, image: ContainerImage, tmp_path: Path
) -> None:
    golden = golden_of(image, tmp_path / "golden")
    assert golden.voxels > 10_000
    with running_engine(name) as (engine, environment):
        runner = ContainerRunner(
            maps=lambda _digest: image,
            engine=engine,
            scratch=tmp_path / "containers",
            environment=environment,
            options=ContainerOptions(),
        )
        stage = Stage(name="verify", kind=StageKind.MAP, release=image.descriptor.digest)
        work = tmp_path / "replay"
        work.mkdir()
        try:
            verdict = replay(golden, runner, stage, scratch=work, progress=lambda _doing, _fraction: None)
        finally:
            runner.close()
    assert verdict.problems == ()
    assert verdict.same_input
    assert [one.differing for one in verdict.agreements] == [0]
