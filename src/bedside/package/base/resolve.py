"""Makes or refreshes the lock of a Debian base: signatures, hash chain, newest versions, dependencies.

Owns the trust in Debian's archive: ``InRelease`` is signed by a key of the archive keyring (gpgv says so),
names the hash of ``Packages``, which names the hash of every package. A build repeats none of it: it
trusts the lock. Versions in dependencies are not solved: within one suite they agree.
"""

import hashlib
import lzma
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from bedside.errors import ConfigError, Unavailable
from bedside.package.base.fetch import TIMEOUT_S, get
from bedside.package.base.lock import DebianLock, DebianPackage, Release
from bedside.package.base.mirrors import Mirrors
from bedside.package.base.versions import stanzas, version_key

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
ARCHITECTURES = ("amd64", "arm64")
#: What a MAP needs: Python with TLS, the C++ library that wheels expect, CA certificates, the name of the
#: distribution, by which scanners find its advisories, and the shells that hosts of the first generation
#: start MAPs with.
WANTED = (
    "base-files",
    "bash",
    "ca-certificates",
    "dash",
    "libgcc-s1",
    "libpython3.11-stdlib",
    "libstdc++6",
    "python3.11-minimal",
    "zlib1g",
)
#: Dependencies that nothing in a MAP uses: configuration at installation, terminals, databases and
#: network services of the standard library that no longer exist.
LEFT_OUT = frozenset({
    "awk", "debconf", "debconf-2.0", "debianutils", "dpkg", "libdb5.3", "libncursesw6", "libnsl2",
    "libreadline8", "libtirpc3", "mawk", "media-types", "mime-support", "openssl",
})  # fmt: skip
_SHA256_LINE = re.compile(r"^ ([0-9a-f]{64})\s+(\d+)\s+(\S+)$", re.MULTILINE)
_Stanza = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a lock is made for.

    Attributes:
        suite: Code name of the Debian release.
        wanted: Packages by name; their dependencies follow.
        left_out: Dependencies that are not followed.
        architectures: Of machines.
    """

    suite: str = "bookworm"
    wanted: Sequence[str] = WANTED
    left_out: frozenset[str] = LEFT_OUT
    architectures: Sequence[str] = ARCHITECTURES


def lock_debian(
    mirrors: Mirrors, *, now: datetime, keyring: Path = KEYRING, choice: Choice | None = None
) -> DebianLock:
    """Return a lock of the newest packages.

    Args:
        mirrors: Archives to ask; those of this machine's apt, or given ones.
        now: The time; an ``InRelease`` past its ``Valid-Until`` is refused.
        keyring: Public keys of Debian's archive.
        choice: Packages and architectures.

    Raises:
        Unavailable: no mirror answers.
        ConfigError: a signature or hash is wrong, a package is missing, gpgv or the keyring is not there.
    """
    choice = choice or Choice()
    if not mirrors.debian or not mirrors.security:
        raise ConfigError(
            "Debian lock: no mirror is known, this machine has no apt sources of Debian",
            hint="bedside package --refresh-base FILE --mirror ADDRESS",
        )
    suites = (
        ("debian", choice.suite),
        ("debian", f"{choice.suite}-updates"),
        ("debian-security", f"{choice.suite}-security"),
    )
    releases: list[Release] = []
    newest: dict[str, dict[str, DebianPackage]] = {name: {} for name in choice.architectures}
    needs: dict[str, dict[str, _Stanza]] = {name: {} for name in choice.architectures}
    with httpx.Client(timeout=TIMEOUT_S, follow_redirects=True) as client:
        for archive, suite in suites:
            root, text, release = _release(
                client, mirrors.of(archive), archive, suite, now=now, keyring=keyring
            )
            releases.append(release)
            for architecture in choice.architectures:
                packages = _packages(client, f"{root}/dists/{suite}", text, architecture)
                _take_newest(packages, archive, newest[architecture], needs[architecture])
    return DebianLock(
        suite=choice.suite,
        snapshot=now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ"),
        releases=tuple(releases),
        packages={name: _closure(newest[name], needs[name], choice) for name in choice.architectures},
    )


def _release(
    client: httpx.Client, roots: Sequence[str], archive: str, suite: str, *, now: datetime, keyring: Path
) -> tuple[str, str, Release]:
    """Return the root that has a suite, the signed text of its ``InRelease``, and what the lock keeps."""
    said = []
    for root in roots:
        address = f"{root}/dists/{suite}/InRelease"
        try:
            data = get(client, address)
        except Unavailable as exc:
            said.append(exc.message)
            continue
        text, keys = verify_signature(data, keyring=keyring, name=address)
        fields = next(stanzas(text))
        until = fields.get("Valid-Until", "")
        if until and parsedate_to_datetime(until) < now:
            raise ConfigError(f"{address}: valid until {until} only; the mirror is out of date")
        date = fields.get("Date", "")
        digest = hashlib.sha256(data).hexdigest()
        return root, text, Release(archive=archive, suite=suite, date=date, sha256=digest, signed_by=keys)
    raise Unavailable(f"{suite}: no mirror has it: {'; '.join(said)}")


def verify_signature(data: bytes, *, keyring: Path, name: str) -> tuple[str, tuple[str, ...]]:
    """Return the text that a clear-signed file signs, and the fingerprints of the good signatures.

    Raises:
        ConfigError: no signature by a key of the keyring is good, a signature is bad, or gpgv is missing.
    """
    if shutil.which("gpgv") is None:
        raise ConfigError(
            f"{name}: its signature cannot be checked without gpgv", hint="apt-get install gpgv"
        )
    if not keyring.is_file():
        raise ConfigError(f"{keyring}: not there", hint="apt-get install debian-archive-keyring")
    with TemporaryDirectory() as folder:
        signed, text = Path(folder) / "InRelease", Path(folder) / "text"
        signed.write_bytes(data)
        command = ["gpgv", "--status-fd", "1", "--keyring", str(keyring), "--output", str(text), str(signed)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        keys = tuple(sorted(re.findall(r"^\[GNUPG:\] VALIDSIG ([0-9A-F]+)", done.stdout, re.MULTILINE)))
        bad = re.search(r"^\[GNUPG:\] (BADSIG|EXPSIG|EXPKEYSIG|REVKEYSIG)", done.stdout, re.MULTILINE)
        # gpgv's exit code is not 0 either where one of several signatures is by a key it does not have.
        if bad or not keys or not text.is_file():
            last = (done.stderr.strip().splitlines() or ["no signature"])[-1]
            raise ConfigError(f"{name}: no good signature by a key of {keyring} ({last})")
        return text.read_text(encoding="utf-8"), keys


def _packages(client: httpx.Client, place: str, release: str, architecture: str) -> list[_Stanza]:
    """Return the stanzas of a suite's packages, their list's hash checked against its release."""
    name = f"main/binary-{architecture}/Packages.xz"
    sums = release.partition("\nSHA256:")[2]
    known = {path: (digest, int(size)) for digest, size, path in _SHA256_LINE.findall(sums)}
    if name not in known:
        raise ConfigError(f"{place}: lists no {name}")
    digest, size = known[name]
    data = get(client, f"{place}/{name}")
    if len(data) != size or hashlib.sha256(data).hexdigest() != digest:
        raise ConfigError(
            f"{place}/{name}: {len(data)} bytes, not the {size} with sha256 {digest[:12]}… of its release",
            hint="the mirror may be in the middle of an update: try again in some minutes",
        )
    return list(stanzas(lzma.decompress(data).decode("utf-8")))


def _take_newest(
    packages: Sequence[_Stanza], archive: str, newest: dict[str, DebianPackage], needs: dict[str, _Stanza]
) -> None:
    for stanza in packages:
        known = newest.get(stanza["Package"])
        if known and version_key(known.version) >= version_key(stanza["Version"]):
            continue
        needs[stanza["Package"]] = stanza
        newest[stanza["Package"]] = DebianPackage(
            name=stanza["Package"],
            version=stanza["Version"],
            architecture=stanza["Architecture"],
            archive=archive,
            path=stanza["Filename"],
            size_bytes=int(stanza["Size"]),
            sha256=stanza["SHA256"],
        )


def _closure(
    newest: Mapping[str, DebianPackage], needs: Mapping[str, _Stanza], choice: Choice
) -> tuple[DebianPackage, ...]:
    """Return the wanted packages and all they depend on, less what is left out, sorted by name."""
    chosen: dict[str, DebianPackage] = {}
    waiting = list(choice.wanted)
    while waiting:
        name = waiting.pop()
        if name in chosen:
            continue
        if name not in newest:
            raise ConfigError(f"Debian {choice.suite}: has no package {name}")
        chosen[name] = newest[name]
        stanza = needs[name]
        for group in f"{stanza.get('Pre-Depends', '')},{stanza.get('Depends', '')}".split(","):
            options = [re.split(r"[\s(:\[]", option.strip())[0] for option in group.split("|")]
            if options == [""] or choice.left_out.intersection(options) or chosen.keys() & set(options):
                continue
            waiting.append(next((option for option in options if option in newest), options[0]))
    return tuple(chosen[name] for name in sorted(chosen))
