"""A machine of a deployment as commands are run there: a folder, and an agent that runs what moto is sent.

moto takes a command and says at once that it went well. Here the document that moto keeps is run, with its
parameters put in as Systems Manager puts them, in a folder that stands for the machine's root.
"""

import getpass
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

LEDGER = "BEDSIDE_LEDGER_URL='postgresql://a:p%20$w@h/b'\n"


@dataclass(frozen=True)
class Machine:
    """A folder that stands for a machine's root, and the document.

    Attributes:
        root: The folder.
        document: Content of the document.
        user: Who stands for the service's user.
    """

    root: Path
    document: dict[str, Any]
    user: str = field(default_factory=getpass.getuser)

    def set_up(self, program: str, environment: str, ledger: str = LEDGER) -> None:
        """Make what the user data makes.

        Args:
            program: Text of ``bedside``.
            environment: The service's variables.
            ledger: The one that root alone reads.
        """
        for folder in ("etc/bedside", "opt/bedside/bin", "var/lib/bedside", "run"):
            (self.root / folder).mkdir(parents=True)
        path = self.root / "opt/bedside/bin/bedside"
        path.write_text(program)
        path.chmod(0o755)
        (self.root / "etc/bedside/environment").write_text(environment)
        (self.root / "etc/bedside/ledger").write_text(ledger)
        (self.root / "etc/bedside/bedside.toml").write_text("")
        (self.root / "etc/bedside/machine").write_text("group='clinic-default'\n")

    def run(self, arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the document's script as the agent does, with its parameter put in."""
        (step,) = self.document["mainSteps"]
        script = "\n".join(step["inputs"]["runCommand"]).replace("{{ Arguments }}", arguments)
        for path in ("/etc/bedside", "/opt/bedside", "/var/lib/bedside", "/run/bedside-asked"):
            script = script.replace(path, f"{self.root}{path}")
        script = script.replace('USER = "bedside"', f'USER = "{self.user}"')
        (self.root / "script.sh").write_text(script)
        return subprocess.run(
            ["sh", str(self.root / "script.sh")], capture_output=True, text=True, check=False, timeout=60
        )


@dataclass
class Agents:
    """What Systems Manager does beyond moto.

    Attributes:
        machine: Where commands run.
        silent: How many questions are answered with no machine yet.
        status: What is said of each command instead of running it; empty runs it.
        then: Done when a command was sent and is not run.
        cancelled: Ids of commands that were taken back.
        sent: Parameters of those that were sent.
    """

    machine: Machine
    silent: int = 0
    status: str = ""
    then: Callable[[], object] = bool
    cancelled: list[str] = field(default_factory=list)
    sent: list[dict[str, list[str]]] = field(default_factory=list)

    def attach(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let moto behave so until the patch is undone."""
        from moto.core.responses import ActionResult
        from moto.ssm.models import SimpleSystemManagerBackend
        from moto.ssm.responses import SimpleSystemManagerResponse

        agents, send = self, SimpleSystemManagerBackend.send_command

        def describe_instance_information(response: Any) -> ActionResult:
            (wanted,) = response._get_param("Filters")
            agents.silent -= 1
            ids = wanted["Values"] if agents.silent < 0 else []
            return ActionResult(
                {"InstanceInformationList": [{"InstanceId": one, "PingStatus": "Online"} for one in ids]}
            )

        def cancel_command(response: Any) -> ActionResult:
            agents.cancelled.append(response._get_param("CommandId"))
            return ActionResult({})

        def send_command(backend: Any, **given: Any) -> Any:
            backend._get_documents(given["document_name"])  # which fails where there is none, as AWS does
            (machine,) = given["instance_ids"]
            command = send(backend, **given)
            agents.sent.append(given["parameters"])
            invocation = command.get_invocation(machine, None)  # moto adds every machine that there is
            if agents.status:
                agents.then()
                known = agents.status in {"Pending", "InProgress", "Cancelled"}
                invocation["Status"] = agents.status if known else "TimedOut"
                invocation["StatusDetails"] = agents.status
                return command
            done = agents.machine.run(given["parameters"]["Arguments"][0])
            status = "Failed" if done.returncode else "Success"
            invocation.update(Status=status, StatusDetails=status, ResponseCode=done.returncode)
            invocation.update(StandardOutputContent=done.stdout, StandardErrorContent=done.stderr)
            return command

        monkeypatch.setattr(SimpleSystemManagerBackend, "send_command", send_command)
        for answer in (describe_instance_information, cancel_command):
            monkeypatch.setattr(SimpleSystemManagerResponse, answer.__name__, answer, raising=False)
