"""The wish to stop."""

import os
import signal
import threading
import time

import pytest

from bedside.worker.stop import Stop, Stopping


def test_the_grace_begins_with_the_wish() -> None:
    stop = Stop(grace_s=0.1)
    time.sleep(0.15)
    stop.check()
    stop.request()
    stop.check()
    time.sleep(0.15)
    with pytest.raises(Stopping):
        stop.check()


def test_a_wait_ends_with_a_wish_of_a_signal() -> None:
    stop = Stop(grace_s=1)
    before = signal.signal(signal.SIGUSR1, lambda *_: stop.request())
    try:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        begun = time.monotonic()
        assert stop.wait(20) is True
        assert time.monotonic() - begun < 10
        assert stop.wait(20) is True
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_without_a_wish_a_wait_is_as_long_as_asked() -> None:
    assert Stop(grace_s=1).wait(0.01) is False


def test_a_nudge_ends_a_wait_once_and_is_no_wish() -> None:
    nudges, write = os.pipe()
    stop = Stop(grace_s=1, nudges=nudges)
    os.write(write, b"\n\n\n")  # three are one
    begun = time.monotonic()
    assert stop.wait(20) is False
    assert time.monotonic() - begun < 10
    begun = time.monotonic()
    assert stop.wait(0.1) is False
    assert time.monotonic() - begun >= 0.1
    os.close(nudges)
    os.close(write)


def test_a_pipe_that_ended_keeps_nobody_awake() -> None:
    nudges, write = os.pipe()
    os.close(write)
    stop = Stop(grace_s=1, nudges=nudges)
    stop.wait(0.1)
    begun = time.monotonic()
    assert stop.wait(0.1) is False
    assert time.monotonic() - begun >= 0.1
    os.close(nudges)
