"""``bedside release verify``: the golden case of a release, replayed here, and its signature."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, config_option, json_option
from bedside.cli.output import ProgressLine, coloured, note, write_json, write_table
from bedside.errors import ConfigError, ModelFailed, NotFound, UsageError

if TYPE_CHECKING:
    from bedside.domain.pipeline import Stage
    from bedside.oci.descriptor import Descriptor
    from bedside.oci.layout import OciLayout
    from bedside.oci.open import ContainerImage
    from bedside.ports import ModelRunner


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A MAP on this machine: where it lies, what was named, and its signatures' manifests."""

    layout: "OciLayout"
    named: "Descriptor"
    image: "ContainerImage"
    signatures: "tuple[Descriptor, ...]" = ()


@click.command(
    cls=Command,
    examples=[
        "bedside release verify ./spleen-1.0.0",
        "bedside release verify registry.example/spleen:1.0.0 --engine podman --key bedside.pub",
    ],
)
@click.argument("release")
@click.option(
    "--engine",
    type=click.Choice(["auto", "podman", "docker", "runc", "none", "process"]),
    default="auto",
    help="Runs the MAP; process runs its model with this bedside, without a container.",
)
@click.option("--least-dice", type=click.FloatRange(0, 1), default=0.995, help="Least Dice of each label.")
@click.option(
    "--key", type=click.Path(path_type=Path, dir_okay=False), help="Public key whose signature it must have."
)
@click.option("--device", default="auto", help="auto, cpu, cuda or cuda:N.")
@config_option
@json_option
def verify(
    release: str,
    engine: str,
    least_dice: float,
    key: Path | None,
    device: str,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Replay the golden case of RELEASE here and compare the label maps with those it was packaged with.

    RELEASE is an OCI layout, a .tar, a registry's reference, or the name or digest of a registered MAP.
    Ends with exit code 6 where they differ by more than the tolerance.
    """
    from bedside.package.replay import golden_of, replay

    with (
        tempfile.TemporaryDirectory(prefix="bedside-verify-") as temporary,
        ProgressLine() as line,
    ):
        scratch = Path(temporary)
        found = _find(release, scratch, config_path, line)
        if key is not None:
            _check_signature(found, key)
        golden = golden_of(found.image, scratch / "golden")
        with _runner(engine, device, found, scratch) as (runner, stage):
            work = scratch / "replay"
            work.mkdir()
            verdict = replay(golden, runner, stage, scratch=work, progress=line.update, least_dice=least_dice)
    if as_json:
        write_json({**verdict.to_json(), "digest": found.named.digest, "signed": key is not None})
    else:
        rows = [(one.label, one.expected, one.differing, f"{one.dice:.5f}") for one in verdict.agreements]
        numbers = [(name, "", "", f"{value:.6f} off") for name, value in verdict.differences.items()]
        write_table(("label", "voxels", "differing", "Dice"), [*rows, *numbers])
        if not verdict.same_input:
            note("the phantom was rounded otherwise here than where the release was packaged")
    if verdict.problems:
        raise ModelFailed(
            f"release {found.named.digest}: {'; '.join(verdict.problems)}", hint="bedside doctor"
        )
    if not as_json:
        click.echo(f"{coloured('verified', 'green')} {found.named.digest}")


def _find(release: str, scratch: Path, config_path: Path | None, line: ProgressLine) -> _Found:
    """Bring a MAP to this machine where it is not, and read what it says."""
    from bedside.oci.layout import OciLayout
    from bedside.oci.open import open_place, read_container_image, split_place
    from bedside.oci.reference import names_host
    from bedside.worker.maps import this_platform

    place, reference = split_place(release)
    if place.exists():
        if (place / "configs/metadata.json").is_file():
            raise UsageError(f"{release}: a bundle has no golden case yet", hint=f"bedside package {release}")
        layout, named = open_place(place, OciLayout(scratch / "layout"), reference=reference)
        signatures = _beside(layout, named)
    elif names_host(release):
        line.update(f"fetching {release}")
        layout = OciLayout(scratch / "layout")
        named, signatures = _fetch(release, layout)
    else:
        layout, named = _registered(release, config_path)
        signatures = _beside(layout, named)
    image = read_container_image(layout, named, platform=this_platform())
    return _Found(layout=layout, named=named, image=image, signatures=signatures)


def _beside(layout: "OciLayout", named: "Descriptor") -> "tuple[Descriptor, ...]":
    """Return the signatures of a MAP that lie in the same layout."""
    from bedside.package.signature import ARTIFACT_TYPE

    return tuple(
        one
        for one in layout.descriptors()
        if one.artifact_type == ARTIFACT_TYPE
        and (layout.document(one).get("subject") or {}).get("digest") == named.digest
    )


def _fetch(text: str, layout: "OciLayout") -> "tuple[Descriptor, tuple[Descriptor, ...]]":
    """Pull a MAP and its signatures: those that refer to it, and cosign's own place for them."""
    from dataclasses import replace

    from bedside.oci.reference import Reference
    from bedside.oci.registry.pull import pull
    from bedside.oci.registry.referrers import referrers
    from bedside.package.signature import ARTIFACT_TYPE, signature_tag
    from bedside.wiring import open_registries

    reference = Reference.parse(text)
    with open_registries(os.environ) as registries:
        named = pull(reference, layout, registries)
        repository = registries.at(reference)
        pointers = [one.digest for one in referrers(repository, named.digest, ARTIFACT_TYPE)]
        if repository.head(signature_tag(named.digest)):
            pointers.append(signature_tag(named.digest))
        signatures = []
        for pointer in pointers:
            where = reference.at(pointer) if ":" in pointer else replace(reference, tag=pointer, digest="")
            signatures.append(pull(where, layout, registries))
    return named, tuple(signatures)


def _registered(release: str, config_path: Path | None) -> "tuple[OciLayout, Descriptor]":
    """Return a MAP of the deployment by its name or digest."""
    from bedside.cli.deployment import whole
    from bedside.cli.release.shared import named_release
    from bedside.domain.pipeline import ReleaseKind

    with whole(config_path) as deployment:
        found = named_release(deployment, release)
        if found.kind is not ReleaseKind.MAP:
            raise UsageError(
                f"release {found.name} {found.version}: is a bundle, only a MAP carries a golden case",
                hint="bedside package BUNDLE",
            )
        image = deployment.maps.bring(found)
    return image.layout, image.descriptor


def _check_signature(found: _Found, key: Path) -> None:
    """Raise `ConfigError` unless the MAP has a signature of the key."""
    from bedside.package.sign import read_public_key, signed_by

    public = read_public_key(key)
    for one in found.signatures:
        manifest = found.layout.read(one)
        if signed_by(manifest, found.layout.read, digest=found.named.digest, key=public):
            note(f"signed with the key of {key.name}")
            return
    count = len(found.signatures)
    signatures = f"{count} signature{'' if count == 1 else 's'}, none" if count else "no signature, so none"
    raise ConfigError(
        f"release {found.named.digest}: {signatures} by the key of {key.name}",
        hint="do not run it; ask whoever gave it to you for their key",
    )


@contextmanager
def _runner(engine: str, device: str, found: _Found, scratch: Path) -> "Iterator[tuple[ModelRunner, Stage]]":
    """Give what runs a MAP, and the stage that names it."""
    from bedside.adapters.containers import ContainerOptions, ContainerRunner, choose_engine
    from bedside.adapters.process import ChildOptions, ChildRunner
    from bedside.domain.pipeline import Stage, StageKind
    from bedside.model.bundle import open_bundle
    from bedside.oci.map.image import LABEL_MODEL
    from bedside.package.replay import take_out

    options = ChildOptions(device=device)
    children = scratch / "children"
    children.mkdir()
    runner: ContainerRunner | ChildRunner
    if engine == "process":
        labels = found.image.config.get("config", {}).get("Labels") or {}
        model = str(labels.get(LABEL_MODEL, "")).strip("/")
        if not model or not take_out(found.image, model, scratch / "model"):
            raise NotFound(f"release {found.named.digest}: names no model", hint="choose another --engine")
        bundle = open_bundle(scratch / "model")
        stage = Stage(name="verify", kind=StageKind.BUNDLE, release=bundle.digest)
        runner = ChildRunner(
            bundles=lambda _digest: bundle.path, scratch=children, environment=os.environ, options=options
        )
    else:
        stage = Stage(name="verify", kind=StageKind.MAP, release=found.image.descriptor.digest)
        runner = ContainerRunner(
            maps=lambda _digest: found.image,
            engine=choose_engine(engine, os.environ),
            scratch=children,
            environment=os.environ,
            options=ContainerOptions(child=options),
        )
    try:
        yield runner, stage
    finally:
        runner.close()
