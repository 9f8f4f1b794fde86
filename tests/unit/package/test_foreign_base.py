"""Bases from elsewhere: each source gives the layers and the configuration that lie there."""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bedside.errors import ConfigError, NotFound, UsageError
from bedside.model.bundle import open_bundle
from bedside.oci.archive import write_archive
from bedside.oci.cache import LayerCache
from bedside.oci.compress import Compression
from bedside.oci.descriptor import Platform
from bedside.oci.layout import OciLayout
from bedside.oci.parts import Layer
from bedside.oci.reference import Reference
from bedside.oci.registry.progress import Progress, Step
from bedside.oci.registry.push import push
from bedside.oci.registry.registries import Registries
from bedside.oci.registry.remote import remote
from bedside.package.build import build
from bedside.package.foreign_base import BaseSource, open_base
from bedside.package.order import Order, Stack
from bedside.package.publish import Publication, publish
from bedside.package.targets import parse_target
from bedside.package.workplace import Workplace
from map_samples import bundle_in, tiny_map
from registries import run_registry


@pytest.fixture
def source(tmp_path: Path) -> Iterator[BaseSource]:
    with Registries.of({}) as registries:
        yield BaseSource(
            text="", cache=LayerCache(tmp_path / "c"), registries=registries, compression=Compression.GZIP
        )


@pytest.mark.parametrize("form", ["layout", "tar"])
def test_layout_and_tar_keep_their_layers(tmp_path: Path, source: BaseSource, form: str) -> None:
    made = tiny_map(tmp_path)
    if form == "layout":
        OciLayout(tmp_path / "base").add(made, tag="v1")
        text = f"{tmp_path}/base:v1"
    else:
        write_archive(made, tmp_path / "base.tar", name="base:v1")
        text = f"{tmp_path}/base.tar"
    base = open_base(replace(source, text=text), Platform())
    assert base.digest == made.descriptor.digest
    found = [one for one in base.layers if isinstance(one, Layer)]
    assert [one.part.descriptor for one in found] == [part.descriptor for part in made.parts[1:]]
    assert base.environment == {"HOLOSCAN_INPUT_PATH": "/var/holoscan/input"}


@pytest.mark.parametrize("text", ["gone.tar", "./gone", "/gone/layout:v1", "folder/gone.tar.gz"])
def test_a_path_that_is_not_there_is_no_name_in_a_registry(source: BaseSource, text: str) -> None:
    with pytest.raises(NotFound, match="no such file or folder"):
        open_base(replace(source, text=text), Platform())


def test_root_file_system_becomes_one_layer_once(tmp_path: Path, source: BaseSource) -> None:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        member = tarfile.TarInfo("etc/passwd")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"root"))
    (tmp_path / "root.tar").write_bytes(plain.getvalue())
    first = open_base(replace(source, text=f"{tmp_path}/root.tar"), Platform())
    again = open_base(replace(source, text=f"{tmp_path}/root.tar"), Platform())
    assert first == again
    (layer,) = first.layers
    assert isinstance(layer, Layer)
    with tarfile.open(layer.part.path) as archive:
        assert archive.getnames() == ["etc/passwd"]


def test_damage_and_other_platforms_are_refused(tmp_path: Path, source: BaseSource) -> None:
    made = tiny_map(tmp_path)
    layout = OciLayout(tmp_path / "base")
    layout.add(made, tag="v1")
    wanted = replace(source, text=f"{tmp_path}/base")
    with pytest.raises(ConfigError, match="is for amd64, not for linux/arm64"):
        open_base(wanted, Platform(architecture="arm64"))
    with pytest.raises(NotFound, match="no manifest"):
        open_base(replace(source, text=f"{tmp_path}/base@sha256:{'0' * 64}"), Platform())
    blob = layout.blob(made.parts[1].descriptor.digest)
    blob.unlink()
    blob.write_bytes(b"no")
    with pytest.raises(ConfigError, match="is damaged"):
        open_base(wanted, Platform())
    (tmp_path / "x.tar").write_bytes(b"no tar")
    with pytest.raises(ConfigError, match="no tar"):
        open_base(replace(source, text=f"{tmp_path}/x.tar"), Platform())
    with pytest.raises((UsageError, NotFound, ConfigError)):
        open_base(replace(source, text="UPPER CASE"), Platform())


@pytest.mark.needs("docker-registry")
def test_base_in_a_registry_is_named_and_never_fetched(tmp_path: Path, source: BaseSource) -> None:
    """Only a changed model's layer is sent; the base is taken over from its own repository."""
    base = tiny_map(tmp_path)
    with run_registry(tmp_path) as host:
        push(base, Reference.parse(f"{host}/bases/tiny:1"), source.registries)
        with pytest.raises(UsageError, match="a tag names another base tomorrow") as refused:
            open_base(replace(source, text=f"{host}/bases/tiny:1"), Platform())
        assert refused.value.hint == f"--base {host}/bases/tiny:1@{base.descriptor.digest}"
        opened = open_base(replace(source, text=f"{host}/bases/tiny@{base.descriptor.digest}"), Platform())
        for number, weights in enumerate((b"1", b"2")):
            bundle = open_bundle(bundle_in(tmp_path / weights.decode(), weights=weights * 5000))
            made = build(
                Order(bundles=(bundle,), name="tiny:1"),
                [Stack(base=opened, packages=())],
                Workplace(cache=source.cache, scratch=tmp_path),
            )
            told: list[Progress] = []
            publish(
                Publication(assembled=made, name="tiny:1"),
                [parse_target(f"{host}/maps/tiny:1")],
                cache=source.cache,
                registries=source.registries,
                tell=told.append,
            )
            steps = {one.descriptor.digest: one.step for one in told}
            below = [part.descriptor.digest for part in base.parts[1:]]
            assert {steps[digest] for digest in below} == {Step.PRESENT if number else Step.MOUNTED}
            assert not any(source.cache.blob(digest).exists() for digest in below)
        found = remote(source.registries.at(Reference.parse(f"{host}/maps/tiny:1")), "1")
    assert found.descriptor.digest == made.descriptor.digest
