"""A command of bedside on a machine of the deployment, where the ledger can be asked.

Owns which machine is asked, the waiting, and the form in which arguments go there and answers come back
(`run.py` of the Terraform module ``commands`` is the other end). Names follow from the deployment's, so
that nobody needs Terraform here.
"""

import base64
import binascii
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bedside.config import DeploySettings
from bedside.errors import BedsideError, NotFound, Unavailable, UsageError
from bedside.ports import Clock
from bedside.ports.cloud import Cloud
from bedside.ports.machines import Machine, Machines, Outcome, Said

POLL_S = 2.0
#: A machine that was woken for a command starts, installs its software, and then runs it.
WAKE_S = 900.0
#: How often it is asked whether a machine that is silent is still there.
LOOK_S = 20.0
#: Longest encoded arguments; a command line is not where long things belong.
LONGEST = 8_000
#: What machines run, see ``run.py``.
COMMANDS = ("job", "release", "archive", "tenant", "doctor")
MARK: Final = "bedside-run "
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command on a machine said.

    Attributes:
        code: Its exit code.
        out: Its standard output.
        err: Its standard error.
        lost: Characters of an answer too long to be brought here; 0 is none.
    """

    code: int
    out: str
    err: str
    lost: int = 0


def document_name(deployment: str) -> str:
    """Return the document that runs commands on a deployment's machines."""
    return f"{deployment}-run"


def encoded(arguments: Sequence[str]) -> str:
    """Return arguments as letters, digits, ``-`` and ``_``, none of which means anything to a shell.

    Raises:
        UsageError: They are too long.
    """
    text = base64.urlsafe_b64encode(json.dumps(list(arguments)).encode()).decode().rstrip("=")
    if len(text) > LONGEST:
        raise UsageError(
            f"the command has {len(text)} characters when it is sent, and {LONGEST} is the most",
            hint="bedside deploy run --help",
        )
    return text


