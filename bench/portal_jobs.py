"""What lists of 100,000 jobs cost the portal: the time of its process per page, and of the API's answer.

Run ``python bench/portal_jobs.py [--jobs 100000]``. The ledger is SQLite in a folder of its own; the jobs are
of one tenant, each of a study of its own with its name in the catalogue, in the states and ages of a year of
work: a few running and waiting, most done, some failed. Every page is asked for through the whole
application, so that finding who asks, the audit record and the template are in the time; no network is.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from sqlalchemy import insert

from bedside.adapters.sql import SqlLedger
from bedside.adapters.sql.catalogue_rows import study_row
from bedside.adapters.sql.catalogue_tables import catalogue_studies
from bedside.adapters.sql.rows import arrival_row, event_row, job_row
from bedside.adapters.sql.schema import arrivals, events, jobs
from bedside.domain import moves
from bedside.domain.catalogue import Catalogued, Described, Layout, Source, SourceKind
from bedside.domain.job import Failure, Job, JobState
from ledger_samples import make_arrival, make_job, make_pipeline
from portal_site import CLINICIAN, ENGINEER, Site, site

TENANT = "default"
CHUNK = 5000
FAILURE = Failure(error="ModelFailed", message="child ended with status 139", hint="bedside doctor")
PIPELINES = [
    make_pipeline(name, release=f"sha256:{n:064x}") for n, name in enumerate(("spleen", "liver", "lung"))
]
RARE = make_pipeline("rare", release=f"sha256:{99:064x}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, site(Path(folder)) as opened:
        fill(opened, options.jobs)
        deep = place(opened, options.jobs // 2)
        print("| what is asked for | page, ms | API, ms | page, CPU ms |")
        print("|---|---|---|---|")
        for what, page, api in questions(opened, deep):
            ms, cpu = timed(page, options.rounds)
            api_ms, _ = timed(api, options.rounds)
            print(f"| {what} | {ms:.0f} | {api_ms:.0f} | {cpu:.0f} |", flush=True)
    print(f"\nMedian of {options.rounds}; {options.jobs} jobs and studies, 40 a page.")


def fill(opened: Site, many: int) -> None:
    """Write jobs, their studies, their names and their history past the ledger's calls: a year a minute."""
    ledger = opened.deployment.ledger
    assert isinstance(ledger, SqlLedger)
    now = datetime.now(UTC)
    for start in range(0, many, CHUNK):
        rows: list[list[dict[str, object]]] = [[], [], [], []]
        for number in range(start, min(start + CHUNK, many)):
            # The last one is the newest; a job every five minutes.
            at = now - timedelta(minutes=5 * (many - number))
            study = f"1.2.826.0.1.3680043.8.498.{number}"
            arrival = replace(
                make_arrival(*range(number * 8, number * 8 + 8), tenant=TENANT, subject=study), version=1
            )
            arrival = replace(arrival, received_at=at)
            pipeline = RARE if number % 20_000 == 7 else PIPELINES[number % 3]
            job = ended(
                replace(make_job(arrival, pipeline, created_at=at), rule=f"every {pipeline.name}"),
                number,
                many,
            )
            rows[0].append(arrival_row(arrival) | {"started": True})
            rows[1].append(job_row(job))
            rows[2].append(event_row(moves.note(job, "job.enqueue", at)))
            rows[3].append(named(arrival.id, study, number))
        with ledger._database.write() as connection:
            for table, values in zip((arrivals, jobs, events, catalogue_studies), rows, strict=True):
                connection.execute(insert(table), values)


def ended(job: Job, number: int, many: int) -> Job:
    """Return how a job stands by now."""
    if many - number <= 400:
        return job
    if many - number <= 404:
        return replace(moves.lease(job, worker="w1", now=job.created_at, lease_s=1e9).after, progress=0.5)
    leased = moves.lease(job, worker=f"w{number % 4}", now=job.created_at, lease_s=60).after
    end = job.created_at + timedelta(seconds=30 + number % 40)
    if number % 500 == 3:
        return moves.fail(leased, FAILURE, now=end, retry_at=None).after
    if number % 100 == 1:
        return moves.reject(leased, FAILURE, end).after
    return replace(leased, state=JobState.SUCCEEDED, ended_at=end, lease_until=None, progress=1.0)


