"""``bedside portal``: the portal's process, started by ``serve`` or by a service manager of its own."""

import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from bedside.cli.base import Command, config_option, load_settings, setting_option
from bedside.cli.worker import settings_from_stdin
from bedside.errors import ConfigError


@click.command(cls=Command, examples=["bedside portal", "bedside portal --listen 127.0.0.1:8090"])
@config_option
@setting_option("--listen", "portal.listen", help="HOST:PORT at which it answers.")
@click.option("--supervisor", type=int, hidden=True, help="Settings come on stdin; end with this process.")
def portal(config_path: Path | None, listen: str | None, supervisor: int | None) -> None:
    """Answer browsers and scripts: upload, follow, see, judge, operate.

    bedside serve starts it by itself; alone it shows what is there, and nobody reads what comes.
    """
    from bedside.config import Loaded
    from bedside.log import Lines
    from bedside.runtime.lifeline import die_with_parent
    from bedside.wiring import open_deployment

    try:
        from bedside.portal.server import answer
    except ImportError as exc:
        raise ConfigError(
            f"the portal needs the Python package {exc.name}", hint="pip install 'bedside[portal]'"
        ) from exc
    if supervisor is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the supervisor, which asks us
        die_with_parent(supervisor, signal.SIGTERM)
        loaded = Loaded(settings=settings_from_stdin(), sources=_sources_from_stdin(), path=None)
    else:
        given = {"portal.listen": listen} if listen is not None else {}
        loaded = load_settings(config_path, given)
    settings = loaded.settings
    if not settings.portal.listen:
        raise ConfigError(
            "portal.listen is empty: there is no portal", hint="bedside portal --listen HOST:PORT"
        )
    deployment = open_deployment(settings)
    deployment.log = Lines(deployment.clock.now)
    deployment.sources = loaded.sources
    try:
        answer(deployment)
    finally:
        deployment.close()


def _sources_from_stdin() -> Mapping[str, str]:
    """Read where the supervisor found each setting: the line after the settings themselves."""
    found: dict[str, str] = json.loads(sys.stdin.buffer.readline() or b"{}")
    return found
