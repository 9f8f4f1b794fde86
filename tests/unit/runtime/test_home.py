"""A home and a place for temporary files, wherever there is one to be had."""

import subprocess
import sys
from pathlib import Path

import pytest

import bedside

SETTLE = """
import os, sys, tempfile
from pathlib import Path
from bedside.runtime import home
home.PLACES = tuple(sys.argv[1].split(":"))
home.settle_in([Path(more) for more in sys.argv[2:]])
with tempfile.NamedTemporaryFile() as file:
    print(file.name)
for name in ("HOME", "TMPDIR", "USER", "XDG_CACHE_HOME"):
    print(os.environ.get(name, ""))
"""


def settled(places: str, *more: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", SETTLE, places, *map(str, more)],
        env={"PYTHONPATH": str(Path(bedside.__file__).parents[1]), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_there_and_of_use_stays(tmp_path: Path) -> None:
    done = settled("/nonexistent", HOME=str(tmp_path), TMPDIR=str(tmp_path), USER="somebody")
    file, home, temporary, user, caches = done.stdout.splitlines()
    assert (home, temporary, user, caches) == (str(tmp_path), str(tmp_path), "somebody", "")
    assert Path(file).parent == tmp_path


@pytest.mark.parametrize("variables", [{}, {"HOME": "/nonexistent", "TMPDIR": "/nonexistent"}])
def test_a_home_is_made_where_files_can_be(tmp_path: Path, variables: dict[str, str]) -> None:
    done = settled(f"/nonexistent:{tmp_path}", **variables)
    file, home, temporary, user, caches = done.stdout.splitlines()
    assert temporary == str(tmp_path)
    assert Path(file).parent == Path(home).parent == tmp_path
    assert user == "bedside"
    assert caches.startswith(home)


def test_the_callers_place_is_the_last_resort(tmp_path: Path) -> None:
    assert settled("/nonexistent", tmp_path).stdout.splitlines()[2] == str(tmp_path)


def test_nothing_to_write_to_is_an_error_with_a_hint() -> None:
    done = settled("/nonexistent:relative")
    assert done.returncode != 0
    assert (
        "bedside.errors.Unavailable: temporary files: none of /nonexistent, relative can be written"
        in done.stderr
    )