def named(arrival_id: str, study: str, number: int) -> dict[str, object]:
    """Return the row of a study in the catalogue."""
    attributes = {
        "00080020": {"vr": "DA", "Value": ["20260301"]},
        "00080050": {"vr": "SH", "Value": [f"A{number:07d}"]},
        "00081030": {"vr": "LO", "Value": ["CT ABDOMEN"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": f"Sample{number}^Pat"}]},
        "00100020": {"vr": "LO", "Value": [f"P{number:07d}"]},
        "0020000D": {"vr": "UI", "Value": [study]},
    }
    source = Source(tenant=TENANT, study_uid=study, kind=SourceKind.ARRIVAL, id=arrival_id, rank=1)
    described = Described(
        study_uid=study,
        series_uid=f"{study}.1",
        sop_instance_uid=f"{study}.1.1",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        study=attributes,
        series={},
        instance={},
        metadata=b"{}",
        layout=Layout(),
    )
    row = study_row(source, Catalogued(key="k", size_bytes=1, described=described))
    return row | {"modalities": ["CT"], "series": 1, "instances": 8, "revision": 1}


def place(opened: Site, deep: int) -> tuple[str, str]:
    """Return the job and the arrival after which a deep page begins."""
    from bedside.ports import JobFilter

    found = opened.deployment.ledger.jobs(TENANT, JobFilter(), limit=1, offset=deep)[0]
    return found.id, found.arrival_id


Ask = Callable[[], None]


def questions(opened: Site, deep: tuple[str, str]) -> list[tuple[str, Ask, Ask]]:
    """Return what is asked: words, the page, the API."""
    job, arrival = deep
    release = RARE.stages[0].release

    def get(person: object, path: str) -> Ask:
        def ask() -> None:
            opened.gate.person = person  # type: ignore[assignment]
            answer = opened.client.get(path)
            assert answer.status_code == 200, answer.text

        return ask

    def search(person: object, kind: str, text: str) -> tuple[Ask, Ask]:
        def page() -> None:
            opened.gate.person = person  # type: ignore[assignment]
            answer = opened.client.post(f"/t/{TENANT}/{kind}/search", data={"text": text})
            assert answer.status_code == 200, answer.text

        def api() -> None:
            opened.gate.person = person  # type: ignore[assignment]
            answer = opened.client.post(f"/api/v1/tenants/{TENANT}/{kind}/search", json={"text": text})
            assert answer.status_code == 200 and answer.json()[kind], answer.text

        return page, api

    def both(person: object, kind: str, query: str = "") -> tuple[Ask, Ask]:
        tail = f"{kind}?{query}" if query else kind
        return get(person, f"/t/{TENANT}/{tail}"), get(person, f"/api/v1/tenants/{TENANT}/{tail}")

    number = f"{int(opened.deployment.ledger.job(TENANT, job).subject.rpartition('.')[2]):07d}"
    subject = opened.deployment.ledger.job(TENANT, job).subject
    return [
        ("jobs, first page", *both(ENGINEER, "jobs")),
        ("jobs, page in the middle of all", *both(ENGINEER, "jobs", f"after={job}")),
        ("jobs that failed (200)", *both(ENGINEER, "jobs", "state=dead")),
        ("jobs of a pipeline (33,000)", *both(ENGINEER, "jobs", "pipeline=liver")),
        ("jobs of a release (5)", *both(ENGINEER, "jobs", f"release={release}")),
        ("jobs of a rule (5)", *both(ENGINEER, "jobs", "rule=every+rare")),
        (
            "jobs of a rule that failed, in a month",
            *both(ENGINEER, "jobs", "rule=every+lung&state=dead&since=2026-05-01&until=2026-05-31"),
        ),
        ("jobs by the beginning of an id", *search(ENGINEER, "jobs", job[:10])),
        ("jobs by a patient's id", *search(CLINICIAN, "jobs", f"P{number}")),
        ("studies with names, first page", *both(CLINICIAN, "studies")),
        ("studies with names, page in the middle", *both(CLINICIAN, "studies", f"after={arrival}")),
        ("studies with a failed job", *both(CLINICIAN, "studies", "state=dead")),
        ("studies with a job that is done", *both(CLINICIAN, "studies", "state=succeeded")),
        ("studies with a job of a release (5)", *both(CLINICIAN, "studies", f"release={release}")),
        ("studies that started nothing (none)", *both(CLINICIAN, "studies", "state=none")),
        ("studies by an accession number", *search(CLINICIAN, "studies", f"A{number}")),
        ("studies by the beginning of a name", *search(CLINICIAN, "studies", f"sample{int(number)}")),
        ("studies by a study UID", *search(CLINICIAN, "studies", subject)),
    ]


def timed(ask: Ask, rounds: int) -> tuple[float, float]:
    """Return median wall and CPU milliseconds of a question."""
    ask()
    walls, cpus = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        ask()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return statistics.median(walls) * 1000, statistics.median(cpus) * 1000


if __name__ == "__main__":
    main()
