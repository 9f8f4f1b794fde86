"""What is dropped for what paths, and in which order it is written."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from bedside.cli.submit import deliver, parcels_of
from bedside.domain.keys import check_key
from bedside.errors import UsageError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study" / "deep").mkdir(parents=True)
    for name in ("study/1.dcm", "study/deep/2.dcm", "a.zip", "b.ZIP", "x.mp4", "x.hpf", "empty.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "nothing").mkdir()
    return tmp_path


def test_zips_and_folders_stand_alone_and_loose_files_together(here: Path) -> None:
    parcels = parcels_of([Path(p) for p in ("a.zip", "x.mp4", "study", "b.ZIP", "x.hpf")])
    assert [len(parcel.files) for parcel in parcels] == [1, 2, 1, 2]
    loose = parcels[-1]
    assert {key.rpartition("/")[2] for key in loose.files} == {"x.mp4", "x.hpf"}
    assert loose.marker == f"{loose.key}/.complete"
    folder = parcels[1]
    assert {key.removeprefix(folder.key) for key in folder.files} == {"/1.dcm", "/deep/2.dcm"}
    assert all(parcel.marker for parcel in parcels)


def test_two_studies_of_one_name_do_not_meet(here: Path) -> None:
    (here / "other").mkdir()
    (here / "other" / "a.zip").write_bytes(b"y")
    one, other = parcels_of([Path("a.zip"), Path("other/a.zip")])
    assert one.key != other.key


@pytest.mark.parametrize(
    "name", [".hidden.dcm", "x" * 250, "ä" * 120, "🧠" * 60, b"caf\xe9".decode("utf-8", "surrogateescape")]
)
def test_every_name_becomes_a_key(here: Path, name: str) -> None:
    (here / name).write_bytes(b"x")
    (parcel,) = parcels_of([Path(name)])
    for key in [*parcel.files, parcel.marker, parcel.key]:
        assert check_key(key)
        assert key.encode()
    assert not Path(next(iter(parcel.files))).name.startswith(".")


def test_names_that_had_to_change_stay_different(here: Path) -> None:
    for first in "ab":
        (here / "study" / (first + "x" * 240)).write_bytes(b"x")
    (parcel,) = parcels_of([Path("study")])
    assert len(parcel.files) == 4


@pytest.mark.parametrize("name", ["absent.zip", "nothing"])
def test_paths_are_checked_before_anything_is_copied(here: Path, name: str) -> None:
    with pytest.raises(UsageError):
        parcels_of([Path("a.zip"), Path(name)])


def test_the_marker_comes_last(here: Path) -> None:
    written: list[str] = []

    class Store:
        def put_files(self, files: Mapping[str, Path]) -> None:
            written.extend(files)

        def put(self, key: str, data: bytes) -> None:
            written.append(key)

    class Deployment:
        blobs = Store()

    (parcel,) = parcels_of([Path("study")])
    deliver(Deployment(), parcel)  # type: ignore[arg-type]
    assert written == [*parcel.files, parcel.marker]
