"""``bedside job why``: every decision about a study, with the values that made it.

Answers for whatever a person has in hand: a job, an arrival, a study, a drop-box entry, the name of
the file that was sent. That name is looked up and never printed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import click

from bedside.cli.base import Command, config_option, json_option, tenant_option
from bedside.cli.deployment import LOOKED_THROUGH, Opened, opened
from bedside.cli.job.shapes import decision_json, doing, entry_json, job_json, moment, state_cell
from bedside.cli.output import coloured, note, write_json, write_table
from bedside.domain.arrival import Arrival, Entry, EntryState
from bedside.domain.job import Job
from bedside.domain.pipeline import Decision
from bedside.domain.release import Role
from bedside.errors import NotFound
from bedside.ports import JobFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """All that is known of one thing somebody asked about.

    Attributes:
        entries: Drop-box entries that brought it.
        arrivals: The versions of the study.
        decisions: Per arrival id, what the rules said.
        jobs: Per arrival id, the jobs that came of it.
    """

    entries: Sequence[Entry]
    arrivals: Sequence[Arrival]
    decisions: dict[str, Sequence[Decision]]
    jobs: dict[str, Sequence[Job]]


@click.command(
    cls=Command,
    examples=["bedside job why 3f2a81c0", "bedside job why 1.2.840.113619.2.1", "bedside job why study.zip"],
)
@click.argument("what", metavar="[JOB|ARRIVAL|STUDY-UID|ENTRY|NAME]", required=False, default="")
@tenant_option
@config_option
@json_option
def why(what: str, tenant: str, config_path: Path | None, as_json: bool) -> None:
    """Explain why a model ran on a study, did not run, or why the study was rejected.

    Takes a job's id, an arrival's id, a Study Instance UID, a drop-box entry's id, or the name of
    what was put into the drop-box. Without any, lists what was dropped last.
    """
    with opened(config_path, tenant) as deployment:
        if not what:
            _list_entries(deployment.ledger.entries(deployment.tenant, limit=20), as_json=as_json)
            return
        found = explain(deployment, what)
    if as_json:
        write_json(_as_json(found))
    else:
        _write(found)


def explain(deployment: Opened, what: str) -> Explained:
    """Find what a person asks about.

    Raises:
        NotFound: Nothing of the kind is known.
    """
    ledger, tenant = deployment.ledger, deployment.tenant
    newest = ledger.entries(tenant, limit=LOOKED_THROUGH)
    by_name = [e for e in newest if what in (e.id, e.key, *_names(e.key))]
    ids = _arrival_ids(deployment, what) or list(dict.fromkeys(i for e in by_name for i in e.arrivals))
    arrivals = [ledger.arrival(tenant, arrival_id) for arrival_id in ids]
    entries = by_name or [entry for entry in newest if set(entry.arrivals) & set(ids)]
    if not arrivals and not entries:
        raise NotFound(
            f"no job, arrival, study or entry of tenant {tenant} is called that",
            hint="bedside job why, for what was dropped last",
        )
    return Explained(
        entries=entries,
        arrivals=arrivals,
        decisions={i: ledger.decisions(tenant, i) for i in ids},
        jobs={i: ledger.jobs(tenant, JobFilter(arrival_id=i)) for i in ids},
    )


def _names(key: str) -> tuple[str, str]:
    """Return the name of an entry, and without the token that ``bedside submit`` put before it."""
    name = PurePosixPath(key).name
    return name, name.partition("-")[2] or name


def _arrival_ids(deployment: Opened, what: str) -> list[str]:
    ledger, tenant = deployment.ledger, deployment.tenant
    try:
        return [deployment.job(what).arrival_id]
    except NotFound:
        pass
    try:
        return [ledger.arrival(tenant, what).id]
    except NotFound:
        newest = ledger.newest_arrival(tenant, what)
        return [newest.id] if newest else []


def _as_json(found: Explained) -> dict[str, object]:
    return {
        "entries": [entry_json(entry) for entry in found.entries],
        "arrivals": [
            {
                "id": arrival.id,
                "study_uid": arrival.subject,
                "version": arrival.version,
                "instances": len(arrival.files),
                "received_at": arrival.received_at,
                "decisions": [decision_json(d) for d in found.decisions[arrival.id]],
                "jobs": [job_json(job) for job in found.jobs[arrival.id]],
            }
            for arrival in found.arrivals
        ],
    }


def _write(found: Explained) -> None:
    for entry in found.entries:
        click.echo(_entry_line(entry))
    for arrival in found.arrivals:
        click.echo(
            f"arrival {arrival.id}: version {arrival.version} of {arrival.subject}, "
            f"{len(arrival.files)} files, received {moment(arrival.received_at)}"
        )
        for decision in found.decisions[arrival.id]:
            _write_decision(decision)
        if not found.decisions[arrival.id]:
            click.echo("  no rule was asked: there was none when it arrived")
        for job in found.jobs[arrival.id]:
            role = "" if job.role is Role.CURRENT else f" ({job.role.value})"
            click.echo(f"  job {job.id}{role}: {state_cell(job)} {doing(job)}".rstrip())


def _entry_line(entry: Entry) -> str:
    colour = {"rejected": "red", "settled": "green"}.get(entry.state.value, "blue")
    reason = f": {entry.reason}" if entry.reason else ""
    return f"entry {entry.id}: {coloured(entry.state.value, colour)} {moment(entry.seen_at)}{reason}"


def _write_decision(decision: Decision) -> None:
    verdict = coloured("started", "green") if decision.matched else coloured("did not start", "yellow")
    click.echo(f"  rule {decision.rule} {verdict} {decision.pipeline}: {decision.reason}")
    for series_uid, values in decision.values.items():
        said = ", ".join(f"{keyword} = {value!r}" for keyword, value in values.items())
        click.echo(f"    series {series_uid}: {said or 'nothing was read'}")


def _list_entries(entries: Sequence[Entry], *, as_json: bool) -> None:
    if as_json:
        write_json({"entries": [entry_json(entry) for entry in entries]})
        return
    write_table(
        ("entry", "state", "seen", "arrivals", "reason"),
        [(e.id, e.state.value, moment(e.seen_at), len(e.arrivals), e.reason) for e in entries],
    )
    if not entries:
        note("nothing was dropped yet: bedside submit PATH")
    elif any(entry.state is EntryState.REJECTED for entry in entries):
        note("what was rejected lies under rejected/, with its reason beside it")
