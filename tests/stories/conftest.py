"""Clinics for the stories of a study's path: real parts, and one set of warm children for all of them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bedside.adapters.process import ChildOptions, ChildRunner, CommandRunner, ProcessRunner
from clinic import Clinic, Models

#: What a worker's environment may well hold, and a child's must not.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "credential-1",
    "AWS_SECRET_ACCESS_KEY": "credential-2",
    "AWS_SESSION_TOKEN": "credential-3",
    "BEDSIDE_LEDGER_URL": "postgresql://bedside:credential-4@db/bedside",
    "GITHUB_TOKEN": "credential-5",
    "PGPASSWORD": "credential-6",
    "SSH_AUTH_SOCK": "/run/credential-7",
}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    """Warm children, started by a worker whose environment is full of credentials."""
    scratch = tmp_path_factory.mktemp("children")
    environment = {**os.environ, **CREDENTIALS, "OMP_NUM_THREADS": "1"}
    folders: dict[str, Path] = {}
    bundles = ChildRunner(
        bundles=folders.__getitem__,
        scratch=scratch,
        environment=environment,
        options=ChildOptions(device="cpu", threads=1, warm=2),
    )
    commands = CommandRunner(scratch=scratch, environment=environment)
    runner = ProcessRunner(bundles=bundles, commands=commands)
    yield Models(runner=runner, bundles=bundles, folders=folders)
    runner.close()


@pytest.fixture
def clinic_of(tmp_path: Path, models: Models) -> Iterator[Callable[..., Clinic]]:
    """Make clinics."""
    made: list[Clinic] = []

    def make(**more: str) -> Clinic:
        made.append(Clinic(tmp_path / f"clinic-{len(made)}", models, **more))
        return made[-1]

    yield make
    for clinic in made:
        clinic.close()


@pytest.fixture
def clinic(clinic_of: Callable[..., Clinic]) -> Clinic:
    """A clinic with one model and one rule."""
    return clinic_of()
