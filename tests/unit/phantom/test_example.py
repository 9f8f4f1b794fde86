"""The example bundle is found, whole and small enough to ship."""

import json

from bedside.phantom import example_bundle


def test_the_bundle_is_found_and_whole():
    folder = example_bundle()
    for name in (
        "configs/metadata.json",
        "configs/inference.json",
        "configs/train.json",
        "configs/logging.conf",
    ):
        assert (folder / name).is_file(), name
    assert "Apache License" in (folder / "LICENSE").read_text()
    assert "not for patients" in (folder / "docs" / "README.md").read_text().lower()
    assert (folder / "models" / "model.pt").stat().st_size < 4_000_000


def test_the_metadata_says_what_the_model_reads_and_finds():
    metadata = json.loads((example_bundle() / "configs" / "metadata.json").read_text())
    formats = metadata["network_data_format"]
    assert formats["inputs"]["image"]["modality"] == "CT"
    assert formats["outputs"]["pred"]["channel_def"] == {"0": "background", "1": "spleen"}
    assert metadata["version"] in metadata["changelog"]
