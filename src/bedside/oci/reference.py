"""References: where a container image is in a registry, by host, repository, and tag or digest.

Owns parsing and the rule for a missing host, which is docker's: a first part with a dot or a port, or
``localhost``, is a host; anything else is at docker.io. A tag is only a name that may move, so a
reference that has both tag and digest means the digest.
"""

import ipaddress
import re
from dataclasses import dataclass, replace

from bedside.errors import UsageError

DOCKER_IO = "docker.io"
#: Names that mean docker.io.
_DOCKER_ALIASES = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_SCHEMES = ("docker://", "oci://")

_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
#: "Many clients impose a limit of 255 characters" on host and name together (distribution specification).
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Names a container image in a registry.

    Attributes:
        host: The registry, with its port where it has one.
        repository: The name there.
        tag: A name that may move; empty where only a digest was given.
        digest: The identity; empty where only a tag was given.
    """

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.host}/{self.repository}{tag}{digest}"

    @property
    def pointer(self) -> str:
        """What a registry is asked for: the digest, else the tag, else ``latest``."""
        return self.digest or self.tag or "latest"

    def at(self, digest: str) -> "Reference":
        """Return the same repository by digest, without the tag."""
        return replace(self, tag="", digest=digest)

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Read ``[HOST/]NAME[:TAG][@DIGEST]``.

        Raises:
            UsageError: the text is no reference; the message says which part is wrong.
        """
        rest = _without_scheme(text)
        rest, _, digest = rest.partition("@")
        if "@" in text and not _DIGEST.fullmatch(digest):
            raise _wrong(text, f"the digest {digest!r} is not sha256: and 64 hex digits")
        first, slash, remainder = rest.partition("/")
        if slash and is_host(first):
            host, rest = first, remainder
        else:
            host = DOCKER_IO
        name, colon, tag = rest.partition(":")
        if colon and not _TAG.fullmatch(tag):
            raise _wrong(text, f"the tag {tag!r} has other characters than letters, digits, '.', '_', '-'")
        if host.lower() in _DOCKER_ALIASES:
            host = DOCKER_IO
            name = name if "/" in name else f"library/{name}"
        _check(text, host, name)
        return cls(host=host.lower(), repository=name, tag=tag, digest=digest)


def is_host(part: str) -> bool:
    """Whether the first part of a reference names a host rather than a folder at docker.io."""
    return part == "localhost" or any(mark in part for mark in ".:") or part.lower() != part


def names_host(text: str) -> bool:
    """Whether a text starts with a registry's host, so that it can hardly mean a file or folder."""
    if text.startswith(_SCHEMES):
        return True
    first, slash, rest = text.partition("/")
    return bool(slash and rest and first.strip(".") and is_host(first) and _HOST.fullmatch(first))


def is_loopback(host: str) -> bool:
    """Whether a host (with or without port) is this machine, where plain http is safe."""
    name = host.rpartition(":")[0] if re.search(r":[0-9]+$", host) else host
    name = name.strip("[]")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _without_scheme(text: str) -> str:
    for scheme in _SCHEMES:
        if text.startswith(scheme):
            return text.removeprefix(scheme)
    if "://" in text:
        scheme, _, rest = text.partition("://")
        raise _wrong(text, f"{scheme}:// does not belong here", hint=f"write {rest}")
    return text


def _check(text: str, host: str, name: str) -> None:
    if not _HOST.fullmatch(host):
        raise _wrong(text, f"{host!r} is no host")
    if not name or name == "library/":
        raise _wrong(text, "the name after the host is missing")
    if not _NAME.fullmatch(name):
        lower = name.lower()
        hint = f"write {text.replace(name, lower)}" if _NAME.fullmatch(lower) else ""
        reason = (
            f"the name {name!r} must be lower-case letters, digits, and single '.', '_', '-' or '/' between"
        )
        raise _wrong(text, reason, hint=hint)
    if len(host) + 1 + len(name) > _LONGEST_NAME:
        raise _wrong(
            text, f"host and name have {len(host) + 1 + len(name)} characters, at most {_LONGEST_NAME}"
        )


def _wrong(text: str, reason: str, *, hint: str = "") -> UsageError:
    return UsageError(
        f"{text!r} is no reference to a container image: {reason}",
        hint=hint or "write HOST/NAME:TAG or HOST/NAME@sha256:…, e.g. localhost:5000/spleen:1",
    )
