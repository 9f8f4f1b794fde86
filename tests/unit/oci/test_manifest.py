"""Manifests: exact bytes, stable digests, one time."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bedside.errors import ConfigError
from bedside.oci.cache import LayerCache
from bedside.oci.descriptor import CONFIG, EMPTY, INDEX, MANIFEST
from bedside.oci.manifest import artifact, created_at, index
from map_samples import tiny_map


def test_manifest_and_configuration_fit_each_other(tmp_path: Path) -> None:
    made = tiny_map(tmp_path, model=b"1")
    manifest = json.loads(made.manifest)
    assert list(manifest) == ["schemaVersion", "mediaType", "config", "layers", "annotations"]
    assert manifest["mediaType"] == made.descriptor.media_type == MANIFEST
    config = json.loads(made.parts[0].path.read_bytes())
    assert manifest["config"] == made.parts[0].descriptor.to_json()
    assert manifest["config"]["mediaType"] == CONFIG
    assert manifest["layers"] == [part.descriptor.to_json() for part in made.parts[1:]]
    assert len(config["rootfs"]["diff_ids"]) == len(config["history"]) == 2
    assert {one["created"] for one in (config, *config["history"])} == {"1970-01-01T00:00:00Z"}
    assert (config["os"], config["architecture"]) == ("linux", "amd64")


def test_digest_is_the_same_twice_and_another_for_another_model(tmp_path: Path) -> None:
    first, again = tiny_map(tmp_path / "a", model=b"1"), tiny_map(tmp_path / "b", model=b"1")
    assert first.descriptor == again.descriptor
    assert first.manifest == again.manifest
    assert tiny_map(tmp_path / "a", model=b"2").descriptor.digest != first.descriptor.digest


def test_index_names_platforms_in_the_order_given(tmp_path: Path) -> None:
    members = [tiny_map(tmp_path, architecture=one) for one in ("arm64", "amd64")]
    made = index(members, annotations={"b": "2", "a": "1"})
    document = json.loads(made.manifest)
    assert document["mediaType"] == made.descriptor.media_type == INDEX
    assert [one["platform"]["architecture"] for one in document["manifests"]] == ["arm64", "amd64"]
    assert list(document["annotations"]) == ["a", "b"]


def test_artifact_points_at_its_subject(tmp_path: Path) -> None:
    subject = tiny_map(tmp_path).descriptor
    cache = LayerCache(tmp_path / "cache")
    made = artifact("application/spdx+json", [cache.add(b"{}\n", "text/plain")], cache=cache, subject=subject)
    document = json.loads(made.manifest)
    assert document["artifactType"] == made.descriptor.artifact_type == "application/spdx+json"
    assert document["config"]["mediaType"] == EMPTY
    assert document["subject"] == {
        "mediaType": MANIFEST,
        "digest": subject.digest,
        "size": subject.size_bytes,
    }


def test_time_is_1970_or_what_the_environment_says() -> None:
    assert created_at({}) == datetime(1970, 1, 1, tzinfo=UTC)
    assert created_at({"SOURCE_DATE_EPOCH": "1700000000"}) == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    with pytest.raises(ConfigError, match="'soon' is no number of seconds"):
        created_at({"SOURCE_DATE_EPOCH": "soon"})
