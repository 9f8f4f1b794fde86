"""The module of commands: applied to moto by the real provider, its document's script run as an agent would.

The script is the one that the emulator was given, with the arguments put in as Systems Manager puts them,
in a folder that stands for the machine's root. Not seen: AWS's agent, and its check of the patterns.
"""

import base64
import fcntl
import json
import os
import re
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bedside.deploy.remote import decoded, encoded
from bedside.deploy.workspace import MODULES
from command_machine import Machine

pytestmark = pytest.mark.needs("terraform")


TELLING = f"""#!{sys.executable}
import json, os, sys
if sys.argv[1:] == ["job", "long"]:
    print("".join(os.urandom(2).hex() for _ in range(20_000)))
else:
    kept = {{k: v for k, v in os.environ.items() if k[:7] == "BEDSIDE" or k == "HOME"}}
    print(json.dumps({{"argv": sys.argv[1:], "env": kept, "tty": sys.stdin.isatty(), "cwd": os.getcwd()}}))
print("é on the other stream", file=sys.stderr)
sys.exit(4)
"""


@pytest.fixture
def machine(run_document: dict[str, Any], tmp_path: Path) -> Machine:
    made = Machine(root=tmp_path / "machine", document=run_document)
    made.set_up(TELLING, "BEDSIDE_QUEUE_URL='https://q'\n")
    return made


def test_whoever_may_send_the_document_needs_no_token_for_a_link(machine: Machine) -> None:
    (machine.root / "etc/bedside/environment").write_text("BEDSIDE_IDENTITY_ISSUER='https://pool'\n")
    for arguments, issuer in ((["tenant", "upload-link", "ward"], ""), (["tenant", "list"], "https://pool")):
        answer = decoded(machine.run(encoded(arguments)).stdout)
        assert answer is not None
        assert json.loads(answer.out)["env"]["BEDSIDE_IDENTITY_ISSUER"] == issuer


HOSTILE = [
    "; touch broken",
    "$(touch broken)",
    "`touch broken`",
    "'; touch broken; '",
    '"; touch broken; "',
    "a\ntouch broken\n",
    "END-OF-PROGRAM\ntouch broken",
    "{{ Timeout }}",
    "--yes",
    "*",
    "é\\",
    "",
]


def test_hostile_arguments_stay_arguments_and_the_services_environment_is_given(machine: Machine) -> None:
    sent = encoded(["job", *HOSTILE])
    pattern = machine.document["parameters"]["Arguments"]["allowedPattern"]
    assert re.fullmatch(pattern, sent)
    done = machine.run(sent)
    answer = decoded(done.stdout)
    assert answer is not None, done.stderr
    assert (done.returncode, answer.code, answer.err) == (4, 4, "é on the other stream\n")
    told = json.loads(answer.out)
    assert told["argv"] == ["job", *HOSTILE]
    assert told["env"] == {
        "BEDSIDE_QUEUE_URL": "https://q",
        "BEDSIDE_LEDGER_URL": "postgresql://a:p%20$w@h/b",
        "BEDSIDE_CONFIG": f"{machine.root}/etc/bedside/bedside.toml",
        "HOME": f"{machine.root}/var/lib/bedside",
    }
    assert told["tty"] is False
    assert told["cwd"] == f"{machine.root}/var/lib/bedside"
    assert not list(machine.root.rglob("broken"))


def test_what_is_no_letter_of_the_encoding_is_refused_by_the_document(run_document: dict[str, Any]) -> None:
    patterns = {name: one["allowedPattern"] for name, one in run_document["parameters"].items()}
    assert set(patterns) == {"Arguments", "Timeout"}
    for text in ("a'b", "a b", "a;b", "$(a)", "a\nb", "", "a=", "`a`", '"', "a\\"):
        assert not re.fullmatch(patterns["Arguments"], text)
    for text in ("0", "-1", "60; id", "100000", ""):
        assert not re.fullmatch(patterns["Timeout"], text)


@pytest.mark.parametrize(
    "value", [["serve"], ["submit", "x"], [], ["run", "x"], ["/bin/sh"], "job", ["job", 1], ["job", "\0"]]
)
def test_nothing_else_is_started(machine: Machine, value: object) -> None:
    packed = base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    answer = decoded(machine.run(packed).stdout)
    assert answer is not None
    assert (answer.code, answer.out) == (2, "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give root away")
def test_root_is_given_away_with_its_groups(run_document: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)  # another user's
        machine = Machine(root=Path(folder), document=run_document, user="daemon")
        machine.set_up("#!/bin/sh\nid -un\nid -Gn\ncat ../../../etc/bedside/ledger\n", "A='b'\n")
        (machine.root / "etc/bedside/ledger").chmod(0o600)
        answer = decoded(machine.run(encoded(["job"])).stdout)
    assert answer is not None
    assert answer.out.splitlines() == ["daemon", "daemon"]
    assert (answer.code, "denied" in answer.err) == (1, True)


def test_an_answer_that_does_not_fit_says_so_and_is_not_cut(machine: Machine) -> None:
    done = machine.run(encoded(["job", "long"]))
    assert len(done.stdout) < 24_000
    answer = decoded(done.stdout)
    assert answer is not None
    assert (answer.code, answer.out, answer.lost) == (4, "", 80_001 + len("é on the other stream\n"))


def test_it_waits_for_the_set_up_and_keeps_the_machine_meanwhile(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: dict[str, Any] = {"__name__": "work"}
    exec((MODULES / "modules/workers/work.py").read_text(), names)
    names["LOCK"] = machine.root / "run/bedside-asked"
    assert names["asked"]() is False  # nobody ever did
    ready = machine.root / "etc/bedside/machine"
    ready.unlink()
    held: list[bool] = []

    def finish() -> None:
        until = time.monotonic() + 20
        while not names["asked"]() and time.monotonic() < until:
            time.sleep(0.02)
        held.append(names["asked"]())
        ready.write_text("")

    thread = threading.Thread(target=finish)
    thread.start()
    answer = decoded(machine.run(encoded(["job", "list"])).stdout)
    thread.join()
    assert answer is not None
    assert (answer.code, held) == (4, [True])
    assert names["asked"]() is False  # and may leave again
    with (machine.root / "run/bedside-asked").open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert names["asked"]() is True
