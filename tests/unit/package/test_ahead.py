"""Work that a second process does: it may help, and never harms."""

import os
import threading
import time
from pathlib import Path

import pytest

from bedside.package import ahead as module
from bedside.package.ahead import ahead


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's own helpers may have threads; none of them is needed in the copy."""
    monkeypatch.setattr(module.threading, "active_count", lambda: 1)


def test_another_process_does_it(alone: None, tmp_path: Path) -> None:
    with ahead(lambda: (tmp_path / "who").write_text(str(os.getpid()))):
        pass
    assert int((tmp_path / "who").read_text()) != os.getpid()


def test_its_errors_are_nobodys(alone: None, capfd: pytest.CaptureFixture[str]) -> None:
    with ahead(lambda: 1 / 0):
        pass
    assert capfd.readouterr() == ("", "")


def test_an_error_here_stops_it_and_it_tidies_up(alone: None, tmp_path: Path) -> None:
    def work() -> None:
        begun.touch()
        try:
            time.sleep(60)
        finally:
            begun.unlink()

    begun = tmp_path / "begun"
    with pytest.raises(LookupError), ahead(work):
        while not begun.exists():
            time.sleep(0.01)
        raise LookupError
    assert not begun.exists()


def test_nothing_is_copied_beside_threads(tmp_path: Path) -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        with ahead((tmp_path / "done").touch):
            pass
    finally:
        done.set()
        thread.join()
    assert not (tmp_path / "done").exists()


def test_a_system_that_copies_no_process(
    alone: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> int:
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    with ahead((tmp_path / "done").touch):
        pass
    assert not (tmp_path / "done").exists()
