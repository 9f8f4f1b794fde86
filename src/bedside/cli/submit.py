"""``bedside submit``: puts studies into the drop-box whole, and says when they are done.

Every call makes names of its own in the drop-box, so that two studies of the same file name never
overwrite each other, and a marker says that a folder is complete, so that nobody waits for quiet.
"""

import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from bedside.cli.base import Command, config_option, json_option, tenant_option
from bedside.cli.deployment import LOOKED_THROUGH, Opened, opened
from bedside.cli.job.shapes import entry_json, job_json, worst
from bedside.cli.output import note, write_json
from bedside.domain.arrival import Entry, EntryState
from bedside.domain.identity import short_id
from bedside.domain.job import Job
from bedside.errors import InputRejected, UsageError
from bedside.ports import JobFilter

#: How long intake may take before somebody should look whether it runs at all.
PATIENCE_S = 15.0

#: Leaves room for the token and the marker's suffix within what file systems take.
LONGEST_NAME_BYTES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What goes into the drop-box as one thing.

    Attributes:
        key: Its key under the tenant, for a ZIP the object's, else the folder's.
        files: Keys to local files.
        marker: The key that says it is complete, so that nobody waits for quiet.
    """

    key: str
    files: Mapping[str, Path]
    marker: str


@click.command(
    cls=Command,
    examples=[
        "bedside submit study.zip --wait",
        "bedside submit ./study_folder ./other.zip --tenant ward-3",
        "bedside submit ./study_folder --to https://bedside.example --tenant hospital/ct --token-file token",
    ],
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--wait", is_flag=True, help="Follow until every job that came of it has ended.")
@click.option("--to", "portal", help="Address of a portal elsewhere, instead of the drop-box here.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    show_default="BEDSIDE_TOKEN",
    help="File with your token for that portal.",
)
@tenant_option
@config_option
@json_option
def submit(
    paths: tuple[Path, ...],
    wait: bool,
    portal: str | None,
    token_file: Path | None,
    tenant: str,
    config_path: Path | None,
    as_json: bool,
) -> int:
    """Put studies into the drop-box: ZIPs, folders, or single files (which belong together).

    With --to they go to a portal elsewhere, with your token of it and no configuration, by default to its
    tenant "default"; run again on the same files, it goes on where it stopped. With --wait it exits with 0
    when all jobs succeeded, 4 when something was rejected, 6 when a job is dead.
    """
    parcels = parcels_of(paths)
    if portal:
        from bedside.cli.submit_to import submit_to

        return submit_to(portal, tenant or "default", parcels, token_file, wait=wait, as_json=as_json)
    if token_file is not None:
        raise UsageError("--token-file: means nothing without --to", hint="bedside submit --help")
    with opened(config_path, tenant) as deployment:
        deployment.must_be_served()
        for parcel in parcels:
            deliver(deployment, parcel)
        if not wait:
            if as_json:
                write_json({"submitted": [parcel.key for parcel in parcels]})
            note(f"submitted {len(parcels)}; follow with bedside job watch")
            return 0
        entries, jobs = await_end(deployment, [parcel.key for parcel in parcels])
    if as_json:
        write_json({"entries": [entry_json(e) for e in entries], "jobs": [job_json(job) for job in jobs]})
    rejected = [entry for entry in entries if entry.state is EntryState.REJECTED]
    for entry in rejected:
        note(f"entry {entry.id} was rejected: {entry.reason}")
    if not jobs and not rejected:
        note(f"no rule started a job: bedside job why {entries[0].id}")
    code = worst([job.state for job in jobs])
    return max(code, InputRejected.exit_code) if rejected else code


def parcels_of(paths: Sequence[Path]) -> list[Parcel]:
    """Return what is to be dropped for some paths, all checked before anything is copied.

    Raises:
        UsageError: A path does not exist, or a folder is empty.
    """
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} does not exist", hint="bedside submit --help")
    parcels: list[Parcel] = []
    loose: dict[str, Path] = {}
    for path in paths:
        token = secrets.token_hex(4)
        if path.is_dir():
            folder = f"input/{token}-{_name(path.resolve().name)}"
            files = {
                f"{folder}/{_relative(found, path)}": found
                for found in sorted(path.rglob("*"))
                if found.is_file()
            }
            if not files:
                raise UsageError(f"{path} holds no files", hint="bedside submit --help")
            parcels.append(Parcel(key=folder, files=files, marker=f"{folder}/.complete"))
        elif path.suffix.lower() == ".zip":
            key = f"input/{token}-{_name(path.name)}"
            parcels.append(Parcel(key=key, files={key: path}, marker=f"{key}.complete"))
        else:
            loose[path.name if path.name not in loose else f"{token}-{path.name}"] = path
    if loose:
        folder = f"input/{secrets.token_hex(4)}"
        files = {f"{folder}/{_name(name)}": path for name, path in loose.items()}
        parcels.append(Parcel(key=folder, files=files, marker=f"{folder}/.complete"))
    return parcels


def _relative(path: Path, folder: Path) -> str:
    return "/".join(_name(part) for part in path.relative_to(folder).parts)


def _name(name: str) -> str:
    """Return a name that every store takes: not hidden, valid UTF-8, not too long; others differ still."""
    text = name.encode("utf-8", "replace").decode("utf-8").lstrip(".") or "unnamed"
    if len(text.encode()) <= LONGEST_NAME_BYTES and text == name:
        return text
    return f"{short_id(os.fsencode(name).hex())[:8]}-{text[-40:]}"


def deliver(deployment: Opened, parcel: Parcel) -> None:
    """Copy a parcel into the drop-box; its marker comes when everything is there."""
    deployment.blobs.put_files(parcel.files)
    deployment.blobs.put(parcel.marker, b"")


def await_end(
    deployment: Opened, keys: Sequence[str], *, alive: Callable[[], None] = lambda: None
) -> tuple[list[Entry], list[Job]]:
    """Follow what was dropped until its entries settled or were rejected; return them and their jobs.

    Args:
        deployment: Where it was dropped.
        keys: What was dropped.
        alive: Called now and then; what it raises ends the waiting.
    """
    from bedside.cli.job.watch import Follower

    began = time.monotonic()
    warned = False
    with Follower() as follower:
        while True:
            alive()
            newest = deployment.ledger.entries(deployment.tenant, limit=LOOKED_THROUGH)
            entries = [entry for entry in newest if entry.key in keys]
            ids = dict.fromkeys(i for entry in entries for i in entry.arrivals)
            jobs = [
                j for i in ids for j in deployment.ledger.jobs(deployment.tenant, JobFilter(arrival_id=i))
            ]
            follower.tell(jobs)
            if len(entries) == len(keys) and all(entry.state is not EntryState.TAKEN for entry in entries):
                return entries, jobs
            if not entries and not warned and time.monotonic() - began > PATIENCE_S:
                follower.say(f"nothing took it in {PATIENCE_S:.0f} s: does bedside serve run?")
                warned = True
            deployment.clock.sleep(0.3)
