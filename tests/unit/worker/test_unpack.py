"""ZIPs from strangers: whole ones come out numbered and hashed, the rest is refused and leaves no trace."""

import hashlib
import io
import os
import random
import resource
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from bedside.errors import InputRejected, Unavailable
from bedside.worker.unpack import Limits, hash_file, is_zip, unpack

LIMITS = Limits(max_files=100, max_bytes=50 * 2**20, max_ratio=100.0)
PATIENT = "DOE_JANE_19700101"


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def entry(name: str, **attributes: object) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        info = zipfile.ZipInfo(name)
        for key, value in attributes.items():
            setattr(info, key, value)
        archive.writestr(info, b"content")
    return stream.getvalue()


def patched(archive: bytes, field: int, fmt: str, value: int, *, local: int | None = None) -> bytes:
    """Overwrite a field of the first central header (and of the local one, where it has it)."""
    raw = bytearray(archive)
    struct.pack_into(fmt, raw, raw.index(b"PK\x01\x02") + field, value)
    if local is not None:
        struct.pack_into(fmt, raw, raw.index(b"PK\x03\x04") + local, value)
    return bytes(raw)


def run(archive: bytes, tmp_path: Path, limits: Limits = LIMITS) -> list[bytes]:
    """Unpack, and hold that nothing was written but numbered files in the folder."""
    (tmp_path / "x.zip").write_bytes(archive)
    folder = tmp_path / "in" / "folder"
    folder.mkdir(parents=True)
    try:
        files = unpack(tmp_path / "x.zip", folder, limits)
    finally:
        assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "x.zip"]
        assert [p.name for p in (tmp_path / "in").iterdir()] == ["folder"]
        assert all(p.name.isdigit() and p.is_file() and not p.is_symlink() for p in folder.iterdir())
    return [f.path.read_bytes() for f in files]


def refused(archive: bytes, tmp_path: Path, limits: Limits = LIMITS) -> str:
    with pytest.raises(InputRejected) as caught:
        run(archive, tmp_path, limits)
    assert PATIENT not in caught.value.message + caught.value.hint
    return caught.value.message


def test_files_come_out_numbered_hashed_and_read_only(tmp_path: Path) -> None:
    content = {f"{PATIENT}/a/1.dcm": b"one" * 1000, f"{PATIENT}/2": b"", "3": os.urandom(3_000_000)}
    (tmp_path / "x.zip").write_bytes(zipped(content))
    files = unpack(tmp_path / "x.zip", tmp_path, LIMITS)
    assert [f.path.name for f in files] == ["000001", "000002", "000003"]
    for file, data in zip(files, content.values(), strict=True):
        assert file.path.read_bytes() == data
        assert file.sha256 == hashlib.sha256(data).hexdigest()
        assert file.size_bytes == len(data)
        assert file.path.stat().st_mode & 0o777 == 0o444
        assert hash_file(file.path) == file


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_stored_and_deflated_are_read(tmp_path: Path, method: int) -> None:
    assert run(zipped({"a": b"x" * 5000}, method), tmp_path) == [b"x" * 5000]


def test_folders_and_systems_junk_are_left_out(tmp_path: Path) -> None:
    files = {
        "a/": b"",
        "a/1": b"1",
        "__MACOSX/a/._1": b"j",
        "a/.DS_Store": b"j",
        "a/Thumbs.db": b"j",
        "a/._1": b"j",
    }
    assert run(zipped(files), tmp_path) == [b"1"]


def test_windows_separators_and_strange_characters_are_fine(tmp_path: Path) -> None:
    assert run(zipped({"DICOM\\PAT\\IM1": b"1", "Müller/ü€": b"2"}), tmp_path) == [b"1", b"2"]


def test_zip64_and_data_before_the_zip_are_fine(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive, archive.open("a", "w", force_zip64=True) as target:
        target.write(b"big")
    assert run(b"MZ self-extracting" + stream.getvalue(), tmp_path) == [b"big"]


def test_the_zip64_table_of_large_archives_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 5)  # as if there were more than 65,535
    archive = zipped({str(n): str(n).encode() for n in range(9)})
    assert b"PK\x06\x06" in archive
    assert run(archive, tmp_path) == [str(n).encode() for n in range(9)]
    with pytest.raises(InputRejected, match="9 entries"):
        unpack(tmp_path / "x.zip", tmp_path, Limits(max_files=8))


def test_an_archive_of_nothing_has_no_files(tmp_path: Path) -> None:
    assert run(zipped({}), tmp_path) == []


NAMES = {
    "../../etc/cron.d/x": "leads out",
    "a/../../b": "leads out",
    "..\\..\\b": "leads out",
    "..": "leads out",
    "/etc/passwd": "absolute",
    "\\\\server\\share": "absolute",
    "C:\\Windows\\x": "absolute",
    "c:x": "absolute",
}


