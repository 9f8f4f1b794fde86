"""A deployment with a real study and a real result in it, for tests of pages that show them.

Everything came by the real path: DICOM into the drop-box, intake, rule, job, a worker and its child with
the example bundle, and what they wrote. It is made once per session and copied for each test.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bedside.config import load
from bedside.domain.job import Job, JobState
from bedside.phantom import Phantom, example_bundle, make_phantom
from bedside.phantom.study import write_study
from bedside.ports import JobFilter
from bedside.wiring import Deployment, open_deployment
from bedside.worker.stop import Stop
from portal_site import SETTINGS, Site, site

#: An invented person, and a grid that the example bundle takes: small, the spleen well within.
SEED = 1000
SHAPE, SPACING_MM = (40, 96, 96), (5.0, 4.0, 4.0)
TENANT = "default"

READING = f"""
[system]
root = "data"
tenants = ["default", "ward-3"]

[portal]
listen = ""

[intake]
quiet_s = 0

[worker]
device = "cpu"
threads = 1
engine = "none"

[[pipeline]]
name = "spleen"
bundle = "{example_bundle()}"
outputs = ["seg", "sr", "surface", "preview", "nifti"]

[[rule]]
name = "spleen on CT"
pipeline = "spleen"
when = "Modality == 'CT'"
"""
assert SETTINGS.strip() in READING  # the portal of tests, and a model


@dataclass(frozen=True)
class Made:
    """What lies in the folder that is copied.

    Attributes:
        folder: ``bedside.toml`` and ``data/``.
        phantom: Of the study: array, truth and affine.
        job_id: The job that read it.
        arrival_id: What it read.
        study_uid: Its Study Instance UID.
    """

    folder: Path
    phantom: Phantom
    job_id: str
    arrival_id: str
    study_uid: str


@dataclass
class ResultSite(Site):
    """A portal over a deployment with one study read.

    Attributes:
        made: What is in it.
    """

    made: Made

    @property
    def job(self) -> Job:
        """The job that read the study."""
        return self.deployment.ledger.job(TENANT, self.made.job_id)

    @property
    def page(self) -> str:
        """Address of the result's page."""
        return f"/t/{TENANT}/results/{self.made.job_id}"

    @property
    def api(self) -> str:
        """Address of the result for scripts."""
        return f"/api/v1/tenants/{TENANT}/results/{self.made.job_id}"


def put(deployment: Deployment, paths: list[Path], tenant: str = TENANT) -> None:
    """Put files into the drop-box and let intake look."""
    inbox = deployment.root / tenant / "input" / f"study-{paths[0].parent.name}"
    inbox.mkdir(parents=True, exist_ok=True)
    for path in paths:
        shutil.copyfile(path, inbox / path.name)
    deployment.intake.step(tenant)


def read(deployment: Deployment, tenant: str = TENANT) -> list[Job]:
    """Let a worker do every job of a tenant; return all of them, newest first."""
    scratch = deployment.scratch / "reading"
    runner = deployment.runner(scratch)
    try:
        worker = deployment.worker("w1", runner, Stop(grace_s=60))
        while worker.step():
            pass
    finally:
        runner.close()
    deployment.intake.settle(tenant)
    return list(deployment.ledger.jobs(tenant, JobFilter(), limit=1000))


def make(folder: Path) -> Made:
    """Make a study and have it read."""
    return make_with(folder, shape=SHAPE, affine=None)


def make_with(
    folder: Path,
    *,
    shape: tuple[int, int, int],
    affine: NDArray[np.float64] | None,
    spacing_mm: tuple[float, float, float] = SPACING_MM,
) -> Made:
    """Make a study on another grid (4×4 to LPS millimetres; None is an axial one) and have it read."""
    file = folder / "bedside.toml"
    file.write_text(READING, encoding="utf-8")
    phantom = make_phantom(SEED, shape=shape, spacing_mm=spacing_mm, affine=affine)
    paths = write_study(folder / "study", phantom, seed=SEED)
    deployment = open_deployment(load(file, environment={}, flags={}).settings)
    try:
        put(deployment, paths)
        (job,) = read(deployment)
        assert job.state is JobState.SUCCEEDED, job.failure
    finally:
        deployment.close()
    return Made(
        folder=folder, phantom=phantom, job_id=job.id, arrival_id=job.arrival_id, study_uid=job.subject
    )


@contextmanager
def result_site(made: Made, folder: Path) -> Iterator[ResultSite]:
    """Open a portal over a copy of what was made."""
    shutil.copytree(made.folder / "data", folder / "data")
    with site(folder, READING) as opened:
        yield ResultSite(deployment=opened.deployment, gate=opened.gate, client=opened.client, made=made)


@pytest.fixture(scope="session")
def made_result(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A study and its result, once per session; not to be changed, so copy it."""
    return make(tmp_path_factory.mktemp("made-result"))


@pytest.fixture
def results(made_result: Made, tmp_path: Path) -> Iterator[ResultSite]:
    """A portal over a study and its result, asked by a clinician of tenant ``default``."""
    with result_site(made_result, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def read_only(made_result: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ResultSite]:
    """The same for tests that change nothing: one for all of a file."""
    with result_site(made_result, tmp_path_factory.mktemp("read-only")) as opened:
        yield opened
