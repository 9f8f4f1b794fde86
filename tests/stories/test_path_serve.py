"""``bedside serve`` as it runs: uploads that take their time, and what its processes see and say."""

import json
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import nothing_bundle
from bedside.domain.job import JobState
from clinic import zipped
from serving import Serving, eventually

QUIET_S = 1.5

#: Says what it sees.
PROGRAM = '#!/bin/sh\nenv > "$2/environment.txt"\nls "$1" > "$2/names.txt"\n'


@pytest.fixture
def serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ledger_url: str) -> Iterator[Serving]:
    program = tmp_path / "program"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    monkeypatch.setenv("BEDSIDE_INTAKE_QUIET_S", str(QUIET_S))
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GITHUB_TOKEN", "PGPASSWORD"):
        monkeypatch.setenv(name, "credential")
    stage = f'command = ["{program}", "{{input}}", "{{output}}"]'
    serving = Serving(tmp_path / "deployment", stage, ledger_url=ledger_url)
    serving.start()
    yield serving
    serving.close()


def in_pieces(data: bytes, path: Path, *, pieces: int, pause_s: float) -> None:
    """Write a file as a slow network does."""
    size = -(-len(data) // pieces)
    with path.open("wb", buffering=0) as file:
        for begin in range(0, len(data), size):
            file.write(data[begin : begin + size])
            time.sleep(pause_s)


def test_what_is_copied_in_slowly_is_taken_whole(serving: Serving, tmp_path: Path) -> None:
    """A ZIP that stalls for longer than the quiet time, and a folder whose files come one by one."""
    assert eventually(lambda: serving.said("serve.ready"), within_s=60)
    first = sorted(nothing_bundle.write_study(tmp_path / "a", seed="a").iterdir())
    packed = zipped(first, tmp_path / "packed.zip", method=zipfile.ZIP_DEFLATED).read_bytes()
    in_pieces(packed, serving.inbox / "Meitner.zip", pieces=2, pause_s=QUIET_S * 1.6)

    second = sorted(nothing_bundle.write_study(tmp_path / "b", seed="b", slices=9).iterdir())
    folder = serving.inbox / "Meitner^Lise"
    folder.mkdir()
    begun = time.monotonic()
    for path in second:
        in_pieces(path.read_bytes(), folder / path.name, pieces=3, pause_s=0.1)
    assert time.monotonic() - begun > QUIET_S
    assert not any("arrivals/" in line for line in serving.lines)
    assert eventually(lambda: serving.settled(2), within_s=60), "\n".join(serving.lines)

    jobs = serving.jobs()
    assert [job.state for job in jobs] == [JobState.SUCCEEDED] * 2
    assert [job.arrival_version for job in jobs] == [1, 1]
    assert serving.found("rejected/*") == 0
    read = {}
    for job in jobs:
        place = serving.root / "default" / job.prefix
        read[job.subject] = len((place / "names.txt").read_text().split())
        environment = (place / "environment.txt").read_text()
        assert "credential" not in environment
        assert "BEDSIDE_INPUT=" in environment
        assert "BEDSIDE_INTAKE_QUIET_S" not in environment
        assert json.loads((place / "result.json").read_text())["job"]["id"] == job.id
    assert sorted(read.values()) == [6, 9]

    assert serving.stop() == 0
    assert eventually(lambda: serving.processes() == [], within_s=10)
    assert serving.leftover() == []
    said = re.compile(r"\d{4}-\d\d-\d\dT\S+Z action=[a-z_.]+( [a-z_]+=(\S+|\".*\"))*")
    assert [line for line in serving.lines if not said.fullmatch(line)] == []
    assert not any("meitner" in line.lower() or "lise" in line.lower() for line in serving.lines)
