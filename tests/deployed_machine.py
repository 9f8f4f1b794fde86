"""A machine that a group of the deployment has started, set up by the user data that it was started with.

The script runs as it is, in a folder that stands for the machine's root. Programs of the operating system
and of AWS are answered here: what they would fetch is fetched from the emulator, what they would switch on
is written down. What comes of it, and nothing else, is what the machine's service is started with.
"""

import base64
import gzip
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from answered import Answer, answered
from clouds import Cloud

#: Of the operating system: a folder of these names is another one below the machine's root.
_PLACES = re.compile(r"(?<![\w./}$])/(etc|opt|var|usr/local|run)(?=/)")
#: Programs that the test answers, and those that only a real machine can do anything with.
_ASKED = ("aws", "curl", "systemctl")
_SILENT = ("dnf", "useradd", "iptables", "nginx", "shutdown", "sleep", "chgrp")
#: The users that files would belong to are not here.
_INSTALL = """args=()
while (($#)); do
  case $1 in --owner | --group) shift ;; *) args+=("$1") ;; esac
  shift
done
exec /usr/bin/install "${args[@]}"
"""
#: What `python -m venv` makes, of programs that do nothing: bedside is the one that the tests run.
_VENV = """[[ "$1 $2" == '-m venv' ]] && mkdir -p "$3/bin"
for program in pip python bedside; do ln -s /bin/true "$3/bin/$program"; done
"""
#: Folders that the system brings.
_THERE = (
    *("etc/systemd/system", "etc/logrotate.d", "etc/nginx", "usr/local/lib", "usr/local/sbin"),
    *("var/tmp", "var/lib/bedside", "var/log"),
)
_GZIP = b"\x1f\x8b"
_AGENT = "opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl"


