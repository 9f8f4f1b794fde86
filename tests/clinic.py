"""A deployment of real parts, worked by hand: what a story about a study's path needs, step by step.

The parts are those that `bedside.wiring` chooses (ledger on SQLite, store in a folder, the configured
intake, worker, child processes), so a test decides only when each of them acts. The models' children
are shared between tests, because a warm one answers in a fraction of a second.
"""

import contextlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, inspect

import nothing_bundle
from bedside.adapters.process import ChildRunner
from bedside.cli.main import main
from bedside.config import load
from bedside.domain.arrival import Entry
from bedside.domain.job import Job
from bedside.domain.result import RESULT_FILE, Result
from bedside.log import line
from bedside.ports import BlobStore, JobFilter, Ledger, ModelRunner
from bedside.wiring import Deployment, open_deployment
from bedside.worker.loop import Parts, Worker, WorkerOptions
from bedside.worker.runners import StageRunners
from bedside.worker.stop import Stop

TENANTS = ("default", "ward-3")

#: Everything that came is complete at once, and a failed attempt is repeated at once.
SYSTEM = """
[system]
root = "data"
tenants = ["default", "ward-3"]

[intake]
quiet_s = 0
{intake}

[ledger]
url = "{ledger_url}"

[store]
url = "{store_url}"

[worker]
backoff_s = 0
engine = "none"
"""

#: One model with one rule.
SPLEEN = """
[[pipeline]]
name = "spleen"
bundle = "bundle"
outputs = ["seg", "sr"]

[[rule]]
name = "spleen on CT"
pipeline = "spleen"
when = "Modality == 'CT'"
"""


@dataclass
class Models:
    """Warm children for the releases of any clinic."""

    runner: StageRunners
    bundles: ChildRunner
    folders: dict[str, Path] = field(default_factory=dict)


@dataclass
class Typed:
    """What a command gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def typed(*words: str) -> Typed:
    """Type a command as in a terminal that nobody sits at."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    return Typed(code, out.getvalue(), err.getvalue())


