"""Layout folders and tars: what is added is found again, by others' programs too, whole or not at all."""

import json
import os
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from bedside.errors import ConfigError, NotFound, UsageError
from bedside.oci.archive import docker_reads, write_archive
from bedside.oci.cache import LayerCache
from bedside.oci.compress import Compression
from bedside.oci.descriptor import Platform
from bedside.oci.layout import OciLayout, open_layout
from bedside.oci.manifest import artifact, index
from bedside.oci.open import open_place, read_container_image, split_place
from map_samples import TINY_FILES, tiny_map


@pytest.fixture
def layout(tmp_path: Path) -> OciLayout:
    return OciLayout(tmp_path / "layout")


def test_what_is_added_is_found_by_tag_and_digest(tmp_path: Path, layout: OciLayout) -> None:
    first, second = tiny_map(tmp_path, model=b"1"), tiny_map(tmp_path, model=b"2")
    layout.add(first, tag="v1")
    assert layout.resolve().digest == first.descriptor.digest
    layout.add(second, tag="v2")
    layout.add(second, tag="latest")
    assert {tag: one.digest for tag, one in layout.tags().items()} == {
        "v1": first.descriptor.digest,
        "v2": second.descriptor.digest,
        "latest": second.descriptor.digest,
    }
    assert layout.resolve(first.descriptor.digest).digest == first.descriptor.digest
    assert layout.verify() == []
    with pytest.raises(UsageError, match="holds 2 container images"):
        layout.resolve()
    with pytest.raises(NotFound, match="no tag v3; there: latest, v1, v2"):
        layout.resolve("v3")
    with pytest.raises(NotFound, match="no manifest sha256:00"):
        layout.resolve("sha256:00")
    back = layout.assembled(layout.resolve("v1"))
    assert (back.manifest, [p.descriptor for p in back.parts]) == (
        first.manifest,
        [p.descriptor for p in first.parts],
    )


def test_tag_moves_and_prune_takes_what_nothing_names(tmp_path: Path, layout: OciLayout) -> None:
    first, second = tiny_map(tmp_path, model=b"1"), tiny_map(tmp_path, model=b"2")
    layout.add(first, tag="v1")
    layout.add(second, tag="v1")
    assert layout.resolve("v1").digest == second.descriptor.digest
    assert layout.prune() > 0
    assert not layout.blob(first.descriptor.digest).exists()
    assert layout.verify() == []
    layout.remove("v1")
    with pytest.raises(NotFound):
        layout.remove("v1")
    layout.prune()
    assert list((layout.root / "blobs" / "sha256").iterdir()) == []


def test_index_is_taken_in_with_its_members(tmp_path: Path, layout: OciLayout) -> None:
    members = [tiny_map(tmp_path, architecture=one) for one in ("amd64", "arm64")]
    layout.add(index(members), tag="both")
    assert layout.verify() == []
    arm = read_container_image(layout, layout.resolve("both"), platform=Platform(architecture="arm64"))
    assert arm.config["architecture"] == "arm64"
    assert layout.resolve(members[1].descriptor.digest).digest == members[1].descriptor.digest
    with pytest.raises(NotFound, match="not for linux/riscv64; it is for linux/amd64, linux/arm64"):
        layout.member(layout.resolve("both"), Platform(architecture="riscv64"))


def test_damage_is_found(tmp_path: Path, layout: OciLayout) -> None:
    made = tiny_map(tmp_path)
    layout.add(made, tag="v1")
    layer, config = made.parts[1], made.parts[0]
    for part, content in ((layer, b"no"), (config, None)):
        layout.blob(part.descriptor.digest).unlink()
        if content:
            layout.blob(part.descriptor.digest).write_bytes(content)
    assert sorted(layout.verify()) == sorted(
        [f"{config.descriptor.digest} is missing", f"{layer.descriptor.digest} is damaged"]
    )


def test_damaged_part_is_not_taken_in_and_nothing_is_named(tmp_path: Path, layout: OciLayout) -> None:
    made = tiny_map(tmp_path)
    broken = made.parts[-1].path
    size = broken.stat().st_size
    broken.unlink()
    broken.write_bytes(b"\0" * size)
    with pytest.raises(ConfigError, match="is not the blob sha256:"):
        layout.add(made, tag="v1")
    assert layout.tags() == {}
    with pytest.raises(ConfigError, match="is not the blob sha256:"):
        write_archive(made, tmp_path / "x.tar", name="tiny:v1")
    assert not (tmp_path / "x.tar").exists()


def test_folder_that_is_no_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no OCI layout"):
        open_layout(tmp_path)
    with pytest.raises(NotFound, match="no such folder"):
        open_layout(tmp_path / "gone")