@dataclass(kw_only=True)
class Node:
    """One machine of a group.

    Attributes:
        cloud: The emulator that its group is in.
        instance: Its id.
        root: The folder that stands for its root.
    """

    cloud: Cloud
    instance: str
    root: Path

    def set_up(self) -> None:
        """Run its user data to the end."""
        for place in (
            "etc/systemd/system",
            "etc/logrotate.d",
            "etc/nginx",
            "usr/local/lib",
            "usr/local/sbin",
        ):
            (self.root / place).mkdir(parents=True)
        for place in ("var/tmp", "var/lib/bedside", "var/log"):
            (self.root / place).mkdir(parents=True)
        agent = self.root / _AGENT
        agent.parent.mkdir(parents=True)
        agent.symlink_to("/bin/true")
        programs = self.root / "programs"
        self.started: list[str] = []
        # No disk with what others fetched is there.
        script = self.here(self._user_data()).replace("/usr/bin/python3 ", "false ")
        with answered(programs, _ASKED, self._answer):
            for name in _SILENT:
                (programs / name).symlink_to("/bin/true")
            _write(programs / "install", _INSTALL)
            _write(programs / "python3.11", _VENV)
            done = subprocess.run(
                ["bash", "-c", script],
                env={"PATH": f"{programs}:/usr/bin:/bin"},
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
        assert done.returncode == 0 and "set-up failed" not in done.stdout, done.stdout + done.stderr
        units = (self.root / "etc/systemd/system").glob("*.service")
        (self.unit,) = (unit for unit in units if " serve " in unit.read_text())

    def here(self, text: str) -> str:
        """Return a text in which the places of the operating system are below the machine's root."""
        return _PLACES.sub(rf"{self.root}/\1", text)

    @property
    def environment(self) -> dict[str, str]:
        """What systemd gives the service: each line of the files that its unit names."""
        files = re.findall(r"^EnvironmentFile=(.+)$", self.unit.read_text(), re.MULTILINE)
        lines = [line for file in files for line in Path(file).read_text().splitlines()]
        assignments = (shlex.split(line)[0].partition("=") for line in lines if line)
        return {name: value for name, _, value in assignments}

    @property
    def command(self) -> list[str]:
        """The service's command, run by the Python of the tests."""
        (line,) = re.findall(r"^ExecStart=(.+)$", self.unit.read_text(), re.MULTILINE)
        program, *words = shlex.split(line)
        assert program == f"{self.root}/opt/bedside/bin/bedside"
        return [sys.executable, "-m", "bedside", *words]

    @property
    def configuration(self) -> Path:
        """The `bedside.toml` that came with the software."""
        return self.root / "etc/bedside/bedside.toml"

    def counting(self, patch: pytest.MonkeyPatch) -> Callable[..., int]:
        """Return the machine's program that counts what keeps it, asked once, with the machine's settings.

        Args:
            patch: Puts them into this process's environment.
        """
        for name, value in self.environment.items():
            patch.setenv(name, value)
        said: list[int] = []
        program: dict[str, Any] = {"__name__": "work"}
        exec((self.root / "usr/local/lib/bedside-work.py").read_text(), program)
        program["sys"] = SimpleNamespace(stdin=["\n"])
        program["print"] = lambda number, **_: said.append(number)

        def counted(*told: str) -> int:
            program["main"](*told)
            return said.pop()

        return counted

    def _user_data(self) -> str:
        asked = self.cloud.client("ec2").describe_instance_attribute(
            InstanceId=self.instance, Attribute="userData"
        )
        told = base64.b64decode(asked["UserData"]["Value"])
        return (gzip.decompress(told) if told.startswith(_GZIP) else told).decode()  # as cloud-init does

    def _answer(self, words: list[str]) -> str | None:
        match words:
            case ["systemctl", *verbs]:
                self.started.append(" ".join(verbs))
                return ""
            case ["curl", *_]:
                return self.metadata(words[-1])
            case ["aws", "s3", "cp", "--only-show-errors", source, target]:
                bucket, _, key = source.removeprefix("s3://").partition("/")
                try:
                    self.cloud.client("s3").download_file(bucket, key, target)
                except ClientError:
                    return None
                return ""
            case ["aws", "ssm", "get-parameter", "--name", name, "--with-decryption", *_]:
                found = self.cloud.client("ssm").get_parameter(Name=name, WithDecryption=True)
                return str(found["Parameter"]["Value"])
            case ["aws", "ec2", "associate-address", "--allocation-id", address, *_]:
                self.cloud.client("ec2").associate_address(
                    AllocationId=address, InstanceId=self.instance, AllowReassociation=True
                )
                return ""
        raise AssertionError(words)

    def metadata(self, asked: str) -> str | None:
        """Answer as the machine's own metadata service does."""
        match asked.rpartition("/latest/")[2]:
            case "api/token":
                return "token"
            case "meta-data/instance-id":
                return self.instance
            case "meta-data/instance-life-cycle":
                return "on-demand"
            case "meta-data/instance-type":
                told = self.cloud.client("ec2").describe_instances(InstanceIds=[self.instance])
                return str(told["Reservations"][0]["Instances"][0]["InstanceType"])
        return None


def _write(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)


#: What the machine's own script calls each round, beside the programs of AWS.
ROUND = "round"


def run_agent(node: Node, answer: Answer) -> None:
    """Run the script that follows the group until it ends, every program that it calls answered here.

    Args:
        node: A machine that was set up.
        answer: Is asked of ``aws``, ``systemctl``, ``curl`` and ``python``, and of ``round`` once a loop,
            which fails to switch the machine off. A round counts 300 seconds.
    """
    agent = (node.root / "usr/local/sbin/bedside-machine").read_text()
    folder = node.root / "called"
    for real, ours in {
        f"{node.root}/opt/bedside/bin/python": f"{folder}/python",
        'sleep "$pause"': f"SECONDS=$((SECONDS + 300)); {ROUND} || exit 0",
    }.items():
        assert real in agent
        agent = agent.replace(real, ours)
    with answered(folder, ("aws", "systemctl", "curl", ROUND), answer, by_line=("python",)):
        (folder / "iptables").unlink(missing_ok=True)
        (folder / "iptables").symlink_to("/bin/true")
        subprocess.run(
            ["bash", "-c", agent], env={"PATH": f"{folder}:/usr/bin:/bin"}, check=True, timeout=120
        )
