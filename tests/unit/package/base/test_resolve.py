"""A lock is made only from an archive whose signature and hashes are right, and only while it is valid."""

import hashlib
import lzma
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bedside.errors import ConfigError, Unavailable
from bedside.package.base.lock import DebianLock
from bedside.package.base.mirrors import Mirrors, given_mirrors
from bedside.package.base.resolve import Choice, lock_debian, verify_signature
from package_samples import serving_files

pytestmark = pytest.mark.needs("gpg", "gpgv")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CHOICE = Choice(wanted=("app",), left_out=frozenset({"debconf"}), architectures=("amd64", "arm64"))
PACKAGES = {
    "bookworm": [
        ("app", "1.0-1", "Depends: liba (>= 1), debconf | dpkg, nothing | libb:any\nPre-Depends: libc6\n"),
        ("liba", "1.0-1", "Depends: app\n"),
        ("libb", "1.0-1", ""),
        ("libc6", "2.36-9", ""),
        ("unwanted", "1", ""),
        ("debconf", "1", ""),
    ],
    "bookworm-updates": [("liba", "1.0-1~bpo1", "")],
    "bookworm-security": [("libc6", "2.36-10", "")],
}


class Signer:
    """A key of an archive, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        self.home = folder
        self.keyring = folder / "archive.gpg"
        self._gpg("--quick-generate-key", "archive <archive@example.org>", "ed25519", "sign", "never")
        self.keyring.write_bytes(self._gpg("--export"))

    def sign(self, text: str) -> bytes:
        return self._gpg("--clearsign", data=text.encode())

    def close(self) -> None:
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=True)

    def _gpg(self, *arguments: str, data: bytes = b"") -> bytes:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", "--passphrase", "", *arguments]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signer]:
    # gpg's sockets need a short path.
    made = Signer(tmp_path_factory.mktemp("k") / "g")
    yield made
    made.close()


@dataclass(frozen=True, kw_only=True)
class Archive:
    """Files of a small archive, by path on its server."""

    files: dict[str, bytes]
    mirrors: Mirrors


@pytest.fixture
def archive(signer: Signer) -> Iterator[Archive]:
    files: dict[str, bytes] = {}
    for suite, packages in PACKAGES.items():
        root = "/debian-security" if suite.endswith("-security") else "/debian"
        sums = ""
        for architecture in CHOICE.architectures:
            data = lzma.compress("\n".join(stanza(*package, architecture) for package in packages).encode())
            name = f"main/binary-{architecture}/Packages.xz"
            files[f"{root}/dists/{suite}/{name}"] = data
            sums += f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}\n"
        valid = "Valid-Until: Sat, 03 Jan 2026 00:00:00 UTC\n" if "security" in suite else ""
        text = f"Suite: {suite}\nDate: Thu, 01 Jan 2026 00:00:00 UTC\n{valid}SHA256:\n{sums}"
        files[f"{root}/dists/{suite}/InRelease"] = signer.sign(text)
    with serving_files(files) as served:
        yield Archive(files=files, mirrors=given_mirrors([f"{served.address}/debian"]))


def stanza(name: str, version: str, needs: str, architecture: str) -> str:
    digest = hashlib.sha256(f"{name}{version}{architecture}".encode()).hexdigest()
    return (
        f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n{needs}"
        f"Filename: pool/{name}_{version}_{architecture}.deb\nSize: 7\nSHA256: {digest}\n"
    )


def locked(archive: Archive, signer: Signer, *, now: datetime = NOW) -> DebianLock:
    return lock_debian(archive.mirrors, now=now, keyring=signer.keyring, choice=CHOICE)


def test_the_newest_of_all_suites_and_what_it_depends_on_is_locked(archive: Archive, signer: Signer) -> None:
    lock = locked(archive, signer)

    assert [(one.name, one.version, one.archive) for one in lock.for_architecture("arm64")] == [
        ("app", "1.0-1", "debian"),
        ("liba", "1.0-1", "debian"),
        ("libb", "1.0-1", "debian"),
        ("libc6", "2.36-10", "debian-security"),
    ]
    assert {one.architecture for one in lock.for_architecture("amd64")} == {"amd64"}
    assert lock.snapshot == "20260102T030405Z"
    assert all(len(one.signed_by) == 1 for one in lock.releases)


def test_a_changed_release_is_refused(archive: Archive, signer: Signer) -> None:
    path = "/debian/dists/bookworm/InRelease"
    archive.files[path] = archive.files[path].replace(b"Date: Thu", b"Date: Fri")

    with pytest.raises(ConfigError, match="no good signature"):
        locked(archive, signer)


def test_text_outside_of_the_signature_does_not_count(signer: Signer) -> None:
    data = b"SHA256:\n forged\n" + signer.sign("Date: x\n") + b"SHA256:\n forged\n"

    text, _ = verify_signature(signer.sign("Date: x\n"), keyring=signer.keyring, name="InRelease")
    assert text == "Date: x\n"
    try:
        text, _ = verify_signature(data, keyring=signer.keyring, name="InRelease")
    except ConfigError:
        return
    assert "forged" not in text


def test_a_key_that_is_not_in_the_keyring_is_refused(
    archive: Archive, signer: Signer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Signer(tmp_path_factory.mktemp("o") / "g")
    other.close()

    with pytest.raises(ConfigError, match="no good signature by a key of"):
        locked(archive, other)


def test_unsigned_text_is_refused(archive: Archive, signer: Signer) -> None:
    archive.files["/debian/dists/bookworm/InRelease"] = b"Suite: bookworm\nSHA256:\n"

    with pytest.raises(ConfigError, match="no good signature"):
        locked(archive, signer)


def test_a_changed_list_of_packages_is_refused(archive: Archive, signer: Signer) -> None:
    path = "/debian-security/dists/bookworm-security/main/binary-arm64/Packages.xz"
    archive.files[path] = lzma.compress(stanza("libc6", "99", "", "arm64").encode())

    with pytest.raises(ConfigError, match=r"Packages\.xz: \d+ bytes, not the"):
        locked(archive, signer)


def test_an_archive_past_its_time_is_refused(archive: Archive, signer: Signer) -> None:
    with pytest.raises(ConfigError, match="valid until"):
        locked(archive, signer, now=datetime(2026, 1, 4, tzinfo=UTC))


def test_a_missing_package_is_named(archive: Archive, signer: Signer) -> None:
    choice = replace(CHOICE, wanted=("absent",))

    with pytest.raises(ConfigError, match="has no package absent"):
        lock_debian(archive.mirrors, now=NOW, keyring=signer.keyring, choice=choice)


def test_without_mirror_or_keyring_it_says_what_to_do(
    archive: Archive, signer: Signer, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as raised:
        lock_debian(Mirrors(), now=NOW, keyring=signer.keyring)
    assert "--mirror" in raised.value.hint
    with pytest.raises(ConfigError) as raised:
        lock_debian(archive.mirrors, now=NOW, keyring=tmp_path / "none.gpg")
    assert raised.value.hint == "apt-get install debian-archive-keyring"
    archive.files.clear()
    with pytest.raises(Unavailable, match="HTTP 404"):
        locked(archive, signer)