@pytest.mark.parametrize(("name", "why"), NAMES.items())
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str, why: str) -> None:
    archive = zipped({"fine": b"1", f"{name}": b"2"})
    assert refused(archive, tmp_path) == refused_entry(2, why, archive, tmp_path)


def refused_entry(number: int, why: str, archive: bytes, tmp_path: Path) -> str:
    with pytest.raises(InputRejected) as caught:
        unpack(tmp_path / "x.zip", tmp_path / "in/folder", LIMITS)
    assert f"entry {number} " in caught.value.message
    assert why in caught.value.message
    return caught.value.message


def test_a_name_with_a_zero_character_is_refused(tmp_path: Path) -> None:
    raw = zipped({f"{PATIENT}_x.dcm": b"1"}).replace(b"_x.dcm", b"_x\0dcm")
    assert "zero character" in refused(raw, tmp_path)


@pytest.mark.parametrize(
    ("mode", "why"), [(0o120777, "a link"), (0o020666, "special"), (0o010644, "special")]
)
def test_links_and_devices_are_refused(tmp_path: Path, mode: int, why: str) -> None:
    archive = entry(PATIENT, external_attr=mode << 16, create_system=3)
    assert why in refused(archive, tmp_path)


@pytest.mark.parametrize("bits", [0x1, 0x41, 0x2001])
def test_encrypted_entries_are_refused(tmp_path: Path, bits: int) -> None:
    assert "entry 1 is encrypted" in refused(
        patched(zipped({PATIENT: b"1"}), 8, "<H", bits, local=6), tmp_path
    )


def test_aes_is_encryption(tmp_path: Path) -> None:
    assert "encrypted" in refused(patched(zipped({PATIENT: b"1"}), 10, "<H", 99, local=8), tmp_path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_packing_methods_are_refused(tmp_path: Path, method: int) -> None:
    assert f"method {method}" in refused(zipped({PATIENT: b"1"}, method), tmp_path)


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive, pytest.warns(UserWarning):
        archive.writestr(PATIENT, b"1")
        archive.writestr(PATIENT, b"2")
    assert "entry 2 has the name" in refused(stream.getvalue(), tmp_path)


@pytest.mark.parametrize(
    "inner",
    [zipped({"a": b"1"}), zipped({}), b"7z\xbc\xaf\x27\x1c....", b"Rar!\x1a\x07\x01\x00", b"\x1f\x8b\x08....",
     b"x" * 257 + b"ustar\x00", b"\xfd7zXZ\x00", b"BZh91AY"],
)  # fmt: skip
def test_archives_in_archives_are_refused(tmp_path: Path, inner: bytes) -> None:
    assert "entry 2 is itself an archive" in refused(zipped({"a": b"", PATIENT: inner}), tmp_path)


def test_a_broken_checksum_is_refused(tmp_path: Path) -> None:
    raw = bytearray(zipped({PATIENT: b"A" * 100}, zipfile.ZIP_STORED))
    raw[raw.index(b"AAAA")] = 66
    assert refused(bytes(raw), tmp_path) == "ZIP: entry 1 fails its checksum"


def test_damaged_deflate_data_is_refused(tmp_path: Path) -> None:
    raw = bytearray(zipped({"x": b"A" * 10_000 + os.urandom(100)}))
    raw[31] = 0xFF
    assert "entry 1" in refused(bytes(raw), tmp_path)


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_a_cut_off_archive_is_refused(tmp_path: Path, kept: float) -> None:
    raw = zipped({str(n): os.urandom(1000) for n in range(20)})
    assert "cut off" in refused(raw[: int(len(raw) * kept)], tmp_path)


@pytest.mark.parametrize("raw", [b"", b"PK", b"hello", b"\0" * 100_000, os.urandom(1000)])
def test_what_is_no_zip_is_refused(tmp_path: Path, raw: bytes) -> None:
    assert refused(raw, tmp_path) == "ZIP: this is none"


# Bombs


def test_too_many_bytes_are_refused_while_they_come_out(tmp_path: Path) -> None:
    small = Limits(max_files=100, max_bytes=3 * 2**20, max_ratio=10_000)
    message = refused(zipped({"a": bytes(2**20), "b": bytes(2**26)}), tmp_path, small)
    assert message == f"ZIP: unpacks to more than {3 * 2**20} bytes, at entry 2"
    assert sum(p.stat().st_size for p in (tmp_path / "in/folder").iterdir()) <= 3 * 2**20


def test_growing_too_much_is_refused(tmp_path: Path) -> None:
    message = refused(zipped({"a": bytes(2**25)}), tmp_path)
    assert "grow more than 100 times" in message


def test_a_mask_of_zeros_may_shrink_a_thousandfold(tmp_path: Path) -> None:
    assert run(zipped({"seg.dcm": bytes(6 * 2**20)}), tmp_path) == [bytes(6 * 2**20)]


def test_a_header_that_says_less_than_comes_out_is_refused(tmp_path: Path) -> None:
    raw = patched(zipped({PATIENT: bytes(2**22)}), 24, "<L", 10, local=22)
    refused(raw, tmp_path)
    assert sum(p.stat().st_size for p in (tmp_path / "in/folder").iterdir()) <= 10


def test_a_header_that_says_more_than_comes_out_is_refused(tmp_path: Path) -> None:
    data = zipped({PATIENT: b"x" * 100})
    assert "header says" in refused(patched(data, 24, "<L", 1000, local=22), tmp_path)


def test_thousands_of_tiny_files_are_refused(tmp_path: Path) -> None:
    assert "5000 entries" in refused(zipped({str(n): b"" for n in range(5000)}), tmp_path)
    assert list((tmp_path / "in/folder").iterdir()) == []


def test_a_count_that_lies_is_not_believed(tmp_path: Path) -> None:
    raw = bytearray(zipped({str(n): b"" for n in range(500)}))
    struct.pack_into("<HH", raw, raw.rindex(b"PK\x05\x06") + 8, 1, 1)
    assert "500 entries" in refused(bytes(raw), tmp_path)


def test_the_zip64_count_is_looked_at_even_if_nothing_points_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 5)
    raw = bytearray(zipped({str(n): b"" for n in range(500)}))
    struct.pack_into("<HHL", raw, raw.rindex(b"PK\x05\x06") + 8, 1, 1, 47)
    assert "500 entries in a table of" in refused(bytes(raw), tmp_path)


