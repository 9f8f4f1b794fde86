"""Mirrors of Debian: what apt's sources name, what a person gives, and the snapshot archive last."""

from pathlib import Path

from bedside.package.base.mirrors import Mirrors, apt_mirrors, given_mirrors

DEB822 = """\
# a comment
Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components:
 main
 contrib

Enabled: no
Types: deb
URIs: http://switched-off.example/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://sources.example/debian
Suites: bookworm
Components: main
"""
ONE_LINE = """\
deb [arch=amd64 signed-by=/x.gpg] https://one.example/debian bookworm main contrib
deb https://packages.example/apt vendor-suite-7 main
deb cdrom:[Debian]/ bookworm main
#deb http://comment.example/debian bookworm main
deb http://security.example/debian-security bookworm-security main
"""


def test_apt_sources_in_both_forms_are_read(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(DEB822)
    (tmp_path / "sources.list").write_text(ONE_LINE)

    found = apt_mirrors(tmp_path)

    assert found == Mirrors(
        debian=("https://one.example/debian", "http://mirror.example/debian"),
        security=("http://security.example/debian-security", "http://mirror.example/debian-security"),
    )


def test_without_apt_there_is_no_mirror(tmp_path: Path) -> None:
    assert apt_mirrors(tmp_path / "none") == Mirrors()


def test_the_security_archive_lies_beside_a_given_mirror() -> None:
    found = given_mirrors(["http://mirror.example/debian/"])

    assert found.of("debian") == ("http://mirror.example/debian",)
    assert found.of("debian-security") == (
        "http://mirror.example/debian-security",
        "http://mirror.example/debian",
    )


def test_the_snapshot_archive_comes_last_at_the_time_of_the_lock() -> None:
    found = given_mirrors(["http://mirror.example/debian"]).and_snapshot("20260102T030405Z")

    assert found.debian[0] == "http://mirror.example/debian"
    assert found.debian[-1].endswith("/archive/debian/20260102T030405Z")
    assert found.security[-1].endswith("/archive/debian-security/20260102T030405Z")
