"""Identities: hashes of canonical content, and DICOM UIDs derived from them.

One place, because two spellings of "the same thing" would make two jobs of one study.
"""

import hashlib
import json

#: Hex digits kept of a digest where a person may read or type it: 80 bits.
ID_LENGTH = 20


def canonical_json(value: object) -> bytes:
    """Encode a JSON value so that equal values give equal bytes (sorted keys, no spaces, UTF-8)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value: object) -> str:
    """Return the SHA-256 of the canonical JSON of ``value``, 64 hex digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def short_id(value: object) -> str:
    """Return the first `ID_LENGTH` hex digits of `digest`."""
    return digest(value)[:ID_LENGTH]


def derived_uid(*parts: str) -> str:
    """Return a DICOM UID that depends on ``parts`` only.

    The UUID-derived form ``2.25.<decimal>`` needs no registered root. See PS3.5 B.2.
    """
    raw = bytearray(hashlib.sha256("\x1f".join(parts).encode()).digest()[:16])
    raw[6] = (raw[6] & 0x0F) | 0x80  # version 8: a UUID made by hashing (RFC 9562, 5.8)
    raw[8] = (raw[8] & 0x3F) | 0x80
    return f"2.25.{int.from_bytes(raw, 'big')}"