class Clinic:
    """One deployment in a folder, with everything a test may want to look at.

    Args:
        folder: Its folder; ``bundle/`` in it is a model that does what the study says.
        models: Children to work with.
        pipelines: ``[[pipeline]]`` and ``[[rule]]`` as bedside.toml has them.
        intake: Further keys of ``[intake]``.
        ledger_url: Of a database; empty is SQLite in the folder.
        store_url: Of a bucket; empty is the folder. What looks at paths is for the folder only.
    """

    def __init__(
        self,
        folder: Path,
        models: Models,
        *,
        pipelines: str = SPLEEN,
        intake: str = "",
        ledger_url: str = "",
        store_url: str = "",
    ) -> None:
        self.folder = folder
        self.ledger_url = ledger_url
        self.store_url = store_url
        self.models = models
        self.configuration = folder / "bedside.toml"
        self.said: list[str] = []
        self.heard: list[Callable[[str], None]] = []
        folder.mkdir(parents=True, exist_ok=True)
        nothing_bundle.write_bundle(folder / "bundle")
        self.deployment: Deployment | None = None
        self.configure(pipelines, intake=intake)

    def configure(self, pipelines: str, *, intake: str = "") -> None:
        """Write bedside.toml and start anew with it."""
        system = SYSTEM.format(intake=intake, ledger_url=self.ledger_url, store_url=self.store_url)
        self.configuration.write_text(system + pipelines)
        self.restart()

    def restart(self) -> None:
        """Open everything anew, as a new process does: only what is on disk is known."""
        self.close()
        settings = load(self.configuration, environment={}, flags={}).settings
        self.deployment = open_deployment(settings, log=self._log)
        for pipeline in self.here.pipelines.values():
            for stage in pipeline.stages:
                if stage.release:
                    self.models.folders[stage.release] = self.here.releases.path(stage.release)

    def close(self) -> None:
        if self.deployment is not None:
            self.deployment.close()

    def _log(self, action: str, /, **fields: object) -> None:
        self.said.append(line(action, **fields))
        for hear in self.heard:
            hear(action)

    @property
    def here(self) -> Deployment:
        assert self.deployment is not None
        return self.deployment

    @property
    def ledger(self) -> Ledger:
        return self.here.ledger

    @property
    def root(self) -> Path:
        return self.folder / "data"

    # Acting

    def inbox(self, tenant: str = "default") -> Path:
        """Return the drop-box."""
        folder = self.root / tenant / "input"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def take(self, tenant: str = "default") -> int:
        """Let intake look once."""
        return self.here.intake.step(tenant)

    def worker(
        self,
        name: str = "w1",
        *,
        pools: Sequence[str] = (),
        ledger: Ledger | None = None,
        blobs: BlobStore | None = None,
        runner: ModelRunner | None = None,
        lease_s: float = 60.0,
    ) -> Worker:
        """Return a worker, with other parts than the deployment's where a test says so."""
        return Worker(
            Parts(
                ledger=ledger or self.ledger,
                blobs=blobs or self.here.blobs,
                runner=runner or self.models.runner,
                releases=self.here.releases,
                clock=self.here.clock,
                log=self._log,
                aside=self.here.comparer(self.here.scratch / name / "compare").step,
                observer=self.here.observer,
            ),
            WorkerOptions(
                name=name,
                pools=pools,
                scratch=self.here.scratch / name,
                lease_s=lease_s,
                backoff_s=0,
            ),
            Stop(grace_s=60),
        )

    def work(self, worker: Worker | None = None) -> int:
        """Work until nothing is due; return the number of attempts."""
        worker = worker or self.worker()
        attempts = 0
        while worker.step():
            attempts += 1
        return attempts

    def settle(self, tenant: str = "default") -> int:
        """Move what is done out of the drop-box."""
        return self.here.intake.settle(tenant)

    def read_all(self, tenant: str = "default") -> None:
        """Take what lies there, do every job, settle."""
        self.take(tenant)
        self.work()
        self.settle(tenant)

    def type(self, *arguments: object, tenant: str = "") -> Typed:
        """Type a command as in a terminal."""
        words = ["-c", str(self.configuration), *map(str, arguments)]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([*words, *(["--tenant", tenant] if tenant else [])])
        return Typed(code, out.getvalue(), err.getvalue())

    # Looking

    def jobs(self, tenant: str = "default") -> list[Job]:
        """Return all jobs, oldest first."""
        return list(reversed(self.ledger.jobs(tenant, JobFilter(), limit=1000)))

    def job(self, tenant: str = "default") -> Job:
        """Return the only job."""
        (job,) = self.jobs(tenant)
        return job

    def entries(self, tenant: str = "default") -> list[Entry]:
        """Return all drop-box entries, oldest first."""
        return list(reversed(self.ledger.entries(tenant)))

    def results(self, tenant: str = "default", *, current_only: bool = True) -> dict[str, Result]:
        """Return results by job."""
        return {r.job_id: r for r in self.ledger.results(tenant, current_only=current_only)}

    def place(self, job: Job) -> Path:
        """Return the folder of a job's result."""
        return self.root / job.tenant / job.prefix

    def document(self, job: Job) -> dict[str, Any]:
        """Return a job's ``result.json``."""
        found = json.loads((self.place(job) / RESULT_FILE).read_text())
        assert isinstance(found, dict)
        return found

    def written(self, job: Job) -> dict[str, bytes]:
        """Return the files of a job's result by path, all but ``result.json``."""
        return {p: d for p, d in files_below(self.place(job)).items() if p != RESULT_FILE}

    def history(self, job: Job) -> list[str]:
        """Return what happened to a job, in order."""
        return [event.action for event in self.ledger.events(job.tenant, job_id=job.id)]

    def ledger_columns(self) -> dict[str, str]:
        """Return every column of every table as one text, read past the ledger's own code."""
        found: dict[str, str] = {}
        url = self.ledger_url.replace("postgresql:", "postgresql+psycopg:")
        engine = create_engine(url or f"sqlite:///{self.root / 'ledger.db'}")
        with contextlib.closing(engine.connect()) as connection:
            for table in inspect(connection).get_table_names():
                rows = connection.exec_driver_sql(f"select * from {table}")
                columns = list(rows.keys())
                values = rows.fetchall()
                for number, name in enumerate(columns):
                    found[f"{table}.{name}"] = "\n".join(str(row[number]) for row in values)
        engine.dispose()
        return found


def files_below(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by relative path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def zipped(
    paths: Iterable[Path],
    archive: Path,
    *,
    named: Callable[[Path], str] = lambda path: path.name,
    method: int = zipfile.ZIP_STORED,
    more: Mapping[str, bytes] | None = None,
) -> Path:
    """Pack files into a ZIP that appears whole."""
    whole = archive.with_name(f"{archive.name}.part")
    with zipfile.ZipFile(whole, "w", method) as packed:
        for path in paths:
            packed.write(path, named(path))
        for name, data in (more or {}).items():
            packed.writestr(name, data)
    whole.rename(archive)
    return archive


def copied(paths: Iterable[Path], folder: Path, *, named: Callable[[Path], str] = lambda p: p.name) -> Path:
    """Copy files to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        shutil.copyfile(path, folder / named(path))
    return folder
