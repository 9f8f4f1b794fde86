"""Folders appear whole or not at all, and can be cleared."""

from pathlib import Path

import pytest

from bedside.oci.parts import Entry, EntryKind
from bedside.package.base.unpacked import clear_materials, folder_entries, unpacking, write_entries

ENTRIES = [
    Entry(path="a/tool", content=b"x", mode=0o755),
    Entry(path="a/link", kind=EntryKind.SYMLINK, mode=0o777, target="tool"),
    Entry(path="b/same", kind=EntryKind.HARDLINK, target="a/tool"),
    Entry(path="tmp", kind=EntryKind.DIRECTORY, mode=0o1777),
]


def test_entries_come_back_as_they_were_written(tmp_path: Path) -> None:
    write_entries(ENTRIES, tmp_path)

    found = list(folder_entries(tmp_path, below="opt"))

    assert [(entry.path, entry.kind, entry.mode, entry.target) for entry in found] == [
        ("opt/a/link", EntryKind.SYMLINK, 0o777, "tool"),
        ("opt/a/tool", EntryKind.FILE, 0o755, ""),
        ("opt/b/same", EntryKind.FILE, 0o755, ""),
    ]
    assert (tmp_path / "tmp").stat().st_mode & 0o7777 == 0o1777


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), unpacking(tmp_path / "there") as folder:
        write_entries(ENTRIES, folder)
        raise RuntimeError

    assert list(tmp_path.iterdir()) == []


def test_materials_are_cleared_and_layers_stay(tmp_path: Path) -> None:
    for name in ("debs/x", "wheels/tree/module.py", "interpreters/root/python", "blobs/sha256/y"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"12345")

    assert clear_materials(tmp_path) == 15
    assert [path.name for path in tmp_path.iterdir()] == ["blobs"]
