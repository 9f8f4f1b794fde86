"""``bedside deploy dead``: messages that the queues gave up on, and the way back.

Shows what a message was and never what it says: the key of an object may be a patient's name.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, Group, config_option, confirm, json_option, load_settings, yes_option
from bedside.cli.deploy.shared import site_of, state_option
from bedside.cli.output import ProgressLine, note, write_json, write_table
from bedside.errors import NotFound, UsageError

if TYPE_CHECKING:
    from bedside.ports.letters import DeadLetters, Letter

#: Enough of a message's id to type; commands take the beginning of one.
ID_SHOWN = 8
#: Messages that are looked through for the beginning of an id.
LOOKED_THROUGH = 1000
_JOBS = "jobs that failed too often are no messages: bedside deploy run -- job list --state dead"


@click.group(
    cls=Group,
    examples=["bedside deploy dead list", "bedside deploy dead redrive --yes"],
)
def dead() -> None:
    """Show the messages that the queues gave up on, and send them back.

    A message lands here when it was received several times and never done with: its form is unknown, its
    tenant is not served, or machines died over it. A job that failed too often is no message and is not
    here: bedside deploy run -- job list --state dead shows it, and job retry sends it again.
    """


@dead.command(
    "list",
    cls=Command,
    examples=["bedside deploy dead list", "bedside deploy dead list --json | jq .letters"],
)
@click.option("--limit", default=50, type=click.IntRange(1), help="How many.")
@state_option
@config_option
@json_option
def list_letters(limit: int, state: str | None, config_path: Path | None, as_json: bool) -> None:
    """List dead letters, oldest first; they stay where they are."""
    letters, tenants = _opened(config_path, state)
    found = letters.look(limit=limit)
    total = max(len(found), letters.count())
    if as_json:
        write_json({"letters": [_shape(letter, tenants) for letter in found], "total": total})
        return
    write_table(
        ("message", "what", "tenant", "age", "received", "queue"),
        [
            (
                letter.id[:ID_SHOWN],
                _what(letter),
                " ".join(letter.tenants),
                _age(letter),
                letter.received,
                letter.queue,
            )
            for letter in found
        ],
    )
    note(
        f"about {total}; bedside deploy dead show MESSAGE says more of one"
        if found
        else f"no dead letters; {_JOBS}"
    )


@dead.command(
    cls=Command, examples=["bedside deploy dead show 3f2a81c0", "bedside deploy dead show 3f2a --json"]
)
@click.argument("message", metavar="MESSAGE")
@state_option
@config_option
@json_option
def show(message: str, state: str | None, config_path: Path | None, as_json: bool) -> None:
    """Show one dead letter: what it was, whose, how old, and why it is here as far as can be told."""
    letters, tenants = _opened(config_path, state)
    letter = _named(letters.look(limit=LOOKED_THROUGH), message)
    if as_json:
        write_json(_shape(letter, tenants))
        return
    rows = [
        ("message", letter.id),
        ("queue", letter.queue),
        ("what", _what(letter)),
        ("tenant", " ".join(letter.tenants)),
        ("sent", letter.sent_at),
        ("age", _age(letter)),
        ("received", f"{letter.received} times, looks at it included"),
        ("job", letter.job),
        ("pool", letter.pool),
        *(("object", object_id) for object_id in letter.objects),
        ("why", reason(letter, tenants)),
    ]
    write_table(("key", "value"), [row for row in rows if row[1]])


@dead.command(
    cls=Command,
    examples=["bedside deploy dead redrive", "bedside deploy dead redrive 3f2a81c0 9b1c77d2 --yes"],
)
@click.argument("messages", metavar="[MESSAGE]...", nargs=-1)
@yes_option
@state_option
@config_option
@json_option
def redrive(
    messages: tuple[str, ...], yes: bool, state: str | None, config_path: Path | None, as_json: bool
) -> None:
    """Send dead letters back to the queues they came from; without a name, all of them.

    Do this when the cause is mended: what is received too often again is dead again. It is a new message
    then, with another id and a full time to live.
    """
    letters, _ = _opened(config_path, state)
    if messages:
        found = letters.look(limit=LOOKED_THROUGH)
        chosen = {_named(found, message).id for message in messages}
        confirm(f"Send {len(chosen)} dead letters back?", yes=yes)
        sent = letters.send_back_these(chosen)
    else:
        total = letters.count()
        if not total:
            _sent(0, as_json=as_json)
            return
        confirm(f"Send all, about {total} dead letters, back?", yes=yes)
        with ProgressLine() as progress:

            def tell(done: int, of: int | None) -> None:
                whole = of or total
                progress.update("sending dead letters back", min(1.0, done / whole))

            sent = letters.send_back(tell)
    _sent(sent, as_json=as_json)


def _sent(sent: int, *, as_json: bool) -> None:
    if as_json:
        write_json({"sent_back": sent})
    else:
        note(f"{sent} sent back" if sent else f"no dead letters; {_JOBS}")


def _opened(config_path: Path | None, state: str | None) -> tuple["DeadLetters", Sequence[str]]:
    """Return the dead letters of the configured queues, or else of what `deploy apply` made; and tenants."""
    from bedside.wiring.letters import dead_letters, open_dead_letters

    settings = load_settings(config_path).settings
    opened = open_dead_letters(settings)
    if opened is None:
        site = site_of(config_path, state)
        terraform = site.reopen()
        urls = [
            item.id
            for item in terraform.held()
            if item.type == "aws_sqs_queue" and "aws_sqs_queue.dead_letters" in item.address
        ]
        if not urls:
            raise NotFound(
                f"deployment {site.settings.name} has no queue of dead letters", hint="bedside deploy apply"
            )
        bucket = terraform.outputs()["bucket"]
        opened = dead_letters(urls, f"s3://{bucket}", site.cloud.region)
    return opened, settings.system.tenants


def _named(letters: Sequence["Letter"], begin: str) -> "Letter":
    """Return the only letter whose id begins so.

    Raises:
        NotFound: There is none.
        UsageError: There are several.
    """
    found = [letter for letter in letters if letter.id.startswith(begin)]
    if not found:
        raise NotFound(f"no dead letter {begin} among {len(letters)}", hint="bedside deploy dead list")
    if len(found) > 1:
        raise UsageError(f"{len(found)} dead letters begin with {begin}", hint="type more of the id")
    return found[0]


def _what(letter: "Letter") -> str:
    """Return in words what a letter was."""
    from bedside.ports.letters import LetterKind

    match letter.kind:
        case LetterKind.HINT:
            return f"hint of job {letter.job[:12]}"
        case LetterKind.ARRIVAL:
            number = len(letter.objects)
            return f"arrival of {number} object{'' if number == 1 else 's'}"
        case LetterKind.UNKNOWN:
            return "unknown"


def reason(letter: "Letter", tenants: Sequence[str]) -> str:
    """Return why a letter is dead, as far as the message tells."""
    from bedside.ports.letters import LetterKind

    foreign = [tenant for tenant in letter.tenants if tenant not in tenants]
    if letter.kind is LetterKind.UNKNOWN:
        return "it is of no form that bedside knows; sending it back changes nothing"
    if not letter.tenants:
        return "it tells of nothing in a drop-box; sending it back deletes it"
    if foreign:
        return (
            f"tenant {foreign[0]} is not among system.tenants here; did anybody make it? "
            "bedside deploy run -- tenant list"
        )
    if letter.kind is LetterKind.HINT:
        return f"machines came and went and its job was not done: bedside deploy run -- job show {letter.job}"
    return "machines came and went and it was not taken: the intake's log lines say why"


def _age(letter: "Letter") -> str:
    seconds = max(0, int((datetime.now(UTC) - letter.sent_at).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _shape(letter: "Letter", tenants: Sequence[str]) -> dict[str, object]:
    return {
        "message": letter.id,
        "queue": letter.queue,
        "kind": letter.kind.value,
        "tenants": list(letter.tenants),
        "objects": list(letter.objects),
        "job": letter.job,
        "pool": letter.pool,
        "sent_at": letter.sent_at,
        "received": letter.received,
        "reason": reason(letter, tenants),
    }
