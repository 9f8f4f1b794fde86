"""A release disk as a machine takes it and lets it go: by stand-in programs, and once on a real disk.

Its calls of EC2 go to moto; the signature is checked by botocore's own signer.
"""

import ast
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bedside.deploy.workspace import MODULES

VOLUME = "vol-0123456789abcdef0"
DEVICE = "nvme-Amazon_Elastic_Block_Store_" + VOLUME.replace("-", "")
SECRET = "made-up"  # pragma: allowlist secret


def load_disk() -> ModuleType:
    """Import the program that a machine runs, which is no part of the package."""
    source = MODULES / "modules" / "workers" / "disk.py"
    spec = importlib.util.spec_from_file_location("release_disk", source)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Aws:
    """The metadata service and EC2, as a machine in one zone sees them."""

    def __init__(self, devices: Path) -> None:
        self.zone = "eu-central-1a"
        self.asked: list[dict[str, str]] = []
        self.refusals: list[str] = []
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self._devices = devices
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        aws = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None: ...

            def answer(self, text: str, status: int = 200) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def do_PUT(self) -> None:
                self.answer("a-token")

            def do_GET(self) -> None:
                assert self.headers["X-aws-ec2-metadata-token"] == "a-token"
                key = {"AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": SECRET, "Token": "session"}
                self.answer(
                    {
                        "placement/availability-zone": aws.zone,
                        "instance-id": "i-1",
                        "iam/security-credentials/": "role\n",
                        "iam/security-credentials/role": json.dumps(key),
                    }[self.path.removeprefix("/meta-data/")]
                )

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                aws.requests.append((dict(self.headers), body))
                aws.asked.append(dict(pair.split("=") for pair in body.decode().split("&")))
                if aws.refusals:
                    code = aws.refusals.pop(0)
                    self.answer(
                        f"<Response><Errors><Error><Code>{code}</Code></Error></Errors></Response>", 400
                    )
                    return
                if aws.asked[-1]["Action"] == "AttachVolume":
                    (aws._devices / DEVICE).touch()
                self.answer("<ok/>")

        return Handler

    def actions(self) -> list[str]:
        """Return what was asked of EC2."""
        return [asked["Action"] for asked in self.asked]