def decoded(printed: str) -> Answer | None:
    """Return the answer in what a machine printed; None where there is none."""
    line = next((line for line in printed.splitlines() if line.startswith(MARK)), "")
    try:
        found = json.loads(zlib.decompress(base64.b64decode(line.removeprefix(MARK), validate=True)))
        return Answer(**found) if line else None
    except (binascii.Error, zlib.error, ValueError, TypeError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """The machines of one deployment, as commands are run there.

    Attributes:
        settings: The section ``[deploy]``.
        cloud: The account, in the deployment's region.
        machines: Its machines.
        clock: The time.
    """

    settings: DeploySettings
    cloud: Cloud
    machines: Machines
    clock: Clock

    @property
    def groups(self) -> list[str]:
        """The groups that are looked in: the control machine first, for it has no work to do."""
        name = self.settings.name
        control = [f"{name}-control"] if self.settings.control else []
        return [*control, *(f"{name}-{pool}" for pool in self.settings.pools)]

    def find(self, wanted: str = "") -> Machine | None:
        """Return a machine that takes commands, or None where none does yet.

        Args:
            wanted: Its id; empty is any, the control machine first.

        Raises:
            NotFound: The deployment has no machine of that id.
            Unavailable: That machine takes no commands.
        """
        there = self.machines.of(self.groups)
        if not wanted:
            return next((one for one in there if one.works and one.listens), None)
        found = next((one for one in there if one.id == wanted), None)
        if found is None:
            ids = ", ".join(one.id for one in there) or "none"
            raise NotFound(
                f"deployment {self.settings.name} has no machine {wanted}; there are: {ids}",
                hint="bedside deploy status",
            )
        if not (found.works and found.listens):
            why = "its agent has not registered yet" if found.works else "it starts, rests, or leaves"
            raise Unavailable(
                f"machine {wanted} takes no commands: {why}",
                hint="leave --machine out, or bedside deploy logs --since 15m",
            )
        return found

    def underway(self) -> bool:
        """Whether a machine is there or wanted that may take commands soon."""
        return any(group.desired > 0 for group in map(self.cloud.group, self.groups))

    def wakeable(self, prices: dict[str, dict[str, float]]) -> str:
        """Return the pool whose machine costs least.

        Args:
            prices: USD an hour, by pool and kind of machine; what is not in it is thought dear.

        Raises:
            Unavailable: It is night: no pool may have a machine.
            NotFound: The deployment is not there.
        """
        name = self.settings.name
        awake = [pool for pool in self.settings.pools if self.cloud.group(f"{name}-{pool}").max > 0]
        if not awake:
            raise Unavailable(
                f"deployment {name} has no machine and may have none now: it is its night",
                hint="bedside deploy status, by day",
            )
        return min(awake, key=lambda pool: min(prices.get(pool, {}).values(), default=float("inf")))

    def wake(self, pool: str) -> None:
        """Let a pool have one machine; it leaves by itself when it has no work."""
        self.machines.raise_to_one(f"{self.settings.name}-{pool}")

    def wait(self, tell: Tell, *, patience_s: float = WAKE_S) -> Machine:
        """Wait for a machine that takes commands.

        Raises:
            Unavailable: None came.
        """
        began = self.clock.monotonic()
        while (machine := self.find()) is None:
            waited_s = self.clock.monotonic() - began
            if waited_s >= patience_s:
                there = [one.id for one in self.machines.of(self.groups) if one.works]
                said = (
                    f"{', '.join(there)} works and its agent did not register"
                    if there
                    else "no machine came into service"
                )
                raise Unavailable(
                    f"no machine took commands within {waited_s / 60:.0f} min: {said}",
                    hint="bedside deploy logs --part machines --part workers --since 30m",
                )
            tell(f"a machine starts, {waited_s / 60:.0f} min")
            self.clock.sleep(POLL_S)
        return machine

    def run(self, machine: Machine, arguments: Sequence[str], *, timeout_s: int, tell: Tell) -> Answer:
        """Run a command and wait for its end; what ends the waiting ends the command.

        Raises:
            NotFound: The deployment is older than this command.
            Unavailable: The machine went away, was not reached, or the command took too long.
        """
        document = document_name(self.settings.name)
        command = self.machines.send(document, machine.id, encoded(arguments), timeout_s=timeout_s)
        try:
            said = self._end(command, machine, timeout_s, tell)
        except BaseException:  # Ctrl-C too: what nobody waits for must not go on
            try:
                self.machines.cancel(command, machine.id)
            except BedsideError as exc:  # a machine that went away, mostly; the first error says more
                tell(f"the command may go on: {exc.message}")
            raise
        if said.outcome is not Outcome.ENDED:
            raise _why(said, machine, timeout_s)
        answer = decoded(said.out)
        if answer is None:
            raise Unavailable(
                f"machine {machine.id} gave no answer (exit code {said.code}): {said.err.strip()[-300:]}",
                hint="bedside deploy logs --since 15m",
            )
        return answer

    def _end(self, command: str, machine: Machine, timeout_s: int, tell: Tell) -> Said:
        began = looked = self.clock.monotonic()
        while (said := self.machines.said(command, machine.id)) is None:
            now = self.clock.monotonic()
            if now - looked >= LOOK_S:
                looked = now
                if machine.id not in {one.id for one in self.machines.of([machine.group])}:
                    raise Unavailable(
                        f"machine {machine.id} went away while the command ran there; it may have been done",
                        hint="look what came of it, then run it again",
                    )
            if now - began > timeout_s + LOOK_S:  # AWS should have ended it
                raise _timed_out(machine, timeout_s)
            tell(f"machine {machine.id} is asked, {now - began:.0f} s")
            self.clock.sleep(POLL_S)
        return said


def _timed_out(machine: Machine, timeout_s: int) -> Unavailable:
    return Unavailable(
        f"the command did not end on {machine.id} within {timeout_s} s, and was ended",
        hint="--timeout SECONDS gives it longer",
    )


def _why(said: Said, machine: Machine, timeout_s: int) -> Unavailable:
    """Return why a command did not end by itself, and what to do."""
    if said.outcome is Outcome.TIMED_OUT:
        return _timed_out(machine, timeout_s)
    if said.outcome is Outcome.UNDELIVERED:
        return Unavailable(
            f"machine {machine.id} did not take the command", hint="run it again: it was not begun"
        )
    return Unavailable(
        f"somebody cancelled the command on {machine.id}", hint="look what came of it, then run it again"
    )
