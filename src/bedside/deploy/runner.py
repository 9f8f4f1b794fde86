"""Runs Terraform in a working copy and reads its JSON; its errors become ours.

Refuses a Terraform older than the locking it relies on. Everything is asked in JSON, because the
words for people change between versions. Terraform hears Ctrl-C itself, ends what is under way and
writes its state; so a stop here waits for it.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bedside.deploy.diagnosis import error_of
from bedside.deploy.plan import Planned, planned
from bedside.errors import ConfigError, Unavailable

#: The first with locking by S3 itself (``use_lockfile``), without a DynamoDB table.
OLDEST = (1, 11)
GET_IT = "install Terraform 1.11 or newer: https://developer.hashicorp.com/terraform/install"
PLAN_FILE = "next.tfplan"

#: Takes the type of an event and the event; see terraform's "machine-readable UI".
Tell = Callable[[str, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A resource that the state holds: Terraform's address and type, the provider's id, and its ARN."""

    address: str
    type: str
    id: str
    arn: str


def find_terraform(environment: Mapping[str, str]) -> Path:
    """Return the program.

    Raises:
        ConfigError: There is none, or it is too old.
    """
    found = shutil.which("terraform", path=environment.get("PATH"))
    if found is None:
        raise ConfigError("deploying needs the program terraform, which is not in PATH", hint=GET_IT)
    asked = subprocess.run([found, "version", "-json"], capture_output=True, text=True, check=False)
    try:
        version = str(json.loads(asked.stdout)["terraform_version"])
        numbers = tuple(int(part) for part in version.split("-")[0].split(".")[:2])
    except (ValueError, KeyError) as exc:
        raise ConfigError("terraform does not say its version", hint=GET_IT) from exc
    if numbers < OLDEST:
        raise ConfigError(
            f"terraform {version} is too old: 1.11 keeps passwords out of the state", hint=GET_IT
        )
    return Path(found)


def _silent(_: str, __: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Terraform:
    """Terraform in one working copy.

    Attributes:
        program: As `find_terraform` returns it.
        folder: The working copy.
        environment: Of the process; credentials are found in it.
        who: ARN of the caller, for refusals that do not name it.
    """

    program: Path
    folder: Path
    environment: Mapping[str, str]
    who: str = ""

    def init(self) -> None:
        """Fetch providers and open the state."""
        self._follow("init", _silent)

    def plan(self, tell: Tell = _silent, *, destroy: bool = False) -> Planned:
        """Compare what is wanted with what is there, and keep the plan for `apply`, or until `forget`."""
        self._follow("plan", tell, f"-out={PLAN_FILE}", *(("-destroy",) if destroy else ()))
        return planned(self._json("show", "-json", PLAN_FILE))

    def apply(self, tell: Tell = _silent) -> None:
        """Do what the kept plan says, and forget the plan."""
        try:
            self._follow("apply", tell, PLAN_FILE)
        finally:
            self.forget()

    def forget(self) -> None:
        """Remove the kept plan, which may hold a password."""
        (self.folder / PLAN_FILE).unlink(missing_ok=True)

    def outputs(self) -> dict[str, Any]:
        """Return the outputs of the last apply by name."""
        return {name: item["value"] for name, item in self._json("output", "-json").items()}

    def held(self) -> list[Held]:
        """Return what the state holds, without what was only read, by address."""
        document = self._json("show", "-json")
        root = document.get("values", {}).get("root_module", {})
        found = [
            Held(
                address=item["address"],
                type=item["type"],
                id=str(item.get("values", {}).get("id") or ""),
                arn=str(item.get("values", {}).get("arn") or ""),
            )
            for item in _resources(root)
            if item.get("mode") == "managed"
        ]
        return sorted(found, key=lambda held: held.address)

    def _json(self, *arguments: str) -> dict[str, Any]:
        done = subprocess.run(
            [self.program, *arguments],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise error_of([_plain(done.stderr)], doing=f"terraform {arguments[0]}", who=self.who)
        try:
            return dict(json.loads(done.stdout))
        except ValueError as exc:
            raise Unavailable(f"terraform {arguments[0]}: what it printed is not JSON", hint=GET_IT) from exc

    def _follow(self, verb: str, tell: Tell, *arguments: str) -> None:
        errors: list[Mapping[str, Any]] = []
        rest: list[str] = []
        command = [str(self.program), verb, "-json", "-input=false", *arguments]
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout
            try:
                for line in process.stdout:
                    event = _event(line)
                    if event is None:
                        rest.append(line)
                    elif event.get("type") == "diagnostic":
                        if event["diagnostic"].get("severity") == "error":
                            errors.append(event["diagnostic"])
                    else:
                        tell(str(event.get("type", "")), event)
            except KeyboardInterrupt:
                process.wait()
                raise
        if process.returncode:
            raise error_of(errors or [_plain("".join(rest))], doing=f"terraform {verb}", who=self.who)

    @property
    def _environment(self) -> dict[str, str]:
        return {
            **self.environment,
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",  # no call home
        }


def _resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from module.get("resources", ())
    for child in module.get("child_modules", ()):
        yield from _resources(child)


def _event(line: str) -> Mapping[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _plain(text: str) -> dict[str, str]:
    """Return words for people as a diagnostic: without frames and colours."""
    lines: Sequence[str] = [line.strip("│╷╵ \t") for line in text.splitlines()]
    kept = [line for line in lines if line]
    return {"summary": kept[0].removeprefix("Error: ") if kept else "", "detail": " ".join(kept[1:])}
