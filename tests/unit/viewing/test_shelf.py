"""Prepared images are kept under a bound, for a day, and for tenants that are served."""

import os
import threading
import time
from pathlib import Path

import pytest

from bedside.errors import Unavailable
from bedside.viewing.build import GRID
from bedside.viewing.grid import Grid
from bedside.viewing.shelf import IDLE_S, Shelf
from bedside.viewing.tidy import tidying

EXAMPLE = Grid(
    shape=(1, 1, 1),
    spacing_mm=(1.0, 1.0, 1.0),
    affine=((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0)),
    letters=(("F", "H"), ("A", "P"), ("R", "L")),
    order=(0, 1, 2),
    reverse=(False, False, False),
    modality="CT",
    unit="HU",
    slope=1.0,
    intercept=0.0,
    least=0.0,
    most=1.0,
    maps=1,
    labels=(),
)


def put(shelf: Shelf, tenant: str, key: str, size_bytes: int) -> None:
    import json

    with shelf.put(tenant, key) as folder:
        (folder / "images.raw").write_bytes(b"0" * size_bytes)
        (folder / GRID).write_text(json.dumps(EXAMPLE.to_json()))


def age(shelf: Shelf, tenant: str, key: str, seconds: float) -> None:
    for path in [shelf.folder / tenant / key, *(shelf.folder / tenant / key).iterdir()]:
        os.utime(path, (time.time() - seconds,) * 2)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(folder=tmp_path / "viewing", limit_bytes=5000, known=lambda: {"default", "ward-3"})


def test_what_was_looked_at_for_longest_goes_first(shelf: Shelf) -> None:
    put(shelf, "default", "a", 1500)
    put(shelf, "ward-3", "b", 1500)
    age(shelf, "default", "a", 100)
    age(shelf, "ward-3", "b", 200)
    assert shelf.find("ward-3", "b") is not None  # looked at just now
    put(shelf, "default", "c", 2000)
    assert shelf.find("default", "a") is None
    assert shelf.find("ward-3", "b") is not None
    assert shelf.find("default", "c") is not None


def test_one_that_is_larger_than_all_is_kept_alone(shelf: Shelf) -> None:
    put(shelf, "default", "a", 1000)
    put(shelf, "default", "big", 9000)
    assert shelf.find("default", "a") is None
    assert shelf.find("default", "big") is not None


def test_what_nobody_looked_at_for_a_day_goes_and_so_does_what_was_left_half_made(shelf: Shelf) -> None:
    put(shelf, "default", "a", 10)
    age(shelf, "default", "a", IDLE_S + 60)
    half = shelf.folder / "default" / ".making-1"
    half.mkdir()
    os.utime(half, (time.time() - 7200,) * 2)
    young = shelf.folder / "default" / ".making-2"
    young.mkdir()
    assert shelf.tidy() == 2
    assert not half.exists() and young.exists()
    assert shelf.find("default", "a") is None


def test_a_tenant_that_is_gone_leaves_nothing(tmp_path: Path) -> None:
    known = {"default", "ward-3"}
    shelf = Shelf(folder=tmp_path / "viewing", limit_bytes=5000, known=lambda: known)
    put(shelf, "ward-3", "a", 10)
    known.discard("ward-3")
    shelf.tidy()
    assert not (shelf.folder / "ward-3").exists()


def test_what_failed_half_way_is_not_found(shelf: Shelf) -> None:
    with pytest.raises(ZeroDivisionError), shelf.put("default", "a"):
        raise ZeroDivisionError
    assert shelf.find("default", "a") is None
    assert list((shelf.folder / "default").iterdir()) == []
    with pytest.raises(Unavailable, match="disk"), shelf.put("default", "b"):
        raise OSError(28, "No space left on device")


def test_a_description_of_another_version_is_made_again(shelf: Shelf) -> None:
    put(shelf, "default", "a", 10)
    (shelf.folder / "default" / "a" / GRID).write_text('{"shape": [1, 1, 1]}')
    assert shelf.find("default", "a") is None
    assert not (shelf.folder / "default" / "a").exists()


class _Keeping:
    """Stands for images: counts how often somebody tidies."""

    def __init__(self) -> None:
        self.times = 0
        self.again = threading.Event()

    def tidy(self) -> int:
        self.times += 1
        if self.times == 1:
            raise Unavailable("ledger: cannot be reached")
        self.again.set()
        return 1


def test_the_portal_tidies_from_time_to_time_and_survives_a_ledger_that_is_away() -> None:
    keeping, said = _Keeping(), []
    with tidying(keeping, lambda action, /, **fields: said.append(action), every_s=0.01):  # type: ignore[arg-type]
        assert keeping.again.wait(5)
    assert said[:1] == ["images.kept"] and "images.tidied" in said
    times = keeping.times
    time.sleep(0.05)
    assert keeping.times == times