def test_a_huge_table_of_contents_is_refused_before_it_is_read(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for n in range(90):
            archive.writestr(f"{n:05d}" + "x" * 60_000, b"")
    message = refused(stream.getvalue(), tmp_path)
    assert "90 entries in a table of" in message


def test_entries_that_share_bytes_are_refused(tmp_path: Path) -> None:
    """Fifield's zip bomb quotes one kernel of data in many entries."""
    kernel = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = kernel.compress(bytes(2**20)) + kernel.flush()
    local, central = b"", b""
    crc = zlib.crc32(bytes(2**20))
    fields = (20, 0, 8, 0, 0x21, crc, len(packed), 2**20, 1, 0)
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", *fields) + b"a" + packed
    for name in (b"a", b"b", b"c"):
        head = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, *fields[:9], 0, 0, 0, 0, 0, 0)
        central += head + name
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 3, 3, len(central), len(local), 0)
    assert "shares bytes" in refused(local + central + end, tmp_path)


def test_memory_stays_small(tmp_path: Path) -> None:
    large = Limits(max_files=10, max_bytes=2**30, max_ratio=10_000)
    (tmp_path / "x.zip").write_bytes(zipped({"a": bytes(150 * 2**20)}))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unpack(tmp_path / "x.zip", tmp_path, large)
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mb < 50


def test_a_full_disk_is_unavailable_and_not_the_senders_fault(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(zipped({"a": b"1"}))
    with pytest.raises(Unavailable):
        unpack(tmp_path / "x.zip", tmp_path / "nowhere", LIMITS)


def flip(raw: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 6)):
        raw[rng.randrange(len(raw))] = rng.randrange(256)


def cut(raw: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(raw))
    del raw[at : at + rng.randint(1, 40)]


def double(raw: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(raw))
    raw[at:at] = raw[at : at + rng.randint(1, 40)]


def extremes(raw: bytearray, rng: random.Random) -> None:
    at = rng.choice([raw.index(b"PK\x01\x02"), raw.rindex(b"PK\x05\x06"), 0]) + rng.randrange(4, 40)
    value = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff", b"\x7f", b"\x01\0"])
    raw[at : at + len(value)] = value


@pytest.mark.parametrize("damage", [flip, cut, double, extremes])
def test_any_damage_is_refused_or_harmless(
    tmp_path: Path, damage: Callable[[bytearray, random.Random], None]
) -> None:
    rng = random.Random(damage.__name__)
    whole = zipped({"a/1": b"one" * 200, "b": os.urandom(300), "c": b""})
    refusals = 0
    for n in range(250):
        raw = bytearray(whole)
        damage(raw, rng)
        folder = tmp_path / str(n)
        folder.mkdir()
        (tmp_path / "x.zip").write_bytes(raw)
        try:
            unpack(tmp_path / "x.zip", folder, LIMITS)
        except InputRejected as error:
            refusals += 1
            assert error.message.startswith("ZIP: ")
        assert all(p.name.isdigit() for p in folder.iterdir())
    assert refusals > 50


def test_is_zip_looks_at_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(zipped({"x": b""}))
    (tmp_path / "b.zip").write_bytes(b"hello")
    assert is_zip(tmp_path / "a")
    assert not is_zip(tmp_path / "b.zip")