class Machine:
    """A machine whose programs write down that they were called, and behave as told."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.place = folder / "kept"
        self.calls_file = folder / "calls"
        self.calls_file.touch()
        self.docker = folder / "docker" / "daemon.json"
        (folder / "programs").mkdir()
        devices = folder / "devices"
        devices.mkdir()
        self.aws = Aws(devices)
        self.disk = load_disk()
        for name, value in {
            "SETTINGS": folder / "settings",
            "DOCKER": self.docker,
            "PLACE": self.place,
            "DEVICES": devices,
            "METADATA": self.aws.url,
            "FREE_S": 0.3,
            "ATTACHED_S": 0.3,
        }.items():
            monkeypatch.setattr(self.disk, name, value)
        monkeypatch.setattr(self.disk.time, "sleep", lambda _: None)
        self.settings(volumes={"eu-central-1a": VOLUME})
        monkeypatch.setenv("PATH", f"{folder / 'programs'}{os.pathsep}{os.environ['PATH']}")
        self.program("blkid", "echo LABEL=bedside; echo TYPE=xfs; exit 0")
        for name in ("mount", "umount", "mkfs.xfs", "xfs_growfs", "systemctl"):
            self.program(name)
        self.program("docker", '[[ $1 == ps ]] && echo "c1 c2"; exit 0')
        self.used(10)

    def settings(self, **changes: Any) -> None:
        """Write what the set-up would write."""
        told = {"region": "eu-central-1", "endpoint": self.aws.url, **changes}
        (self.folder / "settings").write_text(json.dumps(told))

    def program(self, name: str, body: str = "exit 0") -> None:
        """Put a stand-in before a program."""
        program = self.folder / "programs" / name
        program.write_text(f'#!/bin/bash\necho "{name} $*" >> {self.calls_file}\n{body}\n')
        program.chmod(0o755)

    def used(self, percent: int) -> None:
        """Let so much of the disk be used until it is made anew."""
        self.program("df", f'grep -q ^mkfs {self.calls_file} && echo "Use% 1%" || echo "Use% {percent}%"')

    @property
    def calls(self) -> list[str]:
        """The programs that were called, in their order, without those that only look."""
        lines = self.calls_file.read_text().splitlines()
        return [line for line in lines if line.split()[0] not in {"blkid", "df"}]

    def made(self) -> int:
        """Return how often a filesystem was made."""
        return sum(call.startswith("mkfs") for call in self.calls)

    def data_root(self) -> str | None:
        """Return where docker was told to keep everything."""
        found: str | None = json.loads(self.docker.read_text()).get("data-root")
        return found


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """Return a machine that just started, in a zone with a disk that holds our filesystem."""
    made = Machine(tmp_path, monkeypatch)
    yield made
    made.aws.close()


pytestmark = pytest.mark.needs("bash")


def test_a_disk_with_releases_is_attached_mounted_and_docker_works_on_it(machine: Machine) -> None:
    machine.docker.parent.mkdir()
    machine.docker.write_text('{"default-runtime": "nvidia"}')
    assert machine.disk.take()
    (asked,) = machine.aws.asked
    assert (asked["Action"], asked["VolumeId"], asked["InstanceId"]) == ("AttachVolume", VOLUME, "i-1")
    assert machine.made() == 0, "never where there is one"
    assert json.loads(machine.docker.read_text()) == {
        "default-runtime": "nvidia",
        "data-root": str(machine.place / "docker"),
        "features": {"containerd-snapshotter": False},
    }
    assert [call.split()[0] for call in machine.calls][:3] == ["mount", "xfs_growfs", "systemctl"]
    assert machine.calls[-1] == "docker rm --force --volumes c1 c2", "a study's traces of an interrupted one"


def test_the_signature_is_that_of_aws(machine: Machine) -> None:
    assert machine.disk.take()
    ((headers, body),) = machine.aws.requests
    theirs = AWSRequest("POST", machine.aws.url + "/", data=body)
    for name in ("Content-Type", "Host"):
        theirs.headers[name] = headers[name]
    signer = SigV4Auth(Credentials("AKIDEXAMPLE", SECRET, "session"), "ec2", "eu-central-1")
    theirs.context["timestamp"] = headers["X-Amz-Date"]
    theirs.headers["X-Amz-Date"] = headers["X-Amz-Date"]
    theirs.headers["X-Amz-Security-Token"] = "session"
    signature = signer.signature(signer.string_to_sign(theirs, signer.canonical_request(theirs)), theirs)
    assert headers["Authorization"].endswith(f"Signature={signature}")


def test_a_filesystem_is_made_only_where_there_is_none(machine: Machine) -> None:
    machine.program("blkid", "exit 2")
    assert machine.disk.take()
    assert machine.made() == 1
    assert machine.calls[0].startswith("mkfs.xfs -q -f -L bedside ")


@pytest.mark.parametrize("found", ["echo LABEL=theirs; echo TYPE=ext4", "echo PTTYPE=gpt", "exit 8"])
def test_what_is_not_ours_is_not_touched(
    machine: Machine, found: str, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.program("blkid", found)
    assert not machine.disk.take()
    assert not machine.calls
    assert "not touched" in capsys.readouterr().err


def test_a_disk_that_the_machine_before_still_has_is_waited_for(machine: Machine) -> None:
    machine.aws.refusals = ["VolumeInUse", "IncorrectState"]
    assert machine.disk.take()
    assert machine.aws.actions() == ["AttachVolume"] * 3


@pytest.mark.parametrize("refusal", ["VolumeInUse", "UnauthorizedOperation"])
def test_one_that_another_machine_keeps_or_that_is_refused_is_done_without(
    machine: Machine, refusal: str, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.aws.refusals = [refusal] * 100_000
    assert not machine.disk.take()
    assert not machine.calls
    assert refusal in (said := capsys.readouterr().err) and "fetched anew" in said
    assert (len(machine.aws.asked) == 1) is (refusal == "UnauthorizedOperation")


def test_a_zone_without_a_disk_is_done_without(machine: Machine) -> None:
    machine.aws.zone = "eu-central-1b"
    assert not machine.disk.take()
    assert not machine.aws.asked and not machine.calls


def test_a_device_that_never_appears_is_done_without(machine: Machine) -> None:
    machine.settings(volumes={"eu-central-1a": "vol-2"})
    assert not machine.disk.take()
    assert not machine.calls


def test_one_of_ours_that_cannot_be_mounted_is_made_anew(machine: Machine) -> None:
    machine.program("mount", f"grep -q ^mkfs {machine.calls_file}")
    assert machine.disk.take()
    assert machine.made() == 1


def test_docker_that_does_not_start_on_it_begins_with_an_empty_disk(machine: Machine) -> None:
    machine.program("docker", f"[[ $1 != info ]] || grep -q ^mkfs {machine.calls_file}")
    assert machine.disk.take()
    assert machine.made() == 1
    stopped = machine.calls.index("systemctl stop docker.socket docker.service")
    assert machine.calls[stopped + 1].startswith("umount ") and machine.calls[stopped + 2].startswith("mkfs")
    assert machine.data_root() is not None


def test_docker_that_starts_on_no_disk_works_without(machine: Machine) -> None:
    machine.program("docker", "exit 1")
    assert not machine.disk.take()
    assert machine.data_root() is None
    assert machine.calls[-1].startswith("umount ")


def test_old_releases_make_room_before_the_next_one_comes(machine: Machine) -> None:
    machine.used(51)
    assert machine.disk.take()
    assert machine.made() == 1


def test_a_machine_that_leaves_ends_docker_then_unmounts_then_detaches(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(machine.place), "is_mount", lambda _: True)
    assert machine.disk.leave()
    assert machine.calls == [
        "docker ps --all --quiet",
        "docker rm --force --volumes c1 c2",
        "systemctl stop docker.socket docker.service",
        f"umount {machine.place}",
    ]
    (asked,) = machine.aws.asked
    assert (asked["Action"], asked["VolumeId"]) == ("DetachVolume", VOLUME)


def test_a_disk_in_use_is_not_torn_away(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(machine.place), "is_mount", lambda _: True)
    machine.program("umount", "exit 32")
    assert not machine.disk.leave()
    assert not machine.aws.asked


def test_a_machine_without_the_disk_has_nothing_to_let_go(machine: Machine) -> None:
    assert machine.disk.leave()
    assert not machine.calls and not machine.aws.asked


def test_it_runs_by_the_images_own_python(machine: Machine) -> None:
    """Amazon Linux's is 3.9, and no other is there yet."""
    source = (MODULES / "modules" / "workers" / "disk.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 9))
    imported = {node.names[0].name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import)}
    assert imported <= sys.stdlib_module_names | {"urllib.error", "urllib.parse", "urllib.request"}
    assert machine.disk.LABEL == "bedside"


