"""Debian packages are unpacked by their format alone."""

import io
import tarfile

import pytest

from bedside.errors import ConfigError
from bedside.oci.parts import Entry, EntryKind
from bedside.package.base.deb import read_deb
from package_samples import COMPRESS, deb_of, tar_of


@pytest.mark.parametrize("compression", COMPRESS)
def test_a_package_gives_its_entries_and_its_stanza(compression: str) -> None:
    members = {"./": None, "./usr/": None, "./usr/tool": b"x" * 3, "./usr/link": "tool"}

    deb = read_deb(
        deb_of(tar_of(members, modes={"./usr/tool": 0o4755}), compression=compression), name="sample"
    )

    assert deb.entries == (
        Entry(path="usr", kind=EntryKind.DIRECTORY, mode=0o755),
        Entry(path="usr/tool", mode=0o4755, content=b"xxx"),
        Entry(path="usr/link", kind=EntryKind.SYMLINK, mode=0o777, target="tool"),
    )
    assert deb.control.startswith("Package: sample\nVersion: 1.0-1\n")
    assert deb.control.endswith("\n of bedside\n")


def test_hard_links_stay_hard_links() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("./a"), io.BytesIO())
        link = tarfile.TarInfo("./b")
        link.type, link.linkname = tarfile.LNKTYPE, "./a"
        tar.addfile(link)

    second = read_deb(deb_of(buffer.getvalue()), name="sample").entries[1]

    assert (second.kind, second.path, second.target) == (EntryKind.HARDLINK, "b", "a")


def test_a_path_out_of_the_root_is_refused() -> None:
    with pytest.raises(ConfigError, match="leaves the root"):
        read_deb(deb_of(tar_of({"./../etc/passwd": b""})), name="sample")


def test_a_device_is_refused() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        device = tarfile.TarInfo("./dev/sda")
        device.type = tarfile.BLKTYPE
        tar.addfile(device)

    with pytest.raises(ConfigError, match="device"):
        read_deb(deb_of(buffer.getvalue()), name="sample")


@pytest.mark.parametrize("kept_bytes", [0, 4, 100, 300])
def test_a_package_cut_short_is_refused(kept_bytes: int) -> None:
    whole = deb_of(tar_of({"./a": b"content"}))

    with pytest.raises(ConfigError, match="sample: not a Debian package"):
        read_deb(whole[:kept_bytes], name="sample")
