"""Every reason that intake and models give is of a kind that people are told in plain words."""

import re
from pathlib import Path

import pytest

from bedside.uploads.reasons import Kind, reason_of

SAID = {
    "ZIP: this is none": Kind.NOT_A_ZIP,
    "ZIP: cut off, its end is missing": Kind.DAMAGED,
    "ZIP: entry 17 fails its checksum": Kind.DAMAGED,
    "ZIP: entry 17 is damaged and does not inflate": Kind.DAMAGED,
    "ZIP: broken (BadZipFile)": Kind.DAMAGED,
    "file 3 of 9: ZIP: entry 17 is damaged or cut off": Kind.DAMAGED,
    "ZIP: a part of several; send one file": Kind.SPLIT,
    "ZIP: entry 4 is encrypted; send the study unencrypted": Kind.ENCRYPTED,
    "ZIP: entry 4 is packed by method 14; stored (0) and deflated (8) are read": Kind.PACKING,
    "ZIP: packed in a way that is not supported": Kind.PACKING,
    "ZIP: entry 4 is itself an archive; unpack it before sending": Kind.NESTED,
    "ZIP: unpacks to more than 21474836480 bytes, at entry 4": Kind.TOO_LARGE,
    "ZIP: 1000 bytes grow more than 200 times, at entry 4": Kind.BOMB,
    "ZIP: 30000 entries, at most 20000": Kind.TOO_MANY,
    "ZIP: 30000 entries in a table of 3000000 bytes, at most 20000": Kind.TOO_MANY,
    "ZIP: entry 4 has the name of an entry before it": Kind.NAMES,
    "ZIP: entry 4 has a name that leads out of the archive's folder": Kind.NAMES,
    "ZIP: entry 4 is a link": Kind.NAMES,
    "entry: no DICOM instance among its 12 files": Kind.NO_DICOM,
    "no series of images among 3 files: 3 × a localizer": Kind.NO_IMAGES,
    "none of 1 series fits: 1.2.3: modality MR is not what the model reads (CT)": Kind.WRONG_KIND,
    "2 of 3 series fit, a model reads one: 1.2: it fits the model; 1.3: it fits the model": Kind.SEVERAL,
    "none of 1 series fits: 1.2.3: 3 slices, the model needs at least 16": Kind.TOO_FEW,
    "series 1.2: gap of 10.000 mm between slices 4 and 5, median 5.000 mm: 1 slice missing (1 such gaps"
    " in 40 slices)": Kind.SLICE_MISSING,
    "series 1.2: slice 4 of 40 lies 1.000 mm off an even grid, more than 0.100 mm": Kind.UNEVEN,
    "series 1.2: slices 4 and 5 lie 0.000 mm apart: 40 slices at 20 positions": Kind.UNEVEN,
    "instance 1.2: a frame of 10 bytes cannot be decoded (gdcm: ValueError)": Kind.PIXELS,
    "instance 1.2: truncated: 10 of 20 bytes": Kind.PIXELS,
    "3 of 20 files left aside: not a DICOM instance of a study": Kind.PARTLY,
    "the moon is in the wrong house": Kind.OTHER,
}


@pytest.mark.parametrize(("said", "kind"), SAID.items())
def test_a_reason_has_a_kind(said: str, kind: Kind) -> None:
    found = reason_of(said)
    assert found is not None and (found.kind, found.detail) == (kind, said)


def test_no_reason_is_none() -> None:
    assert reason_of("") is None


def test_whatever_intake_refuses_is_of_a_kind(repository: Path) -> None:
    """The words are read from the source, so that a new refusal without a kind fails here."""
    worker = repository / "src" / "bedside" / "worker"
    found = []
    for file in ("unpack.py", "directory.py", "receive.py"):
        text = (worker / file).read_text(encoding="utf-8")
        found += re.findall(r'InputRejected\(\s*f?"([^"]+)"', text)
    assert len(found) > 20
    for said in found:
        words = said.replace("{entry.number} {why}", "4 is damaged or cut off")
        words = words.replace("{number} is {what}", "4 is a link").replace(
            "{where}{exc.message}", "ZIP: broken"
        )
        words = re.sub(r"\{[^}]+\}", "4", words)
        reason = reason_of(words)
        assert reason is not None and reason.kind is not Kind.OTHER, words
