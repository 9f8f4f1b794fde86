"""Signatures: what openssl says of them, and what does not count."""

import base64
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from bedside.errors import ConfigError
from bedside.oci.cache import LayerCache
from bedside.oci.descriptor import MANIFEST, Descriptor
from bedside.oci.parts import Assembled
from bedside.package.sign import (
    PAYLOAD_TYPE,
    read_private_key,
    read_public_key,
    sign,
    signed_by,
)
from bedside.package.signature import signature_tag

_SUBJECT = Descriptor.of(b"a manifest", MANIFEST)
_ANNOTATION = "dev.cosignproject.cosign/signature"


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    private, public = tmp_path / "k.key", tmp_path / "k.pub"
    openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", private)
    openssl("ec", "-in", private, "-pubout", "-out", public)
    return private, public


def signed(private: Path, folder: Path, subject: Descriptor = _SUBJECT) -> Assembled:
    cache = LayerCache(folder / "cache")
    return sign(subject, read_private_key(private), repository="registry.example/spleen", cache=cache)


def blob_of(made: Assembled, descriptor: Descriptor) -> bytes:
    (part,) = (one for one in made.parts if one.descriptor.digest == descriptor.digest)
    assert part.path is not None
    return part.path.read_bytes()


def counts(made: Assembled, public: Path, digest: str = _SUBJECT.digest) -> bool:
    return signed_by(
        made.manifest,
        lambda descriptor: blob_of(made, descriptor),
        digest=digest,
        key=read_public_key(public),
    )


@pytest.mark.needs("openssl")
def test_openssl_verifies_what_is_signed(keys: tuple[Path, Path], tmp_path: Path) -> None:
    made = signed(keys[0], tmp_path)
    layer = json.loads(made.manifest)["layers"][0]
    assert layer["mediaType"] == PAYLOAD_TYPE
    payload, signature = tmp_path / "payload", tmp_path / "signature"
    payload.write_bytes(blob_of(made, Descriptor.from_json(layer)))
    signature.write_bytes(base64.b64decode(layer["annotations"][_ANNOTATION]))
    openssl("dgst", "-sha256", "-verify", keys[1], "-signature", signature, payload)
    said = json.loads(payload.read_bytes())
    assert said["critical"] == {
        "identity": {"docker-reference": "registry.example/spleen"},
        "image": {"docker-manifest-digest": _SUBJECT.digest},
        "type": "cosign container image signature",
    }
    assert json.loads(made.manifest)["subject"]["digest"] == _SUBJECT.digest
    assert signature_tag(_SUBJECT.digest) == f"sha256-{_SUBJECT.hex}.sig"


@pytest.mark.needs("openssl")
def test_only_the_keys_own_signature_over_this_digest_counts(keys: tuple[Path, Path], tmp_path: Path) -> None:
    made = signed(keys[0], tmp_path)
    assert counts(made, keys[1])
    assert not counts(made, keys[1], digest=Descriptor.of(b"another", MANIFEST).digest)
    other = tmp_path / "other"
    openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", other)
    assert not counts(signed(other, tmp_path), keys[1])
    broken = json.loads(made.manifest)
    broken["layers"][0]["annotations"][_ANNOTATION] = "not base64!"
    assert not counts(replace(made, manifest=json.dumps(broken).encode()), keys[1])
    assert not counts(replace(made, manifest=b"no json"), keys[1])


@pytest.mark.needs("openssl")
def test_keys_of_another_kind_are_refused(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    rsa = tmp_path / "rsa.key"
    openssl("genrsa", "-out", rsa, "2048")
    with pytest.raises(ConfigError, match="not a key on P-256"):
        read_private_key(rsa)
    with pytest.raises(ConfigError, match="no PEM private key"):
        read_private_key(keys[1])
    with pytest.raises(ConfigError, match="cannot be read"):
        read_private_key(tmp_path / "missing.key")
    (tmp_path / "cosign.key").write_text("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n")
    with pytest.raises(ConfigError, match="encrypted by cosign"):
        read_private_key(tmp_path / "cosign.key")


@pytest.mark.needs("openssl")
def test_an_encrypted_key_needs_its_passphrase(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    locked = tmp_path / "locked.key"
    openssl("pkcs8", "-topk8", "-in", keys[0], "-out", locked, "-passout", "pass:open sesame")
    assert isinstance(read_private_key(locked, "open sesame"), ec.EllipticCurvePrivateKey)
    with pytest.raises(ConfigError, match="passphrase"):
        read_private_key(locked)
    with pytest.raises(ConfigError, match="passphrase"):
        read_private_key(locked, "wrong")
