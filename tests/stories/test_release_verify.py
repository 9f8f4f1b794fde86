"""`bedside release verify`: the golden case of a MAP replayed without a container, and its signature."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bedside.cli.main import main
from bedside.oci.cache import LayerCache
from bedside.oci.descriptor import Descriptor, Platform
from bedside.oci.layer import bake
from bedside.oci.layout import OciLayout
from bedside.oci.manifest import Making, assemble
from bedside.oci.map.image import LABEL_MODEL
from bedside.oci.parts import Entry, Recipe
from bedside.oci.reference import Reference
from bedside.oci.registry.registries import Registries
from bedside.package.golden import Golden, golden_entries
from bedside.package.publish import Publication, publish
from bedside.package.sign import read_private_key, sign
from bedside.package.signature import signature_tag
from bedside.package.targets import Target
from bedside.phantom.solid import Contrast, acquisitions, write_solid
from proof_samples import proof_of, write_proof_bundle
from registries import run_registry

_MODEL = "/opt/holoscan/models/nothing"


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Golden]:
    folder = tmp_path_factory.mktemp("proved")
    bundle = write_proof_bundle(folder / "bundle")
    return bundle, proof_of(bundle, folder).golden


def pack(folder: Path, bundle: Path, golden: Golden | None) -> tuple[OciLayout, Descriptor, LayerCache]:
    """Make a MAP of a bundle and its golden case alone: nothing that a container could start."""
    cache = LayerCache(folder / "cache")
    model = [
        Entry(path=f"{_MODEL[1:]}/{path.relative_to(bundle).as_posix()}", content=path)
        for path in sorted(bundle.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    evidence = golden_entries(golden) if golden else [Entry(path="opt/bedside/none", content=b"")]
    layers = [
        bake(Recipe(key=name, comment=name, entries=lambda made=made: made), cache=cache)
        for name, made in (("model", model), ("evidence", evidence))
    ]
    making = Making(config={"Labels": {LABEL_MODEL: _MODEL}}, platform=Platform())
    layout = OciLayout(folder / "map")
    return layout, layout.add(assemble(layers, making, cache=cache), tag="1.0"), cache


def test_a_release_is_verified_where_it_does_what_it_did(
    proved: tuple[Path, Golden],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layout, named, _ = pack(tmp_path, *proved)
    # As with bedside[worker] alone: only --key needs it.
    monkeypatch.delitem(sys.modules, "bedside.package.sign", raising=False)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert main(["release", "verify", str(layout.root), "--engine", "process", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["digest"] == named.digest
    assert said["verified"] and said["same_input"]
    assert said["labels"] == [{"name": "spleen", "dice": 1.0, "differing": 0, "expected": proved[1].voxels}]


def test_a_study_of_ones_own_travels_and_is_read_again(
    proved: tuple[Path, Golden], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = write_solid(tmp_path / "study", next(acquisitions()), modality="CT", contrast=Contrast.PLAIN)[
        0
    ].parent
    for path in study.iterdir():
        instance = pydicom.dcmread(path)
        instance.PatientIdentityRemoved = "YES"
        instance.save_as(path)
    golden = proof_of(proved[0], tmp_path / "own", study=study).golden
    assert len(golden.inputs) == len(list(study.iterdir()))
    layout, _, _ = pack(tmp_path, proved[0], golden)
    shutil.rmtree(study)
    assert main(["release", "verify", str(layout.root), "--engine", "process", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["same_input"]
    assert said["labels"][0]["expected"] > 5000


def test_a_release_that_answers_otherwise_fails(
    proved: tuple[Path, Golden], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As if another processor, library or driver moved the mask by one row."""
    bundle, golden = proved
    moved = {name: mask.copy() for name, mask in golden.masks.items()}
    for mask in moved.values():
        mask[:, :-1] = mask[:, 1:].copy()
    layout, _, _ = pack(tmp_path, bundle, replace(golden, masks=moved))
    assert main(["release", "verify", str(layout.root), "--engine", "process"]) == 6
    said = capsys.readouterr()
    assert "label 'spleen': Dice 0.9" in said.err
    assert "voxels differ of" in said.err


def test_a_release_without_a_golden_case_says_so(
    proved: tuple[Path, Golden], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout, _, _ = pack(tmp_path, proved[0], None)
    assert main(["release", "verify", str(layout.root), "--engine", "process"]) == 2
    assert "carries no golden case" in capsys.readouterr().err


def test_a_bundle_is_told_apart(proved: tuple[Path, Golden], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["release", "verify", str(proved[0])]) == 2
    assert "bedside package" in capsys.readouterr().err


def write_keys(folder: Path, name: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = folder / f"{name}.key", folder / f"{name}.pub"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public


@pytest.mark.needs("docker-registry")
def test_a_release_and_its_signature_come_from_a_registry(
    proved: tuple[Path, Golden], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout, named, cache = pack(tmp_path, *proved)
    private, public = write_keys(tmp_path, "ours")
    _, other = write_keys(tmp_path, "theirs")
    signature = sign(named, read_private_key(private), repository="nothing", cache=cache)
    with run_registry(tmp_path) as host, Registries.of({}) as registries:
        publish(
            Publication(
                assembled=layout.assembled(named),
                signatures={signature_tag(named.digest): signature},
                name="nothing:1.0",
            ),
            [Target(reference=Reference.parse(f"{host}/models/nothing:1.0"))],
            cache=cache,
            registries=registries,
        )
        command = ["release", "verify", f"{host}/models/nothing:1.0", "--engine", "process", "--key"]
        assert main([*command, str(public)]) == 0
        assert f"verified {named.digest}" in capsys.readouterr().out
        assert main([*command, str(other)]) == 3


def test_only_a_release_signed_with_the_key_is_run(
    proved: tuple[Path, Golden], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout, named, cache = pack(tmp_path, *proved)
    private, public = write_keys(tmp_path, "ours")
    _, other = write_keys(tmp_path, "theirs")
    command = ["release", "verify", f"{layout.root}:1.0", "--engine", "process", "--key"]
    assert main([*command, str(public)]) == 3
    assert "no signature, so none by the key of ours.pub" in capsys.readouterr().err
    layout.add(sign(named, read_private_key(private), repository="registry.example/nothing", cache=cache))
    assert main([*command, str(public)]) == 0
    assert "signed with the key of ours.pub" in capsys.readouterr().err
    assert main([*command, str(other)]) == 3