def test_many_processes_add_at_once(tmp_path: Path, layout: OciLayout) -> None:
    script = """
import sys
from pathlib import Path
from bedside.oci.layout import OciLayout
from map_samples import tiny_map
root, number = Path(sys.argv[1]), sys.argv[2]
OciLayout(root / "layout").add(tiny_map(root, model=number.encode()), tag=f"v{number}")
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path), str(n)], env=environment)
        for n in range(6)
    ]
    assert [process.wait() for process in running] == [0] * 6
    assert sorted(layout.tags()) == [f"v{n}" for n in range(6)]
    assert layout.verify() == []


def files(layout: OciLayout, image: object) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for layer in image.layers:  # type: ignore[attr-defined]
        with image.tar(layer) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:  # type: ignore[attr-defined]
            for member in archive:
                if member.isfile():
                    found[member.name] = archive.extractfile(member).read()
    return found


@pytest.mark.parametrize("compression", list(Compression))
def test_every_form_is_read_back(tmp_path: Path, layout: OciLayout, compression: Compression) -> None:
    made = tiny_map(tmp_path, compression=compression, model=b"m")
    layout.add(made, tag="v1")
    write_archive(made, tmp_path / "x.tar", name="tiny:v1")
    for place in (layout.root, tmp_path / "x.tar"):
        scratch = OciLayout(tmp_path / f"scratch-{place.name}")
        where, found = open_place(place, scratch)
        assert found.digest == made.descriptor.digest
        image = read_container_image(where, found)
        assert [layer.comment for layer in image.layers] == ["files", "model"]
        content = files(where, image)
        assert {path: content[path] for path in TINY_FILES} == dict(TINY_FILES)
        assert content["opt/holoscan/models/upper/model.ts"] == b"m"


def test_tar_of_docker_save_without_a_manifest_is_read(tmp_path: Path, layout: OciLayout) -> None:
    """As docker before version 25 writes it: layers as plain tars, equal ones as links."""
    made = tiny_map(tmp_path, compression=Compression.NONE)
    config = made.parts[0]
    names = []
    with tarfile.open(tmp_path / "saved.tar", "w") as archive:
        archive.add(config.path, f"{config.descriptor.hex}.json")
        for number, layer in enumerate(made.parts[1:]):
            archive.add(layer.path, f"{number}/layer.tar")
            names.append(f"{number}/layer.tar")
        saved = [{"Config": f"{config.descriptor.hex}.json", "RepoTags": ["tiny:v1"], "Layers": names}]
        (tmp_path / "manifest.json").write_text(json.dumps(saved))
        archive.add(tmp_path / "manifest.json", "manifest.json")
    for reference in ("", "v1", "tiny:v1"):
        where, found = open_place(tmp_path / "saved.tar", layout, reference=reference)
        image = read_container_image(where, found)
        assert image.config == json.loads(config.path.read_bytes())
        assert [layer.part.descriptor.digest for layer in image.layers] == [
            layer.diff_id for layer in image.layers
        ]
    with pytest.raises(ConfigError, match="0 container images fit"):
        open_place(tmp_path / "saved.tar", layout, reference="v2")


@pytest.mark.parametrize("content", [b"", b"no tar at all"])
def test_file_that_is_no_tar_is_refused(tmp_path: Path, layout: OciLayout, content: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(ConfigError, match=r"no tar of a container image"):
        open_place(tmp_path / "x.tar", layout)


def test_damaged_blob_in_a_tar_is_refused(tmp_path: Path, layout: OciLayout) -> None:
    made = tiny_map(tmp_path)
    write_archive(made, tmp_path / "x.tar", name="tiny:v1")
    data = (tmp_path / "x.tar").read_bytes()
    blob = made.parts[1].path.read_bytes()
    (tmp_path / "x.tar").write_bytes(data.replace(blob, bytes(len(blob))))
    with pytest.raises(ConfigError, match="it is damaged"):
        open_place(tmp_path / "x.tar", layout)
    assert layout.descriptors() == []


def test_artifacts_lie_beside_without_a_name(tmp_path: Path, layout: OciLayout) -> None:
    made = tiny_map(tmp_path)
    cache = LayerCache(tmp_path / "cache")
    sbom = artifact("application/spdx+json", [cache.add(b"1", "a/b")], cache=cache, subject=made.descriptor)
    layout.add(made, tag="v1")
    layout.add(sbom)
    layout.add(sbom)
    assert layout.resolve().digest == made.descriptor.digest
    assert [one.artifact_type for one in layout.descriptors()] == ["", "application/spdx+json"]
    layout.prune()
    assert layout.verify() == []
    write_archive(made, tmp_path / "x.tar", name="tiny:v1", attached=(sbom,))
    where, found = open_place(tmp_path / "x.tar", OciLayout(tmp_path / "other"))
    assert found.digest == made.descriptor.digest
    assert [one.artifact_type for one in where.descriptors()] == ["", "application/spdx+json"]


def test_places_with_tags_and_digests(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "with:colon").mkdir()
    assert split_place(f"{tmp_path}/x") == (tmp_path / "x", "")
    assert split_place(f"{tmp_path}/x:v1") == (tmp_path / "x", "v1")
    assert split_place(f"{tmp_path}/x@sha256:00") == (tmp_path / "x", "sha256:00")
    assert split_place(f"{tmp_path}/with:colon") == (tmp_path / "with:colon", "")
    assert split_place(f"{tmp_path}/gone:v1") == (tmp_path / "gone:v1", "")


def test_old_docker_is_told_from_new(tmp_path: Path) -> None:
    assert docker_reads(tiny_map(tmp_path))
    assert not docker_reads(tiny_map(tmp_path, compression=Compression.ZSTD))


def test_same_container_image_same_tar(tmp_path: Path) -> None:
    made = tiny_map(tmp_path)
    for name in ("a", "b"):
        write_archive(replace(made), tmp_path / name, name="tiny:v1")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
