"""Where Debian's archives are: given mirrors, the apt sources of this machine, the snapshot archive.

Owns the reading of apt's two source formats (sources.list(5): one line, deb822) as far as a mirror's
address goes, and the order of trying. Mirrors forget old versions; the snapshot archive does not,
so it comes last and is asked at the time of the lock.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

SNAPSHOTS = "https://snapshot.debian.org/archive"
SECURITY = "debian-security"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrors:
    """Roots of archives, in the order of trying.

    Attributes:
        debian: Of the main archive; each has ``dists/`` and ``pool/`` below.
        security: Of the security archive.
    """

    debian: tuple[str, ...] = ()
    security: tuple[str, ...] = ()

    def of(self, archive: str) -> tuple[str, ...]:
        """Return the roots of ``debian`` or ``debian-security``."""
        return self.security if archive == SECURITY else self.debian

    def and_snapshot(self, time: str) -> "Mirrors":
        """Return these mirrors, and after them the snapshot archive at a time ``YYYYMMDDThhmmssZ``."""
        return Mirrors(
            debian=(*self.debian, f"{SNAPSHOTS}/debian/{time}"),
            security=(*self.security, f"{SNAPSHOTS}/{SECURITY}/{time}"),
        )


def given_mirrors(addresses: Sequence[str]) -> Mirrors:
    """Return mirrors by their addresses, e.g. ``http://mirror.example/debian``.

    The security archive is looked for beside the main one, under the name mirrors give it
    (``…/debian-security``), and at the address itself, for mirrors that hold both.
    """
    roots = [address.rstrip("/") for address in addresses]
    beside = [f"{root.rsplit('/', 1)[0]}/{SECURITY}" for root in roots if not root.endswith(SECURITY)]
    return Mirrors(debian=tuple(roots), security=_unique([*beside, *roots]))


def apt_mirrors(etc_apt: Path = Path("/etc/apt")) -> Mirrors:
    """Return the mirrors that this machine's apt uses; none where there is no apt.

    Only http and https mirrors of Debian itself count: suites named like a Debian release, with a
    component ``main``. Other people's repositories do not hold the packages of a lock.
    """
    found: list[tuple[str, str]] = []
    lists = [etc_apt / "sources.list", *sorted((etc_apt / "sources.list.d").glob("*.list"))]
    for path in lists:
        found += _one_line(_read(path))
    for path in sorted((etc_apt / "sources.list.d").glob("*.sources")):
        found += _deb822(_read(path))
    return Mirrors(
        debian=_unique(uri for uri, suite in found if "security" not in suite),
        security=_unique(uri for uri, suite in found if "security" in suite),
    )


def _one_line(text: str) -> list[tuple[str, str]]:
    """Return (address, suite) of each ``deb [options] URI suite component…`` line."""
    pairs = []
    for line in text.splitlines():
        words = re.sub(r"\[[^]]*\]", "", line.partition("#")[0]).split()
        if len(words) >= 4 and words[0] == "deb" and "main" in words[3:]:
            pairs.append((words[1], words[2]))
    return [pair for pair in pairs if _usable(*pair)]


def _deb822(text: str) -> list[tuple[str, str]]:
    """Return (address, suite) of each enabled stanza."""
    pairs = []
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        fields = {
            name.strip().lower(): " ".join(value.split())
            for name, value in re.findall(r"^([\w-]+):((?:.*)(?:\n[ \t].*)*)", stanza, re.MULTILINE)
        }
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
            continue
        if "main" in fields.get("components", "").split():
            pairs += [
                (uri, suite)
                for uri in fields.get("uris", "").split()
                for suite in fields.get("suites", "").split()
            ]
    return [pair for pair in pairs if _usable(*pair)]


def _usable(uri: str, suite: str) -> bool:
    return uri.startswith(("http://", "https://")) and bool(
        re.match(r"[a-z]+(-security|-updates|/updates)?$", suite)
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _unique(addresses: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(address.rstrip("/") for address in addresses))
