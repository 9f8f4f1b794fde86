"""What may be a key of a blob and the name of a tenant: one check for every store.

A key that one store takes and another refuses would tie a deployment to its store, and a key with
``..`` in it would read another tenant's files.
"""

import re

from bedside.errors import UsageError

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9][A-Za-z0-9_-]*)*")
_TENANT_CHARACTERS = 63

#: Longest part of a key in UTF-8 bytes (what file systems take as a name) and longest key (S3's limit).
MAX_PART_BYTES = 255
MAX_KEY_BYTES = 1024

#: Begins the names of files that are still being written; no key holds such a part.
TEMPORARY = ".bedside-"


def check_key(key: str) -> str:
    """Return a key that is relative and has no empty, ``.`` or ``..`` part.

    Raises:
        UsageError: It is not; the message does not repeat it, since it may hold a patient's name.
    """
    why = _wrong(key)
    if why:
        raise UsageError(f"blob key of {len(key)} characters: {why}")
    return key


def check_prefix(prefix: str) -> str:
    """Return a prefix of keys: as a key, but it may be empty or end in a slash.

    Raises:
        UsageError: It begins no key.
    """
    if prefix:
        check_key(prefix.removesuffix("/"))
    return prefix


def check_range(offset: int, length: int) -> None:
    """Refuse what is no range of bytes.

    Raises:
        UsageError: It begins before the object, or is empty.
    """
    if offset < 0 or length < 1:
        raise UsageError(f"range of {length} bytes from {offset}: want at least one, from 0 on")


def check_tenant(name: str) -> str:
    """Return a tenant's name: parts of letters, digits, ``-`` and ``_``, divided by dots, 63 in all at most.

    A part begins with a letter or digit, so that no name is hidden or leads elsewhere.

    Raises:
        UsageError: It is another.
    """
    if len(name) > _TENANT_CHARACTERS or not _TENANT.fullmatch(name):
        raise UsageError(
            f"tenant of {len(name)} characters: want at most {_TENANT_CHARACTERS}, in each part a letter or "
            "digit, then A-Z a-z 0-9 - _",
            hint="bedside config show",
        )
    return name


def _wrong(key: str) -> str:
    try:
        size_bytes = len(key.encode())
    except UnicodeEncodeError:
        return "not Unicode"
    if size_bytes > MAX_KEY_BYTES:
        return f"{size_bytes} bytes, at most {MAX_KEY_BYTES}"
    if "\0" in key:
        return "holds a zero character"
    for part in key.split("/"):
        if not part:
            return "empty, absolute, or with an empty part"
        if part in (".", ".."):
            return f"holds the part {part!r}"
        if len(part.encode()) > MAX_PART_BYTES:
            return f"a part has more than {MAX_PART_BYTES} bytes"
        if part.startswith(TEMPORARY):
            return f"a part begins with {TEMPORARY!r}, which marks unfinished files"
    return ""
