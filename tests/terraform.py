"""Terraform as tests run it: the real AWS provider from a mirror on this disk, against an emulator.

Nothing is downloaded: the provider is 700 MB, and a machine without a mirror of it skips. Where the mirror
is, is said by BEDSIDE_TEST_TF_MIRROR or found by looking.
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import pytest

from bedside.deploy.waker import waker_zip
from bedside.deploy.workspace import MODULES

_PROVIDER = "registry.terraform.io/hashicorp/aws"


@cache
def mirror() -> Path | None:
    """Return the folder that holds the AWS provider as Terraform's filesystem mirrors do, or None."""
    if said := os.environ.get("BEDSIDE_TEST_TF_MIRROR"):
        return Path(said)
    found = subprocess.run(
        ["find", "/", "-xdev", "-maxdepth", "7", "-type", "d", "-path", f"*/{_PROVIDER}"],
        capture_output=True,
        text=True,
        check=False,  # folders that may not be read
    )
    candidates = [Path(line) for line in found.stdout.splitlines() if "/.terraform/" not in line]
    return min(candidates).parents[2] if candidates else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terraform:
    """Terraform in one folder."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command and, unless told otherwise, fail the test with what it said."""
        done = subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        if check and done.returncode != 0:
            pytest.fail(f"terraform {' '.join(arguments)}:\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}")
        return done

    def begin(self, *arguments: str) -> "Underway":
        """Begin a command and leave it running; most of an apply is waiting until AWS's answers are firm."""
        said = (self.folder / f"{arguments[0]}.log").open("w+")
        process = subprocess.Popen(
            ["terraform", *arguments],
            cwd=self.folder,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # the provider is a process of its own, which must end with it
        )
        return Underway(process=process, said=said)

    def outputs(self) -> dict[str, Any]:
        """Return the root module's outputs."""
        return {name: item["value"] for name, item in json.loads(self.run("output", "-json").stdout).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Underway:
    """A command of Terraform that goes on while other tests run."""

    process: "subprocess.Popen[str]"
    said: IO[str]

    def end(self, timeout_s: float = 280) -> None:
        """Wait for it and fail the test with what it said if it failed."""
        with self.said:
            status = self.process.wait(timeout_s)
            self.said.seek(0)
            if status != 0:
                pytest.fail(f"{self.process.args}:\n{self.said.read()[-9000:]}")

    def stop(self) -> None:
        """End it, if it still runs, without asking how it went."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(20)
        self.said.close()


def environment(folder: Path, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which Terraform takes the provider from the mirror and nothing from the net.

    Args:
        folder: Where its configuration is written.
        variables: More variables, e.g. an emulator's.
    """
    found = mirror()
    if found is None:
        pytest.skip("no mirror of hashicorp/aws on this disk; name one in BEDSIDE_TEST_TF_MIRROR")
    configuration = folder / "terraform.rc"
    configuration.write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{found}"\n  }}\n}}\n'
    )
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "TF_CLI_CONFIG_FILE": str(configuration),
        "TF_IN_AUTOMATION": "1",
        "TF_CLI_ARGS": "-no-color",
        "CHECKPOINT_DISABLE": "1",
        **(variables or {}),
    }


def copy_of_modules(target: Path) -> Path:
    """Copy the package's modules, so that Terraform leaves nothing beside the sources."""
    return Path(shutil.copytree(MODULES, target, ignore=shutil.ignore_patterns("__pycache__", ".terraform*")))


def root(target: Path, variables: Mapping[str, object], *, emulator: Mapping[str, str]) -> Terraform:
    """Return the root module, ready to be applied against an emulator."""
    folder = copy_of_modules(target)
    waker_zip(folder / "waker.zip")
    (folder / "terraform.tfvars.json").write_text(json.dumps(variables))
    # An emulator has no names for buckets, no server of machines' metadata, and no second answer.
    provider = {"aws": {"s3_use_path_style": True, "skip_metadata_api_check": True, "max_retries": 2}}
    (folder / "emulator_override.tf.json").write_text(json.dumps({"provider": provider}))
    terraform = Terraform(folder=folder, environment=environment(folder, emulator))
    terraform.run("init", "-input=false")
    return terraform
