"""A pool of machines on emulated AWS: moto's group keeps the number, and the waker is the real function.

The machine that leaves is the script of the user data, run by bash. What it calls is asked of the test
through a socket, so that a test can let things happen between any two calls.
"""

import json
import shlex
import socketserver
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bedside.deploy.waker import SOURCE
from bedside.deploy.workspace import MODULES
from clouds import REGION, Cloud

WORKERS = MODULES / "modules" / "workers"
#: An event of S3 as EventBridge gives it to the waker, and what the schedule gives it.
ARRIVED, MINUTE = {"source": "aws.s3"}, {"source": "aws.events"}


@dataclass(kw_only=True)
class Pool:
    """One auto scaling group at zero, and its waker.

    Attributes:
        cloud: The emulator; this process's environment points at it.
        queue: URL of the pool's queue.
    """

    cloud: Cloud
    queue: str
    group: str = field(default_factory=lambda: f"bedside-{uuid.uuid4().hex[:12]}")

    def __post_init__(self) -> None:
        self._client = self.cloud.client("autoscaling")
        self._client.create_launch_configuration(
            LaunchConfigurationName=self.group, ImageId="ami-00000000", InstanceType="c7i.large"
        )
        self._client.create_auto_scaling_group(
            AutoScalingGroupName=self.group,
            LaunchConfigurationName=self.group,
            MinSize=0,
            MaxSize=2,
            DesiredCapacity=0,
            AvailabilityZones=[f"{REGION}a"],
        )
        self._waker = _loaded(SOURCE)  # anew: it remembers which pools it saw awake

    def wake(self, event: dict[str, str]) -> str:
        """Call the waker; return what it did."""
        pool = {
            "queue_url": self.queue,
            "group": self.group,
            "max": 2,
            "permitted_wait_s": 0,
            "start_s": 0,
            "waiting": "",
        }
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("POOLS", json.dumps({"default": pool}))
            done: str = self._waker.handler(event, None)["default"]
        return done

    def desired(self) -> int:
        """Return how many machines the group should have."""
        return int(self._found()["DesiredCapacity"])

    def machines(self) -> list[str]:
        """Return the ids of the group's machines."""
        return [machine["InstanceId"] for machine in self._found()["Instances"]]

    def leave(self, instance: str) -> None:
        """Take a machine out, as its own command does."""
        self._client.terminate_instance_in_auto_scaling_group(
            InstanceId=instance, ShouldDecrementDesiredCapacity=True
        )

    def _found(self) -> dict[str, Any]:
        groups = self._client.describe_auto_scaling_groups(AutoScalingGroupNames=[self.group])
        found: dict[str, Any] = groups["AutoScalingGroups"][0]
        return found


def work() -> Callable[[str, str, str], int]:
    """Return the function with which a machine counts what keeps it."""
    counted: Callable[[str, str, str], int] = _loaded(WORKERS / "work.py").main
    return counted


def _loaded(path: Path) -> ModuleType:
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


#: Answers a call of the script: its words; what it prints, or None where it fails.
Answer = Callable[[list[str]], str | None]


def run_machine(folder: Path, answer: Answer, *, idle_s: int) -> None:
    """Run the script that follows the group until it ends, every program that it calls answered here.

    Args:
        folder: For its files; must exist and be empty.
        answer: Is asked of ``aws``, ``systemctl``, ``curl`` and ``python``, and of ``round`` once a loop,
            which fails to switch the machine off.
        idle_s: After so long without work it leaves; each of its rounds counts 100 seconds.
    """
    script = (WORKERS / "node.sh.tftpl").read_text()
    agent = script.split("cat > /usr/local/sbin/bedside-machine <<'END'\n", 1)[1].split("\nEND\n", 1)[0]
    assert "${" not in agent, "Terraform would change it"
    programs = folder / "programs"
    programs.mkdir()
    (folder / "machine").write_text(f"group=g pool=default deployment=told idle_s={idle_s}\n")
    for name in ("environment", "ledger"):
        (folder / name).touch()
    with _answering(answer) as port:
        for name in ("aws", "systemctl", "curl", "python", "round"):
            program = programs / name
            program.write_text(
                f"#!/bin/bash\nexec 3<>/dev/tcp/127.0.0.1/{port}\nprintf '%s\\n' \"{name} $*\" >&3\n"
                'read -r code said <&3\n[[ -z $said ]] || echo "$said"\nexit "$code"\n'
            )
            program.chmod(0o755)
        (programs / "iptables").symlink_to("/bin/true")
        for real, ours in {
            "/etc/bedside/": f"{folder}/",
            "/opt/bedside/bin/python": f"{programs}/python",
            'sleep "$pause"': "SECONDS=$((SECONDS + 100)); round || exit 0",
        }.items():
            assert real in agent
            agent = agent.replace(real, ours)
        (folder / "agent.sh").write_text(agent)
        environment = {"PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin"}
        subprocess.run(["bash", folder / "agent.sh"], env=environment, check=True, timeout=120)


@contextmanager
def _answering(answer: Answer) -> Iterator[int]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            said = answer(shlex.split(self.rfile.readline().decode()))
            self.wfile.write(b"1 \n" if said is None else f"0 {said}\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
