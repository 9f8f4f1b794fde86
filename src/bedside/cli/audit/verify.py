"""``bedside audit verify``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, config_option, json_option
from bedside.cli.deployment import whole
from bedside.cli.output import note, write_json
from bedside.domain.audit import Verdict, checked
from bedside.domain.audit_lines import read_lines
from bedside.errors import UsageError
from bedside.ports.audit import AuditFilter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bedside.domain.audit import Record


@click.command(
    cls=Command,
    examples=["bedside audit verify", "bedside audit verify trail.jsonl --head 5f2c…"],
)
@click.argument(
    "file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="[FILE]"
)
@click.option(
    "--head", default="", show_default=False, help="Hash of a head from before; it must be in there."
)
@config_option
@json_option
def verify(file: Path | None, head: str, config_path: Path | None, as_json: bool) -> None:
    """Look whether every record follows from the one before it, of the ledger or of an exported FILE.

    The head that is printed stands for all records up to it. Write it down where whoever has the database
    cannot reach, and give it as --head next time: then records that were cut off the end, or hashed anew as a
    whole, are found as well. Exit code 1 where the trail does not hold.
    """
    seen = _Seen(head.strip().lower())
    with _records(file, config_path) as records:
        verdict = checked(seen.through(records))
    missing = bool(seen.head) and not seen.found
    holds = not verdict.broken and not missing
    if as_json:
        write_json(_document(verdict, holds=holds, head_found=None if not seen.head else seen.found))
    elif verdict.checked and not verdict.broken:
        click.echo(f"head {verdict.head} of {verdict.checked} records")
    if verdict.broken:
        note(f"the trail does not hold at record {verdict.broken}: {verdict.reason}")
    elif missing:
        note(f"no record has the hash {seen.head}: the trail was cut, or hashed anew")
    elif not verdict.checked:
        note("no record yet")
    if not holds:
        raise click.exceptions.Exit(1)


class _Seen:
    """Looks for a hash among records that pass."""

    def __init__(self, head: str) -> None:
        if head and (len(head) != 64 or set(head) - set("0123456789abcdef")):
            raise UsageError("--head: a hash has 64 hexadecimal digits", hint="bedside audit verify --help")
        self.head = head
        self.found = False

    def through(self, records: "Iterable[Record]") -> "Iterator[Record]":
        for record in records:
            self.found = self.found or record.hash == self.head
            yield record


@contextmanager
def _records(file: Path | None, config_path: Path | None) -> "Iterator[Iterable[Record]]":
    if file is not None:
        with file.open(encoding="utf-8", errors="replace") as opened:
            yield read_lines(opened)
        return
    with whole(config_path) as deployment:
        yield deployment.records.audit.walk(AuditFilter())


def _document(verdict: Verdict, *, holds: bool, head_found: bool | None) -> dict[str, object]:
    return {
        "holds": holds,
        "checked": verdict.checked,
        "head": verdict.head if verdict.checked else None,
        "broken": verdict.broken or None,
        "reason": verdict.reason,
        "head_found": head_found,
    }
