"""Composition and publication: one changed layer for a changed model, one digest for one content."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bedside.errors import ConfigError, Unavailable, UsageError
from bedside.model.bundle import open_bundle
from bedside.oci.cache import LayerCache
from bedside.oci.compress import Compression
from bedside.oci.descriptor import Descriptor, Platform
from bedside.oci.layout import OciLayout
from bedside.oci.manifest import artifact
from bedside.oci.open import read_container_image
from bedside.oci.parts import Assembled, Entry, Origin, Part, Recipe
from bedside.oci.registry.registries import Registries
from bedside.package.base.values import Base
from bedside.package.build import build, check_packed
from bedside.package.models import bake_models
from bedside.package.order import Order, Stack
from bedside.package.publish import Publication, localised, publish
from bedside.package.targets import Target, parse_target, tag_of
from bedside.package.workplace import Workplace
from map_samples import bundle_in


def stack(architecture: str = "amd64") -> Stack:
    base = Recipe(key="base", comment="base", entries=lambda: [Entry(path="etc/passwd", content=b"root")])
    return Stack(
        base=Base(
            name="tiny base",
            digest="sha256:" + "0" * 64,
            platform=Platform(architecture=architecture),
            layers=(base,),
            config={"Env": ["PATH=/bin"]},
        ),
        packages=(),
    )


def made(tmp_path: Path, bundle: Path, *stacks: Stack, cache: str = "cache", **order: object) -> Assembled:
    wanted = Order(bundles=(open_bundle(bundle),), name="tiny:1", **order)  # type: ignore[arg-type]
    return build(
        wanted,
        stacks or (stack(),),
        Workplace(cache=LayerCache(tmp_path / cache), scratch=tmp_path),
    )


def test_changed_model_changes_its_layer_only(tmp_path: Path) -> None:
    first = made(tmp_path, bundle_in(tmp_path / "a"))
    second = made(tmp_path, bundle_in(tmp_path / "b", weights=b"other weights"))
    same = [a.descriptor == b.descriptor for a, b in zip(first.parts[1:], second.parts[1:], strict=True)]
    assert same == [True, False, True]
    assert first.parts[0].descriptor != second.parts[0].descriptor, "its digest is in the configuration"


def test_same_content_same_digest_from_another_tree_archive_and_cache(tmp_path: Path) -> None:
    first = made(tmp_path, bundle_in(tmp_path / "a"))
    again = made(tmp_path, bundle_in(tmp_path / "deep/er/b"), cache="other")
    shutil.make_archive(str(tmp_path / "zipped"), "zip", tmp_path / "a")
    zipped = made(tmp_path, tmp_path / "zipped.zip", cache="third")
    assert first.descriptor == again.descriptor == zipped.descriptor
    assert made(tmp_path, tmp_path / "a", compression=Compression.ZSTD).descriptor != first.descriptor


def test_what_lies_where(tmp_path: Path) -> None:
    layout = OciLayout(tmp_path / "layout")
    layout.add(made(tmp_path, bundle_in(tmp_path / "a"), evidence=(Entry(path="opt/bedside/x"),)))
    image = read_container_image(layout, layout.resolve())
    assert [layer.comment for layer in image.layers] == [
        "base",
        "model Tiny model 1.2.3",
        "golden case, SBOM, provenance, licences",
        "MAP Tiny model 1.2.3",
    ]
    assert image.config["config"]["User"] == "1000:1000"
    assert any(line.startswith("PATH=/bin") for line in image.config["config"]["Env"])
    assert image.manifest["annotations"]["org.opencontainers.image.title"] == "Tiny model"
    with image.tar(image.layers[1]) as stream:
        content = stream.read()
    assert b"opt/holoscan/models/tiny-model/models/model.pt" in content
    assert b"README" not in content


def test_two_platforms_make_an_index(tmp_path: Path) -> None:
    both = made(tmp_path, bundle_in(tmp_path / "a"), stack("amd64"), stack("arm64"))
    platforms = [one["platform"]["architecture"] for one in json.loads(both.manifest)["manifests"]]
    assert platforms == ["amd64", "arm64"]


def test_bundle_that_changes_while_it_is_packed_is_refused(tmp_path: Path) -> None:
    bundle = open_bundle(bundle_in(tmp_path / "a"))
    weights = tmp_path / "a/models/model.pt"
    was = weights.read_bytes()

    def made(cache: str) -> Assembled:
        order = Order(bundles=(bundle,), name="tiny:1")
        place = Workplace(cache=LayerCache(tmp_path / cache), scratch=tmp_path)
        found = build(order, [stack()], place)
        check_packed(order, place)
        return found

    weights.write_bytes(b"new")
    with pytest.raises(Unavailable, match="its files changed while they were packed"):
        made("cache")
    weights.write_bytes(was)
    assert made("cache").descriptor == made("another").descriptor, "what was packed then is no layer of this"


def test_models_are_made_ahead_and_then_found(tmp_path: Path) -> None:
    bundle = open_bundle(bundle_in(tmp_path / "a"))
    taken: list[Part] = []
    place = Workplace(cache=LayerCache(tmp_path / "cache"), scratch=tmp_path, take=taken.append)
    bake_models([bundle], Compression.GZIP, place)
    (model,) = taken
    made = build(Order(bundles=(bundle,), name="tiny:1"), [stack()], place)
    assert taken == [model, *made.parts[1:]]
    assert made.parts[2] == model
    assert model.path is not None


def test_two_bundles_of_one_name_are_refused(tmp_path: Path) -> None:
    bundles = (open_bundle(bundle_in(tmp_path / "a")), open_bundle(bundle_in(tmp_path / "b", weights=b"2")))
    with pytest.raises(UsageError, match="two bundles are called tiny-model"):
        build(
            Order(bundles=bundles, name="tiny:1"),
            [stack()],
            Workplace(cache=LayerCache(tmp_path / "cache"), scratch=tmp_path),
        )


def test_targets_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    assert parse_target(f"{tmp_path}/x.tar").archive == tmp_path / "x.tar"
    assert parse_target(f"{tmp_path}/x").layout == tmp_path / "x"
    assert str(parse_target("localhost:5000/spleen:1").reference) == "localhost:5000/spleen:1"
    with pytest.raises(UsageError, match="is not empty and no OCI layout"):
        parse_target(f"{tmp_path}/full")
    with pytest.raises(UsageError, match="layers are compressed already"):
        parse_target(f"{tmp_path}/x.tar.gz")
    with pytest.raises(UsageError, match="the digest follows from the content"):
        parse_target(f"localhost:5000/spleen@sha256:{'0' * 64}")


@pytest.mark.parametrize(
    ("version", "tag"),
    [("1.2.3", "1.2.3"), ("1.0+cpu", "1.0-cpu"), ("", "latest"), (".x", "x"), ("ü", "latest")],
)
def test_version_becomes_a_tag(version: str, tag: str) -> None:
    assert tag_of(version) == tag


def test_nothing_has_a_name_when_one_part_cannot_be_had(tmp_path: Path) -> None:
    """A base in a registry that is not there: the layout gets no tag and the tar does not appear."""
    whole = made(tmp_path, bundle_in(tmp_path / "a"))
    missing = Part(
        descriptor=Descriptor.of(b"base", "application/vnd.oci.image.layer.v1.tar"),
        origin=Origin(host="127.0.0.1:1", repository="base"),
    )
    broken = replace(whole, parts=(whole.parts[0], missing, *whole.parts[2:]))
    targets = [Target(layout=tmp_path / "out"), Target(archive=tmp_path / "out.tar")]
    with Registries.of({}) as registries, pytest.raises((Unavailable, ConfigError)):
        publish(
            Publication(assembled=broken, name="tiny:1"),
            targets,
            cache=LayerCache(tmp_path / "cache"),
            registries=registries,
        )
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.tar").exists()


def test_everything_local_needs_no_registry(tmp_path: Path) -> None:
    whole = made(tmp_path, bundle_in(tmp_path / "a"))
    cache = LayerCache(tmp_path / "cache")
    with Registries.of({}) as registries:
        assert localised(whole, cache, registries, lambda progress: None) == whole
        sbom = artifact(
            "application/spdx+json", [cache.add(b"1", "a/b")], cache=cache, subject=whole.descriptor
        )
        publish(
            Publication(assembled=whole, attached=(sbom,), name="tiny:1"),
            [Target(layout=tmp_path / "out"), Target(archive=tmp_path / "out.tar")],
            cache=cache,
            registries=registries,
        )
    assert OciLayout(tmp_path / "out").resolve("1").digest == whole.descriptor.digest
    assert OciLayout(tmp_path / "out").verify() == []
