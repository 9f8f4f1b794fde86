"""``bedside notify``: whether notices reach the people they are for.

Owns the words; channels are opened by `bedside.wiring.notices` as workers open them, so that what
arrives here arrives from there.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, Group, config_option, json_option, load_settings
from bedside.cli.output import coloured, note, write_json, write_table
from bedside.errors import BedsideError, ConfigError, UsageError

if TYPE_CHECKING:
    from bedside.wiring.notices import Channel


@click.group(cls=Group, examples=["bedside notify test", "bedside notify test --channel webhook"])
def notify() -> None:
    """Look whether notices reach the people they are for."""


@notify.command(cls=Command, examples=["bedside notify test", "bedside notify test --channel email --json"])
@click.option("--channel", default="", show_default="every one", help="log, topic, webhook or email.")
@config_option
@json_option
def test(channel: str, config_path: Path | None, as_json: bool) -> int:
    """Send one test notice through each channel of [notify], and say what became of it.

    Exits with 5 where a channel did not take it, 3 where its settings are wrong. That a channel took
    it does not say that somebody reads it: look there.
    """
    from bedside.adapters.local.clock import SystemClock
    from bedside.log import Lines
    from bedside.operate.telling import sent, test_bulletin
    from bedside.wiring.notices import channels_of, deployment_name

    settings = load_settings(config_path).settings
    clock = SystemClock()
    found = channels_of(settings, clock=clock, log=Lines(clock.now))
    chosen = [each for each in found if channel in ("", each.name)]
    if not chosen:
        raise _none(channel, found)
    bulletin = test_bulletin(deployment_name(settings), clock.now())
    failures = {each.name: sent(each.open, bulletin) for each in chosen}
    if as_json:
        write_json(
            {"bulletin": bulletin.id, "channels": [_shape(each, failures[each.name]) for each in chosen]}
        )
    else:
        rows = [(each.name, each.to, _word(failures[each.name])) for each in chosen]
        write_table(("channel", "to", "result"), rows)
        for name, failed in failures.items():
            if failed is not None:
                note(f"{name}: {failed.message}")
                if failed.hint:
                    note(f"hint: {failed.hint}")
    failed_codes = [failed.exit_code for failed in failures.values() if failed is not None]
    return max(failed_codes, default=0)


def _none(channel: str, found: "list[Channel]") -> BedsideError:
    there = ", ".join(each.name for each in found)
    if there:
        return UsageError(f"channel {channel}: is not set; these are: {there}", hint="bedside notify test")
    return ConfigError(
        "notify: no channel is set, so nobody is told of anything",
        hint="set topic_arn, webhook_url, email_to or log in [notify]; bedside config schema",
    )


def _word(failed: BedsideError | None) -> str:
    return coloured("sent", "green") if failed is None else coloured("failed", "red")


def _shape(channel: "Channel", failed: BedsideError | None) -> dict[str, object]:
    return {
        "channel": channel.name,
        "to": channel.to,
        "sent": failed is None,
        "reason": failed.message if failed else "",
        "hint": failed.hint if failed else "",
    }
