"""A process of foreign code: its end, and what is told of it."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from bedside.errors import ModelFailed, OutOfMemory, Unavailable
from bedside.worker.children.spawned import Spawned

GRANDPARENT = "import subprocess, sys; subprocess.Popen(['sleep', '300']); print(flush=True)"


def spawned(tmp_path: Path, *command: str) -> Spawned:
    return Spawned(command, environment=os.environ, extra={}, scratch=tmp_path, piped=False)


def test_a_home_of_its_own_goes_with_it(tmp_path: Path) -> None:
    process = spawned(tmp_path, "sh", "-c", 'touch "$HOME/a" && pwd > "$TMPDIR/b"')
    assert process.wait(20) == 0
    assert sorted(path.name for path in process.home.iterdir()) == ["a", "b"]
    process.end()
    assert list(tmp_path.iterdir()) == []


def test_waiting_takes_no_longer_than_asked(tmp_path: Path) -> None:
    process = spawned(tmp_path, "sleep", "300")
    begun = time.monotonic()
    assert process.wait(0.1) is None
    assert time.monotonic() - begun < 5
    process.end()


def test_all_it_started_ends_with_it(tmp_path: Path) -> None:
    process = spawned(tmp_path, sys.executable, "-c", GRANDPARENT)
    assert process.wait(20) == 0
    group = process.process.pid
    os.killpg(group, 0)
    process.end()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("what it started outlived it")


def test_a_program_that_ends_in_order_is_given_time(tmp_path: Path) -> None:
    process = spawned(tmp_path, "sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.05; done")
    time.sleep(0.3)
    process.end(grace_s=10)
    assert process.process.returncode == 7


def test_only_type_and_place_of_its_last_error_are_told(tmp_path: Path) -> None:
    process = spawned(tmp_path, sys.executable, "-c", "import json\njson.loads('Doe^Jane')")
    process.wait(20)
    failed = process.death("stage infer")
    assert type(failed) is ModelFailed
    assert failed.message.startswith("stage infer: exit status 1, JSONDecodeError at decoder.py:")
    assert "Doe" not in failed.message
    process.end()


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSEGV])
def test_a_signal_is_named(tmp_path: Path, sign: signal.Signals) -> None:
    process = spawned(tmp_path, "sleep", "300")
    os.kill(process.process.pid, sign)
    failed = process.death("stage infer")
    assert isinstance(failed, OutOfMemory) is (sign is signal.SIGKILL)
    assert sign.name in failed.message
    process.end()


def test_what_cannot_be_started_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be started"):
        spawned(tmp_path, "/nowhere/program")
