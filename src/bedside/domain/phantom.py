"""Studies that a verification sends through a deployment, and how everybody knows them for that.

Owns their Study Instance UIDs: ``2.25.`` with a UUID whose first bits are fixed. So a job says by its subject
alone that no patient is behind it, in every ledger and version, and nothing has to be carried along. Such a
job is read like any other; it is not counted, not archived, and in no trial of a release.
"""

import hashlib

#: Begins the name of a phantom in the drop-box; whoever deploys may write keys that begin so, and no others.
PREFIX = "bedside-verify-"
_ROOT = "2.25."
#: The first 64 bits: 48 of our own, version 8 (a UUID of one's own making, RFC 9562, 5.8), 12 of our own.
_BEGIN = int.from_bytes(b"bedsid", "big") << 16 | 0x8 << 12 | 0xE5B
_VARIANT = 0b10 << 62
_FREE_BITS = 62


def phantom_study_uid(seed: str) -> str:
    """Return the Study Instance UID of a phantom; the same seed gives the same one. See PS3.5 B.2."""
    drawn = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big") & ((1 << _FREE_BITS) - 1)
    return f"{_ROOT}{_BEGIN << 64 | _VARIANT | drawn}"


def is_phantom(study_uid: str) -> bool:
    """Whether a study is one that a verification sent."""
    number = study_uid.removeprefix(_ROOT)
    return study_uid.startswith(_ROOT) and number.isdecimal() and int(number) >> 64 == _BEGIN
