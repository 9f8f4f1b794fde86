"""podman takes a layout from any temporary folder."""

from pathlib import Path

import pytest

from bedside.adapters.containers.podman import Podman
from bedside.oci.layout import OciLayout
from bedside.oci.open import read_container_image
from engines import PROGRAMS, running_engine
from map_samples import tiny_map


@pytest.mark.needs(*PROGRAMS["podman"])
def test_a_folder_whose_name_is_no_reference_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "Upper_" / "x_"
    odd.mkdir(parents=True)
    layout = OciLayout(tmp_path / "layout")
    image = read_container_image(layout, layout.add(tiny_map(tmp_path), tag="1"))
    with running_engine("podman") as (engine, _):
        monkeypatch.setattr("tempfile.tempdir", str(odd))
        assert engine.bring(image).digest == image.descriptor.digest


@pytest.mark.needs(*PROGRAMS["podman"])
def test_what_was_read_once_is_not_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = OciLayout(tmp_path / "layout")
    image = read_container_image(layout, layout.add(tiny_map(tmp_path), tag="1"))
    wanted = ["/etc/holoscan/app.json", "/etc/holoscan/gone.json"]
    with running_engine("podman") as (engine, environment):
        held = engine.bring(image)
        found = engine.read(held, wanted)
        assert list(found) == wanted[:1]
        asked: list[object] = []
        another = Podman(engine._program, environment)
        monkeypatch.setattr(another, "_call", lambda *arguments, **_: asked.append(arguments))
        assert another.read(held, wanted) == found
        assert not asked
        for kept in (Path(environment["BEDSIDE_CACHE"]) / "read").iterdir():
            kept.write_text("damaged")
        assert engine.read(held, wanted) == found
