"""Signs a release with a key, and checks such a signature, in the form that cosign reads and writes.

Owns the payload ("simple signing"), the signature (ECDSA on P-256 over SHA-256) and the artifact that
carries both. It keeps no key and asks no service: whoever verifies needs the public key and nothing else.
See cosign's SIGNATURE_SPEC.
"""

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bedside.errors import ConfigError
from bedside.oci.cache import LayerCache
from bedside.oci.descriptor import Descriptor
from bedside.oci.manifest import artifact
from bedside.oci.parts import Assembled
from bedside.package.signature import ARTIFACT_TYPE

PAYLOAD_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
_ANNOTATION = "dev.cosignproject.cosign/signature"
_KIND = "cosign container image signature"
_MAKE_KEY = "openssl ecparam -genkey -name prime256v1 -noout -out bedside.key"


def read_private_key(path: Path, passphrase: str = "") -> ec.EllipticCurvePrivateKey:
    """Read a key that signs.

    Args:
        path: PEM file (PKCS #8 or SEC 1).
        passphrase: Of an encrypted key; empty for none.

    Raises:
        ConfigError: It is no such key, or the passphrase is not its own.
    """
    data = _read(path)
    if b"SIGSTORE" in data or b"COSIGN" in data:
        raise ConfigError(f"signing key {path.name}: encrypted by cosign, a PEM key is read", hint=_MAKE_KEY)
    try:
        key = serialization.load_pem_private_key(data, passphrase.encode() if passphrase else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise ConfigError(
            f"signing key {path.name}: no PEM private key that the passphrase opens ({type(exc).__name__})",
            hint=_MAKE_KEY,
        ) from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise ConfigError(f"signing key {path.name}: not a key on P-256", hint=_MAKE_KEY)
    return key


def read_public_key(path: Path) -> ec.EllipticCurvePublicKey:
    """Read a key that verifies, PEM. Raises `ConfigError` where it is none on P-256."""
    hint = f"openssl ec -in bedside.key -pubout -out {path.name}"
    try:
        key = serialization.load_pem_public_key(_read(path))
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise ConfigError(f"public key {path.name}: no PEM public key", hint=hint) from exc
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise ConfigError(f"public key {path.name}: not a key on P-256", hint=hint)
    return key


def sign(
    subject: Descriptor, key: ec.EllipticCurvePrivateKey, *, repository: str, cache: LayerCache
) -> Assembled:
    """Sign a release.

    Args:
        subject: Its manifest or index.
        key: From `read_private_key`.
        repository: What the signer calls it, without tag and digest.
        cache: Takes the payload.

    Returns:
        An artifact that refers to the release; push it by its digest and as `signature_tag`.
    """
    payload = payload_bytes(subject.digest, repository)
    signature = key.sign(payload, ec.ECDSA(hashes.SHA256()))
    part = cache.add(payload, PAYLOAD_TYPE)
    noted = replace(part.descriptor, annotations={_ANNOTATION: base64.b64encode(signature).decode()})
    return artifact(ARTIFACT_TYPE, [replace(part, descriptor=noted)], cache=cache, subject=subject)


def payload_bytes(digest: str, repository: str) -> bytes:
    """Return what is signed: that this digest is this repository's."""
    payload = {
        "critical": {
            "identity": {"docker-reference": repository},
            "image": {"docker-manifest-digest": digest},
            "type": _KIND,
        },
        "optional": None,
    }
    return json.dumps(payload, separators=(",", ":")).encode()


def signed_by(
    manifest: bytes, read: Callable[[Descriptor], bytes], *, digest: str, key: ec.EllipticCurvePublicKey
) -> bool:
    """Return whether one of a signature artifact's signatures is the key's, over this digest.

    Args:
        manifest: Of the artifact.
        read: Gives its blobs, whose digests it checked.
        digest: Of the release that must be meant.
        key: Whose signature counts.
    """
    for layer in _layers(manifest):
        descriptor = Descriptor.from_json(layer)
        if descriptor.media_type != PAYLOAD_TYPE:
            continue
        payload = read(descriptor)
        try:
            signature = base64.b64decode(descriptor.annotations.get(_ANNOTATION, ""), validate=True)
            key.verify(signature, payload, ec.ECDSA(hashes.SHA256()))
            critical = json.loads(payload)["critical"]
            # A good signature of another image, copied under this one's tag, must not count.
            if critical["type"] == _KIND and critical["image"]["docker-manifest-digest"] == digest:
                return True
        except (InvalidSignature, binascii.Error, ValueError, KeyError, TypeError):
            continue
    return False


def _layers(manifest: bytes) -> list[dict[str, Any]]:
    try:
        found = json.loads(manifest).get("layers")
    except (ValueError, AttributeError):
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"key {path.name}: cannot be read: {exc.strerror}", hint=_MAKE_KEY) from exc
