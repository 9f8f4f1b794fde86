"""The child's side of the protocol, spoken to through a real pipe."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import nothing_bundle
from bedside import __version__
from bedside.domain.request import RunRequest
from bedside.runtime import protocol

Child = subprocess.Popen[bytes]


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    with subprocess.Popen(
        [sys.executable, "-m", "bedside.runtime"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
    ) as process:
        yield process
        process.kill()


def say(child: Child, *messages: protocol.Message) -> None:
    assert child.stdin is not None
    for message in messages:
        child.stdin.write(protocol.encode(message))
    child.stdin.flush()


def hear(child: Child, wanted: Callable[[protocol.Message], bool] = lambda message: True) -> protocol.Message:
    assert child.stdout is not None
    while (message := protocol.read_message(child.stdout)) is not None:
        if wanted(message):
            return message
    raise AssertionError("the child closed its pipe")


def load(bundle: Path, *, release: str = "", version: int = 1) -> protocol.Load:
    return protocol.Load(
        protocol=version, bundle=str(bundle), release=release, options={"device": "cpu", "threads": 1}
    )


def run(study: Path, output: Path) -> protocol.Run:
    output.mkdir(exist_ok=True)
    request = RunRequest(
        job_identity="j",
        arrival_id="a",
        release="",
        release_name="nothing",
        release_version="1",
        content_at=datetime(2026, 3, 1, tzinfo=UTC),
        outputs=("seg",),
    )
    return protocol.Run(
        id="1", request=protocol.request_to_json(request), input=str(study), output=str(output)
    )


def test_hello_comes_first(child: Child) -> None:
    hello = hear(child)
    assert isinstance(hello, protocol.Hello)
    assert (hello.protocols, hello.bedside, hello.pid) == (protocol.VERSIONS, __version__, child.pid)
    say(child, protocol.Bye())
    assert child.wait(20) == 0


def test_a_run_before_a_load_is_an_error(child: Child, tmp_path: Path) -> None:
    say(child, run(tmp_path, tmp_path / "out"))
    error = hear(child, lambda message: isinstance(message, protocol.Error))
    assert isinstance(error, protocol.Error)
    assert (error.id, error.name, error.message) == ("1", "ModelFailed", "protocol: run before load")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"release": "sha256:" + "0" * 64}, "its files were changed"),
        ({"version": 2}, "chose version 2"),
    ],
)
def test_what_cannot_be_loaded_answers_the_run_and_ends_the_child(
    child: Child, tmp_path: Path, changes: dict[str, object], says: str
) -> None:
    bundle = nothing_bundle.write_bundle(tmp_path / "bundle")
    say(child, load(bundle, **changes), run(tmp_path, tmp_path / "out"))  # type: ignore[arg-type]
    error = hear(child, lambda message: isinstance(message, protocol.Error))
    assert isinstance(error, protocol.Error)
    assert error.name == "ConfigError" and says in error.message
    assert child.wait(20) == 3


def test_garbage_ends_the_child(child: Child) -> None:
    assert child.stdin is not None
    child.stdin.write(b"\x00\x00\x00\x05hello")
    child.stdin.flush()
    assert child.wait(20) == 6


def test_a_busy_child_answers_pings_and_ends_when_its_worker_is_gone(child: Child, tmp_path: Path) -> None:
    bundle = nothing_bundle.write_bundle(tmp_path / "bundle")
    study = nothing_bundle.write_study(tmp_path / "study", behaviour="sleeps")
    say(child, load(bundle, release=nothing_bundle.digest(bundle)), run(study, tmp_path / "out"))
    hear(child, lambda message: isinstance(message, protocol.Progress) and message.doing != "read")
    say(child, protocol.Ping(nonce=7))
    assert hear(child, lambda message: isinstance(message, protocol.Pong)) == protocol.Pong(nonce=7)
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(20) == 0
    assert list((tmp_path / "out").iterdir()) == []


def test_a_cancelled_run_says_so_and_the_child_reads_the_next(child: Child, tmp_path: Path) -> None:
    bundle = nothing_bundle.write_bundle(tmp_path / "bundle")
    slow = nothing_bundle.write_study(tmp_path / "slow", behaviour="takes_1")
    say(child, load(bundle), run(slow, tmp_path / "out"))
    hear(child, lambda message: isinstance(message, protocol.Progress) and message.doing != "read")
    say(child, protocol.Cancel(id="1"))
    error = hear(child, lambda message: isinstance(message, protocol.Result | protocol.Error))
    assert isinstance(error, protocol.Error) and error.name == "Cancelled"
    study = nothing_bundle.write_study(tmp_path / "study")
    say(child, run(study, tmp_path / "again"))
    result = hear(child, lambda message: isinstance(message, protocol.Result | protocol.Error))
    assert isinstance(result, protocol.Result), result
    assert [series["taken"] for series in result.report["series"]] == [True]  # type: ignore[attr-defined]
    assert (tmp_path / "again" / "dicom" / "seg.dcm").stat().st_size > 0
