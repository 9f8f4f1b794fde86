"""What a MAP says about itself: SBOM by the rules of SPDX 2.3, provenance, licences."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import nothing_bundle
from bedside.model.bundle import Bundle, open_bundle
from bedside.oci.cache import LayerCache
from bedside.oci.descriptor import MANIFEST, Descriptor, Platform
from bedside.package.attach import attachments
from bedside.package.base.lock import DebianPackage
from bedside.package.base.values import Base
from bedside.package.licences import licence_entries, licence_of, spdx_expression
from bedside.package.provenance import Making, provenance_bytes
from bedside.package.sbom import Contents, sbom_bytes
from bedside.package.wheels.lock import Wheel, WheelFile
from bedside.phantom import example_bundle

_AT = datetime(2026, 1, 1, tzinfo=UTC)
_BASE = Base(
    name="debian bookworm",
    digest="sha256:" + "12" * 32,
    platform=Platform(),
    layers=(),
    packages=(
        DebianPackage(
            name="libstdc++6",
            version="2:12.2.0-14+deb12u1",
            architecture="amd64",
            archive="debian",
            path="pool/main/g/gcc-12/libstdc++6_12.2.0-14_amd64.deb",
            size_bytes=1,
            sha256="ab" * 32,
        ),
    ),
)
_WHEELS = (
    Wheel(
        name="torch",
        version="2.13.0+cpu",
        licence="BSD-3-Clause",
        files={"amd64": WheelFile(filename="torch.whl", sha256="cd" * 32)},
    ),
    Wheel(
        name="odd",
        version="1",
        licence="ask the author",
        files={"any": WheelFile(filename="odd.whl", sha256="ef" * 32)},
    ),
)


def document_of(*bundles: Bundle) -> bytes:
    return sbom_bytes(
        Contents(
            name="spleen:1.0.0",
            bundles=bundles or (open_bundle(example_bundle()),),
            base=_BASE,
            wheels=_WHEELS,
            created_at=_AT,
        )
    )


def making() -> Making:
    return Making(
        name="spleen:1.0.0",
        bundles=(open_bundle(example_bundle()),),
        base=_BASE,
        locks={"wheels": "sha256:" + "34" * 32},
        parameters={"variant": "cpu"},
    )


def package(document: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (one for one in document["packages"] if one["name"] == name)
    return found


def test_the_sbom_keeps_the_rules_of_spdx() -> None:
    """SPDX 2.3 clauses 6, 7 and 11; the whole schema was checked once with the SPDX tools."""
    document = json.loads(document_of())
    assert document["spdxVersion"] == "SPDX-2.3"
    assert document["dataLicense"] == "CC0-1.0"
    assert document["creationInfo"]["created"] == "2026-01-01T00:00:00Z"
    assert re.fullmatch(r"https://[^#]+", document["documentNamespace"])
    names = [one["SPDXID"] for one in document["packages"]]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", name) for name in names)
    for one in document["packages"]:
        assert {"downloadLocation", "licenseConcluded", "licenseDeclared", "copyrightText"} <= set(one)
        assert one["filesAnalyzed"] is False
    related = {(one["spdxElementId"], one["relationshipType"]) for one in document["relationships"]}
    assert related == {("SPDXRef-DOCUMENT", "DESCRIBES"), ("SPDXRef-MAP", "CONTAINS")}
    contained = {one["relatedSpdxElement"] for one in document["relationships"]}
    assert contained == set(names)


def test_the_sbom_names_every_kind_of_content_by_its_purl_and_hash() -> None:
    document = json.loads(document_of())
    purls = {
        one["name"]: one["externalRefs"][0]["referenceLocator"]
        for one in document["packages"]
        if "externalRefs" in one
    }
    assert purls["libstdc++6"] == "pkg:deb/debian/libstdc%2B%2B6@2%3A12.2.0-14%2Bdeb12u1?arch=amd64"
    assert purls["torch"] == "pkg:pypi/torch@2.13.0%2Bcpu"
    assert purls["bedside-runtime"].startswith("pkg:pypi/bedside@")
    torch, odd = package(document, "torch"), package(document, "odd")
    assert torch["checksums"] == [{"algorithm": "SHA256", "checksumValue": "cd" * 32}]
    assert torch["licenseDeclared"] == "BSD-3-Clause"
    assert odd["licenseDeclared"] == "NOASSERTION"
    assert odd["licenseComments"] == "metadata says: ask the author"
    model = package(document, "Spleen CT segmentation example")
    assert model["licenseDeclared"] == "Apache-2.0"
    assert open_bundle(example_bundle()).digest in model["comment"]


def test_equal_inputs_give_equal_bytes_and_others_another_namespace(tmp_path: Path) -> None:
    assert document_of() == document_of()
    other = json.loads(document_of(open_bundle(nothing_bundle.write_bundle(tmp_path / "b"))))
    assert other["documentNamespace"] != json.loads(document_of())["documentNamespace"]


def test_provenance_names_model_base_and_locks() -> None:
    inside = json.loads(provenance_bytes(making()))
    assert inside["_type"] == "https://in-toto.io/Statement/v1"
    assert inside["predicateType"] == "https://slsa.dev/provenance/v1"
    definition = inside["predicate"]["buildDefinition"]
    assert definition["externalParameters"] == {"platform": "linux/amd64", "variant": "cpu"}
    digests = {one["name"]: one["digest"] for one in definition["resolvedDependencies"]}
    assert digests["base"] == {"sha256": "12" * 32}
    assert digests["wheels"] == {"sha256": "34" * 32}
    assert digests["model"]["bedsideBundle"] == open_bundle(example_bundle()).digest.removeprefix("sha256:")
    assert inside["subject"][0]["digest"] == digests["model"]
    assert inside["predicate"]["runDetails"]["builder"]["version"]["bedside"]


def test_attached_artifacts_are_about_the_manifest(tmp_path: Path) -> None:
    cache = LayerCache(tmp_path)
    subject = Descriptor.of(b"{}", MANIFEST)
    sbom, provenance = attachments(subject, document=document_of(), making=making(), cache=cache)
    for one in (sbom, provenance):
        manifest = json.loads(one.manifest)
        assert manifest["subject"]["digest"] == subject.digest
        assert manifest["artifactType"] == one.descriptor.artifact_type
    blob = provenance.parts[-1].path
    assert blob is not None
    statement = json.loads(blob.read_bytes())
    assert statement["subject"] == [
        {"name": "spleen:1.0.0", "digest": {"sha256": subject.digest.removeprefix("sha256:")}}
    ]


def test_a_models_licence_travels() -> None:
    bundle = open_bundle(example_bundle())
    licence = licence_of(bundle)
    assert (licence.expression, licence.warning) == ("Apache-2.0", "")
    (entry,) = licence_entries(bundle)
    assert re.fullmatch(r"opt/holoscan/docs/[^/]+/LICENSE", entry.path)
    assert entry.content == (example_bundle() / "LICENSE").read_bytes()


def test_notice_and_data_licence_travel_too(tmp_path: Path) -> None:
    bundle = nothing_bundle.write_bundle(tmp_path / "bundle")
    for name in ("LICENSE", "NOTICE", "docs/data_license.txt", "docs/README.md", "scripts/license.py"):
        (bundle / name).parent.mkdir(exist_ok=True)
        (bundle / name).write_text("Permission is hereby granted, free of charge")
    opened = open_bundle(bundle)
    assert set(licence_of(opened).files) == {"LICENSE", "NOTICE", "docs/data_license.txt"}
    assert licence_of(opened).expression == "MIT"


def test_a_model_without_a_licence_is_said_to_have_none(tmp_path: Path) -> None:
    bundle = open_bundle(nothing_bundle.write_bundle(tmp_path / "bundle"))
    assert licence_entries(bundle) == []
    found = licence_of(bundle)
    assert (found.expression, found.files) == ("", ())
    assert "bundle nothing holds no LICENSE" in found.warning
    assert "add the authors' LICENSE" in found.warning


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MIT License", "MIT"),
        ("apache-2.0", "Apache-2.0"),
        ("MIT OR Apache-2.0", "MIT OR Apache-2.0"),
        ("BSD", ""),
        ("", ""),
        ("see LICENSE", ""),
    ],
)
def test_only_certain_words_become_an_expression(text: str, expected: str) -> None:
    assert spdx_expression(text) == expected
