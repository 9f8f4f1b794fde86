"""``bedside package`` as a person types it: the example bundle, with the real base and real wheels."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bedside.oci.layout import OciLayout
from bedside.oci.open import read_container_image
from bedside.package.base.lock import read_debian_lock
from bedside.phantom.example import example_bundle
from map_samples import package
from proof_samples import lambdad, post, write_proof_bundle

#: One host and one index for all platforms; the network of a laptop may be slow.
pytestmark = pytest.mark.timeout(900)


def test_example_is_whole_and_says_what_it_is(example_map: Path) -> None:
    layout = OciLayout(example_map)
    assert layout.verify() == []
    image = read_container_image(layout, layout.resolve("1.0.0"))
    labels = image.config["config"]["Labels"]
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["tag"] == "spleen-ct-segmentation-example:1.0.0"
    types = sorted(one.artifact_type for one in layout.descriptors() if one.artifact_type)
    assert types == ["application/spdx+json", "application/vnd.in-toto+json"]
    size_mb = sum(layer.part.descriptor.size_bytes for layer in image.layers) / 1e6
    assert size_mb <= 250, "zstd; docs/packaging.md says so"


def test_same_digest_again_from_a_shuffled_copy_under_another_tag(example_map: Path, tmp_path: Path) -> None:
    copy = tmp_path / "somewhere" / "else"
    files = sorted(path for path in example_bundle().rglob("*") if path.is_file())
    for path in reversed(files):
        target = copy / path.relative_to(example_bundle())
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        target.chmod(0o600)
    done = package(
        copy, "-o", tmp_path / "x", "--tag", "other", "--no-prove", "--compression", "zstd", "--json"
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["digest"] == OciLayout(example_map).resolve("1.0.0").digest
    assert OciLayout(tmp_path / "x").resolve("other").digest == said["digest"]
    assert not said["proved"]
    assert "was not proved" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["gone", "--no-prove"], 3, "there is no such file or folder"),
        (["BUNDLE", "-o", "FULL", "--no-prove"], 2, "is not empty and no OCI layout"),
        (["BUNDLE", "--platform", "windows/amd64"], 2, "expected linux/amd64, linux/arm64"),
        (["BUNDLE", "--push", "http://x/y:1"], 2, "is no reference to a container image"),
        (["BUNDLE", "--outputs", "seg,film"], 2, "--outputs film"),
        (["BUNDLE", "--golden", "gone"], 2, "--golden gone: no such file or folder"),
        (["BUNDLE", "--push", "127.0.0.1:1/x:1", "--no-prove"], 5, "127.0.0.1:1"),
    ],
)
def test_what_cannot_work_is_said_and_nothing_is_left(
    tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    names = {"BUNDLE": str(example_bundle()), "FULL": str(tmp_path / "full")}
    done = package(*(names.get(word, word) for word in arguments))
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "hint:" in done.stderr
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "full"]


def test_bundle_without_its_weights_is_refused(tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(example_bundle(), copy)
    for path in (copy / "models").iterdir():
        path.unlink()
    done = package(copy, "-o", tmp_path / "x")
    assert done.returncode == 3
    assert "no weights" in done.stderr
    assert not (tmp_path / "x").exists()


@pytest.mark.needs("skopeo")
def test_skopeo_reads_the_tar(example_map: Path, tmp_path: Path) -> None:
    done = package(
        example_bundle(), "-o", tmp_path / "x.tar", "--no-prove", "--compression", "zstd", "--json"
    )
    assert done.returncode == 0, done.stderr
    said = subprocess.run(
        ["skopeo", "inspect", f"oci-archive:{tmp_path / 'x.tar'}:spleen-ct-segmentation-example:1.0.0"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ},
    )
    assert json.loads(said.stdout)["Digest"] == json.loads(done.stdout)["digest"]


def test_bundle_of_the_configuration_is_packaged_where_none_is_named(
    example_map: Path, tmp_path: Path
) -> None:
    file = tmp_path / "bedside.toml"
    file.write_text(f'[[pipeline]]\nname = "spleen"\nbundle = "{example_bundle()}"\n')
    target = ["-o", tmp_path / "x", "--no-prove", "--compression", "zstd", "--json"]
    done = package("-c", file, *target)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["digest"] == OciLayout(example_map).resolve("1.0.0").digest
    file.write_text('[[pipeline]]\nname = "other"\ncommand = ["true"]\n')
    refused = package("-c", file, *target)
    assert refused.returncode == 2
    assert "no bundle was named; bedside.toml names none" in refused.stderr


@pytest.mark.needs("gpgv")
def test_a_refreshed_lock_is_one_that_a_build_takes(tmp_path: Path) -> None:
    lock = tmp_path / "lock.json"
    done = package("--refresh-base", lock)
    assert "give one of them" in done.stderr, "the helper names a lock already"
    command = [sys.executable, "-m", "bedside", "package", "--refresh-base", str(lock)]
    made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert made.returncode == 0, made.stderr
    assert f"into {lock}: " in made.stderr
    packages = read_debian_lock(lock).packages
    assert {"amd64", "arm64"} == set(packages)
    assert any(one.name == "python3.11-minimal" for one in packages["amd64"])


def test_every_bundle_of_several_is_proved(tmp_path: Path) -> None:
    def after_all(config: dict[str, Any], metadata: dict[str, Any]) -> None:
        post(config).insert(len(post(config)) - 1, lambdad("pred"))
        metadata["name"] = "mirrored"

    good = write_proof_bundle(tmp_path / "good")
    bad = write_proof_bundle(tmp_path / "bad", change=after_all, own="image = torch.flip(image, [1])")
    done = package(good, bad, "-o", tmp_path / "x")
    assert done.returncode == 3
    assert "flipped along right–left" in done.stderr
    assert not (tmp_path / "x").exists()
