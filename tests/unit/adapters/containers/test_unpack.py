"""Layers of strangers: what they may do to a folder, and that they do nothing outside it."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from bedside.adapters.containers.unpack import apply_layer, inside, make_folders
from bedside.errors import ConfigError

KINDS = {"file": tarfile.REGTYPE, "folder": tarfile.DIRTYPE, "link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE}


def layer(*entries: tuple[str, str, str], mode: int = 0o644) -> io.BytesIO:
    """Return a tar of (kind, path, content or target)."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for kind, path, text in entries:
            entry = tarfile.TarInfo(path)
            entry.type, entry.mode, entry.uid = KINDS.get(kind, tarfile.CHRTYPE), mode, 4711
            if kind == "file":
                entry.size = len(text)
            else:
                entry.linkname = text
            tar.addfile(entry, io.BytesIO(text.encode()))
    packed.seek(0)
    return packed


def applied(root: Path, *layers: io.BytesIO) -> dict[str, str]:
    for one in layers:
        apply_layer(one, root)
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept.txt").write_text("kept")
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def test_later_layers_replace_and_remove(root: Path) -> None:
    found = applied(
        root,
        layer(("file", "a/one", "1"), ("file", "a/two", "2"), ("file", "b/x", "x"), ("file", "c", "c")),
        layer(
            ("file", "a/.wh.one", ""),
            ("file", "a/two", "new"),
            ("file", "b", "a file now"),
            ("file", ".wh.c", ""),
        ),
    )
    assert found == {"a/two": "new", "b": "a file now"}


def test_an_opaque_folder_keeps_what_its_own_layer_wrote(root: Path) -> None:
    found = applied(
        root,
        layer(("file", "a/old", "old"), ("file", "a/deep/old", "old")),
        layer(("file", "a/deep/new", "new"), ("file", "a/.wh..wh..opq", ""), ("file", "a/last", "last")),
    )
    assert found == {"a/deep/new": "new", "a/last": "last"}


def test_links_of_folders_are_followed_inside_the_root(root: Path) -> None:
    found = applied(
        root,
        layer(("folder", "usr/bin", ""), ("link", "bin", "usr/bin"), ("link", "abs", "/usr")),
        layer(("file", "bin/sh", "sh"), ("file", "abs/lib/x", "x"), ("hard", "bin/dash", "bin/sh")),
    )
    assert found == {"usr/bin/sh": "sh", "usr/bin/dash": "sh", "usr/lib/x": "x"}
    assert (root / "bin").is_symlink()


@pytest.mark.parametrize(
    "entries",
    [
        [("link", "evil", "../../outside"), ("file", "evil/kept.txt", "gone")],
        [("link", "evil", "{outside}"), ("file", "evil/kept.txt", "gone")],
        [("link", "evil", "../outside/kept.txt"), ("file", "evil", "gone")],
        [("link", "evil", "../../outside"), ("file", "evil/.wh.kept.txt", "")],
        [("link", "evil", "../../outside"), ("file", "evil/.wh..wh..opq", "")],
        [("hard", "mine", "../../outside/kept.txt")],
        [("link", "evil", "{outside}"), ("hard", "mine", "evil/kept.txt")],
        [("file", "../outside/kept.txt", "gone")],
        [("file", "/../outside/kept.txt", "gone")],
        [("link", "a", "b"), ("link", "b", "a"), ("file", "a/x", "x")],
        [("link", "evil", "{outside}"), ("folder", "evil", "")],
    ],
)
def test_nothing_outside_the_root_is_touched(root: Path, entries: list[tuple[str, str, str]]) -> None:
    outside = root.parent / "outside"
    try:
        apply_layer(
            layer(*((kind, path, text.format(outside=outside)) for kind, path, text in entries)), root
        )
    except ConfigError as refused:
        assert "layer" in refused.message or "links" in refused.message
    assert [path.name for path in outside.iterdir()] == ["kept.txt"]
    assert (outside / "kept.txt").read_text() == "kept"
    assert (outside / "kept.txt").stat().st_nlink == 1
    assert sorted(path.name for path in root.parent.iterdir()) == ["outside", "root"]


def test_owners_set_id_bits_and_devices_are_left_out(root: Path) -> None:
    apply_layer(layer(("file", "bin/su", "su"), ("device", "dev/sda", ""), mode=0o6755), root)
    su = (root / "bin" / "su").stat()
    assert su.st_mode & 0o7777 == 0o755
    assert su.st_uid == os.getuid()
    assert not (root / "dev" / "sda").exists()


def test_a_folder_that_nobody_may_enter_can_still_be_removed(root: Path) -> None:
    apply_layer(layer(("folder", "closed", ""), mode=0), root)
    assert (root / "closed").stat().st_mode & 0o700 == 0o700


def test_mount_points_are_made_where_their_links_lead(root: Path) -> None:
    apply_layer(layer(("folder", "run", ""), ("link", "var", "/run"), ("file", "run/taken", "x")), root)
    make_folders(root, ["/var/holoscan/input", "/proc"])
    assert (root / "run" / "holoscan" / "input").is_dir()
    assert (root / "proc").is_dir()
    assert inside(root, "/var/holoscan") == root / "run" / "holoscan"
