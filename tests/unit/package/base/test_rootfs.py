"""The root file system: what stays of the packages, and what their scripts would have made."""

import random

import pytest

from bedside.oci.parts import Entry, EntryKind
from bedside.package.base.deb import Deb, read_deb
from bedside.package.base.rootfs import merge_usr, root_entries
from package_samples import deb_of, tar_of

FILES: dict[str, dict[str, bytes | str | None]] = {
    "libc6": {
        "./lib/x86_64-linux-gnu/libc.so.6": b"libc",
        "./lib64/ld-linux-x86-64.so.2": "/lib/x86_64-linux-gnu/ld.so",
        "./usr/share/doc/libc6/copyright": b"terms",
        "./usr/share/doc/libc6/changelog.gz": b"news",
        "./usr/share/locale/de/x.mo": b"Wort",
        "./usr/lib/x86_64-linux-gnu/gconv/BIG5.so": b"table",
    },
    "python3.11-minimal": {
        "./usr/bin/python3.11": b"python",
        "./usr/lib/python3.11/os.py": b"import sys\n",
        "./usr/lib/python3.11/test/support.py": b"",
        "./usr/lib/python3.11/testing.py": b"",
        "./usr/share/man/man1/python3.11.1.gz": b"manual",
    },
    "ca-certificates": {
        "./usr/share/ca-certificates/mozilla/B.crt": b"second\n\n",
        "./usr/share/ca-certificates/mozilla/A.crt": b"first",
        "./usr/sbin/update-ca-certificates": b"#!/bin/sh\n",
    },
}


@pytest.fixture
def debs() -> list[Deb]:
    return [read_deb(deb_of(tar_of(files), name=name), name=name) for name, files in FILES.items()]


def content(entries: list[Entry], path: str) -> bytes:
    found = next(entry.content for entry in entries if entry.path == path)
    assert isinstance(found, bytes)
    return found


def test_what_a_map_needs_stays_and_the_rest_does_not(debs: list[Deb]) -> None:
    paths = {entry.path for entry in root_entries(debs, python="3.11")}

    assert {
        "usr/lib/x86_64-linux-gnu/libc.so.6",
        "usr/bin/python3.11",
        "usr/lib/python3.11/testing.py",
    } <= paths
    assert "usr/share/doc/libc6/copyright" in paths
    for lost in ("changelog", "locale", "/man", "python3.11/test/", "update-ca", "gconv"):
        assert not [path for path in paths if lost in path], lost


def test_links_of_the_merged_usr_and_python3_are_there(debs: list[Deb]) -> None:
    links = {
        entry.path: entry.target
        for entry in root_entries(debs, python="3.11")
        if entry.kind is EntryKind.SYMLINK
    }

    assert links["lib"] == "usr/lib"
    assert links["lib64"] == "usr/lib64"
    assert links["bin"] == "usr/bin"
    assert links["usr/bin/python3"] == "python3.11"
    assert links["usr/lib64/ld-linux-x86-64.so.2"] == "/lib/x86_64-linux-gnu/ld.so"


def test_a_relative_link_that_moves_leads_where_it_led() -> None:
    link = Entry(path="lib/udev/tool", kind=EntryKind.SYMLINK, target="../../usr/bin/tool")
    beside = Entry(path="lib/a.so.1", kind=EntryKind.SYMLINK, target="a.so.1.2")
    still = Entry(path="usr/lib/b", kind=EntryKind.SYMLINK, target="../../lib/b")

    assert merge_usr(link).path == "usr/lib/udev/tool"
    assert merge_usr(link).target == "../../bin/tool"
    assert merge_usr(beside).target == "a.so.1.2"
    assert merge_usr(still) == still


def test_accounts_certificates_and_the_list_of_packages_are_made(debs: list[Deb]) -> None:
    entries = root_entries(debs, python="3.11")

    assert b":1000:1000:" in content(entries, "etc/passwd")
    assert content(entries, "etc/ssl/certs/ca-certificates.crt") == b"first\nsecond\n"
    status = content(entries, "var/lib/dpkg/status").decode()
    assert [line for line in status.splitlines() if line.startswith(("Package", "Status"))] == [
        *("Package: ca-certificates", "Status: install ok installed"),
        *("Package: libc6", "Status: install ok installed"),
        *("Package: python3.11-minimal", "Status: install ok installed"),
    ]


def test_anybody_may_write_to_tmp_and_read_the_rest(debs: list[Deb]) -> None:
    modes = {entry.path: entry.mode for entry in root_entries(debs, python="3.11")}

    assert modes["tmp"] == modes["var/tmp"] == 0o1777
    assert all(mode & 0o004 for mode in modes.values())


def test_the_order_of_packages_changes_nothing(debs: list[Deb]) -> None:
    shuffled = random.Random(7).sample(debs, len(debs))

    assert root_entries(shuffled, python="3.11") == root_entries(debs, python="3.11")
