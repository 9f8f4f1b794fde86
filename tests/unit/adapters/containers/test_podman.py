"""podman takes a layout from any temporary folder."""

from pathlib import Path

import pytest

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
