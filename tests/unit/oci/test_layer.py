"""Layers: the same bytes whatever the order, the tree and the number of threads; and what a tar holds."""

import gzip
import hashlib
import io
import os
import random
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest
import zstandard

from bedside.errors import ConfigError, Unavailable
from bedside.oci import compress as compression_module
from bedside.oci.cache import LayerCache
from bedside.oci.compress import BLOCK_BYTES, Compression, compress, decompressed
from bedside.oci.layer import bake
from bedside.oci.parts import Entry, EntryKind, Recipe
from bedside.oci.tar import tar

LONG = "opt/" + "/".join(f"folder-{n:02}" for n in range(20)) + "/" + "x" * 120


def entries(tree: Path) -> list[Entry]:
    (tree / "big").write_bytes(random.Random(1).randbytes(3 * BLOCK_BYTES + 17))
    (tree / "same").write_bytes(b"same" * 1000)
    return [
        Entry(path="opt/b/big", content=tree / "big"),
        Entry(path="opt/a/small", content=b"small", mode=0o755),
        Entry(path="opt/link", kind=EntryKind.SYMLINK, target="a/small"),
        Entry(path="usr/zz", content=tree / "same"),
        Entry(path="usr/aa", kind=EntryKind.HARDLINK, target="usr/zz"),
        Entry(path="tmp", kind=EntryKind.DIRECTORY, mode=0o1777),
        Entry(path="opt/straße", content="Grüße".encode()),
        Entry(path=LONG, content=b"long"),
    ]


def recipe(found: Iterable[Entry], key: str = "k") -> Recipe:
    return Recipe(key=key, comment="test", entries=lambda: list(found))


def unpacked(data: bytes) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {m.name: (m, archive.extractfile(m).read() if m.isfile() else b"") for m in archive}


@pytest.mark.parametrize("compression", list(Compression))
def test_layer_is_read_by_others_and_has_both_digests(tmp_path: Path, compression: Compression) -> None:
    layer = bake(recipe(entries(tmp_path)), cache=LayerCache(tmp_path / "cache"), compression=compression)
    data = layer.part.path.read_bytes()
    assert layer.part.descriptor.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert layer.part.descriptor.size_bytes == len(data)
    plain = {
        Compression.GZIP: gzip.decompress,
        Compression.ZSTD: lambda d: zstandard.ZstdDecompressor().decompressobj().decompress(d),
        Compression.NONE: bytes,
    }[compression](data)
    assert layer.diff_id == f"sha256:{hashlib.sha256(plain).hexdigest()}"
    assert decompressed(io.BytesIO(data), layer.part.descriptor.media_type).read() == plain
    found = unpacked(plain)
    assert found["opt/b/big"][1] == (tmp_path / "big").read_bytes()
    assert found["opt/a/small"][0].mode == 0o755
    assert found["opt/link"][0].linkname == "a/small"
    assert found["tmp"][0].mode == 0o1777
    assert found["opt/straße"][1] == "Grüße".encode()
    assert found[LONG][1] == b"long"
    assert list(found) == sorted(found, key=str.encode)
    assert {(m.uid, m.gid, m.mtime, m.uname, m.gname) for m, _ in found.values()} == {(0, 0, 0, "", "")}
    assert found["opt/b"][0].isdir(), "parents are there"


def test_hard_links_follow_their_file(tmp_path: Path) -> None:
    found = unpacked(b"".join(tar(entries(tmp_path))))
    assert found["usr/aa"][1] == b"same" * 1000
    assert (found["usr/zz"][0].type, found["usr/zz"][0].linkname) == (tarfile.LNKTYPE, "usr/aa")


@pytest.mark.parametrize("compression", [Compression.GZIP, Compression.ZSTD])
def test_same_bytes_from_shuffled_entries_another_tree_and_other_threads(
    tmp_path: Path, compression: Compression, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = set()
    for number, threads in enumerate((1, 2, 5)):
        tree = tmp_path / str(number)
        tree.mkdir()
        found = entries(tree)
        random.Random(number).shuffle(found)
        for path in tree.iterdir():
            path.chmod(0o600 + number)
            os.utime(path, (number, number))
        monkeypatch.setattr(compression_module, "_threads", lambda threads=threads: threads)
        cache = LayerCache(tmp_path / f"cache{number}")
        digests.add(bake(recipe(found), cache=cache, compression=compression).part.descriptor.digest)
    assert len(digests) == 1


def test_compressed_bytes_do_not_depend_on_how_the_input_was_cut() -> None:
    data = random.Random(2).randbytes(BLOCK_BYTES) + b"again" * 700_000
    whole = b"".join(compress([data], Compression.GZIP))
    cut = b"".join(compress((data[i : i + 999] for i in range(0, len(data), 999)), Compression.GZIP))
    assert whole == cut
    assert gzip.decompress(whole) == data
    assert gzip.decompress(b"".join(compress([], Compression.GZIP))) == b""


def test_bytes_of_a_layer_stay_as_they_are(tmp_path: Path) -> None:
    """The tar's form is part of every release's identity; change TAR_VERSION with it."""
    small = [entry for entry in entries(tmp_path) if entry.path != "opt/b/big"]
    digest = hashlib.sha256(b"".join(tar(small))).hexdigest()
    assert digest == "e143a87df5086208004b85782cee4827b6129a420e52586b7407ddae867f6736"


@pytest.mark.parametrize("path", ["/etc/passwd", "a/../b", "a//b", "", ".", "a/./b"])
def test_path_that_leaves_the_root_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="no path below the root"):
        list(tar([Entry(path=path)]))


def test_contradictions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two different entries at a"):
        list(tar([Entry(path="a", content=b"1"), Entry(path="a", content=b"2")]))
    with pytest.raises(ConfigError, match="a is a file, and a/b lies below it"):
        list(tar([Entry(path="a", content=b"1"), Entry(path="a/b", content=b"2")]))
    with pytest.raises(ConfigError, match="hard link to b"):
        list(tar([Entry(path="a", kind=EntryKind.HARDLINK, target="b")]))
    with pytest.raises(ConfigError, match="is missing"):
        list(tar([Entry(path="a", content=tmp_path / "gone")]))


def test_file_that_grows_while_it_is_packed_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "f"
    source.write_bytes(b"1" * 10)
    pieces = tar([Entry(path="f", content=source)])
    next(pieces)
    with source.open("ab") as stream:
        stream.write(b"2")
    with pytest.raises(Unavailable, match="changed while it was read: 10 bytes, then 11"):
        list(pieces)


def test_sizes_beyond_ustar_get_a_pax_header(tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    with huge.open("wb") as stream:
        stream.truncate(8 << 30)
    header = b"".join(
        piece for piece, _ in zip(tar([Entry(path="huge", content=huge)]), range(3), strict=False)
    )
    with tarfile.open(fileobj=io.BytesIO(header)) as archive:
        member = archive.next()
    assert member is not None
    assert member.size == 8 << 30