@pytest.mark.needs("mkfs.ext4", "losetup")
def test_what_a_machine_kept_is_there_for_the_next_even_if_it_ended_without_a_word(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A real filesystem on a file, with ext4 for xfs."""
    image = tmp_path / "image"
    with image.open("wb") as stream:
        stream.truncate(32 << 20)
    (machine.disk.DEVICES / DEVICE).symlink_to(image)
    path = f"export PATH={os.environ['PATH'].partition(os.pathsep)[2]}"
    for name in ("blkid", "umount", "df"):
        machine.program(name, f'{path}; exec {name} "$@"')
    machine.program("mkfs.xfs", f'{path}; exec mkfs.ext4 -q -F -L bedside "$5"')
    machine.program("mount", f'{path}; exec mount -t ext4 -o loop "$5" "$6"')
    try:
        if not machine.disk.take():
            pytest.skip("nothing can be mounted here")
        (machine.place / "release").write_text("gigabytes")
        copy = tmp_path / "copy"
        subprocess.run(["sync"], check=True)
        copy.write_bytes(image.read_bytes())  # as the disk is when the machine is gone in this moment
        assert machine.disk.leave()
        assert not (machine.place / "release").exists()
        copy.rename(image)
        assert machine.disk.take()
        assert (machine.place / "release").read_text() == "gigabytes"
        assert machine.made() == 1
    finally:
        machine.disk.leave()
