"""Clinics for the stories of a study's path: real parts, and one set of warm children for all of them.

Each story runs on SQLite; those of a study's path run on a real PostgreSQL server too, most of them in the
second tier only: what a database may do differently is held by the contract of the ledger.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bedside.adapters.process import ChildOptions, ChildRunner, CommandRunner
from bedside.domain.pipeline import StageKind
from bedside.worker.runners import StageRunners
from clinic import Clinic, Models
from services import PostgresServer

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

#: Stories that the first tier tells on PostgreSQL too.
ON_BOTH = {
    "test_a_file_name_is_nowhere_but_in_the_entry",
    "test_a_late_slice_makes_a_version_whose_result_supersedes",
    "test_a_retry_and_a_rerun_write_the_same_bytes",
    "test_a_running_job_is_cancelled_and_leaves_nothing",
    "test_two_rules_under_two_releases_are_four_results",
    "test_two_tenants_share_nothing",
    "test_what_is_copied_in_slowly_is_taken_whole",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tell the stories of a study's path on both databases."""
    if "ledger_url" not in metafunc.fixturenames or not metafunc.module.__name__.split(".")[-1].startswith(
        "test_path_"
    ):
        return
    marks = [pytest.mark.needs("initdb", "pg_ctl")]
    if metafunc.function.__name__ not in ON_BOTH:
        marks.append(pytest.mark.slow)
    databases = ["sqlite", pytest.param("postgresql", marks=marks)]
    metafunc.parametrize("ledger_url", databases, indirect=True)


@pytest.fixture
def ledger_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty ledger; empty is SQLite, as in a configuration."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return ""
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.database()


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
    runner = StageRunners({StageKind.BUNDLE: lambda: bundles, StageKind.COMMAND: lambda: commands})
    yield Models(runner=runner, bundles=bundles, folders=folders)
    runner.close()


@pytest.fixture
def clinic_of(
    request: pytest.FixtureRequest, tmp_path: Path, models: Models, ledger_url: str
) -> Iterator[Callable[..., Clinic]]:
    """Make clinics, each with a ledger of its own."""
    made: list[Clinic] = []

    def make(**more: str) -> Clinic:
        url = ledger_url
        if url and made:
            url = request.getfixturevalue("postgres").database()
        made.append(Clinic(tmp_path / f"clinic-{len(made)}", models, ledger_url=url, **more))
        return made[-1]

    yield make
    for clinic in made:
        clinic.close()


@pytest.fixture
def clinic(clinic_of: Callable[..., Clinic]) -> Clinic:
    """A clinic with one model and one rule."""
    return clinic_of()
