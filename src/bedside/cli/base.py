"""What every command shares: its manners, the options that mean the same everywhere, and its examples.

Imports click and the standard library only, because ``bedside --help`` passes through here.
"""

import difflib
import importlib
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bedside.errors import UsageError

if TYPE_CHECKING:
    from bedside.config import Loaded

_Decorated = TypeVar("_Decorated", bound=Callable[..., object])

#: Shown in the help of every command; the width is fixed so that docs/cli.md is the same everywhere.
CONTEXT_SETTINGS: dict[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "show_default": True,
    "max_content_width": 100,
}


@dataclass(slots=True, kw_only=True)
class Invocation:
    """One call of the command: what was asked for before its name, and how much to say.

    The only value of the command line that changes; it lives as long as `main`.
    """

    verbose: int = 0
    config: Path | None = None

    def say_more(self, times: int) -> None:
        """Raise the amount of what is logged to standard error."""
        self.verbose = max(self.verbose, times)
        if self.verbose:
            level = logging.INFO if self.verbose == 1 else logging.DEBUG
            logging.basicConfig(
                level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
            )
            # Only our own words: a library's debug lines may hold what is in a header.
            logging.getLogger().setLevel(logging.WARNING)
            logging.getLogger("bedside").setLevel(level)


class Command(click.Command):
    """A command with examples under its help and ``-v``."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        kwargs["context_settings"] = {**CONTEXT_SETTINGS, **(kwargs.get("context_settings") or {})}
        kwargs["params"] = [*(kwargs.get("params") or []), verbose_parameter()]
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples below the options."""
        write_examples(self.examples, formatter)
        super().format_epilog(ctx, formatter)


class Group(click.Group):
    """A noun with several verbs, or the whole: imports a command when it is called, names the nearest.

    Args:
        table: Command name to (module and attribute, one-line help), for what is imported late.
        examples: Lines shown below the help.
    """

    command_class = Command

    def __init__(
        self,
        *args: Any,
        table: Mapping[str, tuple[str, str]] | None = None,
        examples: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        kwargs["context_settings"] = {**CONTEXT_SETTINGS, **(kwargs.get("context_settings") or {})}
        super().__init__(*args, **kwargs)
        self.table = dict(table or {})
        self.examples = tuple(examples)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table, which is the order a newcomer needs them."""
        return [*self.table, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in self.table:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.table[cmd_name][0].partition(":")
        found = getattr(importlib.import_module(module), attribute)
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which name is nearest."""
        name = args[0]
        if name not in self.list_commands(ctx) and not name.startswith("-"):
            near = difflib.get_close_matches(name, self.list_commands(ctx), n=1, cutoff=0.0)
            path = ctx.command_path
            raise UsageError(f"no command {name!r}: the nearest is {path} {near[0]}", hint=f"{path} --help")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        if not self.table:
            super().format_commands(ctx, formatter)
            return
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples below the commands."""
        write_examples(self.examples, formatter)
        super().format_epilog(ctx, formatter)


def write_examples(examples: Sequence[str], formatter: click.HelpFormatter) -> None:
    """Write examples as they are to be typed, one per line."""
    if examples:
        with formatter.section("Examples"):
            for line in examples:
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")


def verbose_parameter() -> click.Option:
    """Return ``-v``, which every command takes."""

    def heed(ctx: click.Context, _: click.Parameter, value: int) -> None:
        invocation = ctx.ensure_object(Invocation)
        invocation.say_more(value)

    return click.Option(
        ["-v", "--verbose"],
        count=True,
        expose_value=False,
        callback=heed,
        show_default=False,
        help="Say more on standard error, with a traceback for an unexpected error; -vv more still.",
    )


def json_option(command: _Decorated) -> _Decorated:
    """Add ``--json``: the command's data as one JSON value on standard output."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")(command)


def yes_option(command: _Decorated) -> _Decorated:
    """Add ``--yes``: do not ask."""
    return click.option("--yes", is_flag=True, help="Do not ask before doing it.")(command)


def tenant_option(command: _Decorated) -> _Decorated:
    """Add ``--tenant``: whose studies; the first tenant of the configuration by default."""
    return click.option(
        "--tenant", default="", show_default="first of system.tenants", help="Whose studies and jobs."
    )(command)


def config_option(command: _Decorated) -> _Decorated:
    """Add ``--config``: which file, before or after the command's name."""

    def heed(ctx: click.Context, _: click.Parameter, value: Path | None) -> Path | None:
        return value or ctx.ensure_object(Invocation).config

    return click.option(
        "-c",
        "--config",
        "config_path",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="BEDSIDE_CONFIG",
        show_envvar=True,
        show_default="bedside.toml here",
        callback=heed,
        help="Configuration file.",
    )(command)


def setting_option(flag: str, key: str, *, help: str, **kwargs: Any) -> Callable[[_Decorated], _Decorated]:  # noqa: A002 - click's own name
    """Add a flag that overrides one key of ``bedside.toml``; its help names the key and the variable."""
    section, _, name = key.partition(".")
    text = f"{help}  [key: {key}; env var: BEDSIDE_{section}_{name}]".replace(
        f"BEDSIDE_{section}_{name}", f"BEDSIDE_{section}_{name}".upper()
    )
    return click.option(flag, name, default=None, show_default=False, help=text, **kwargs)


def load_settings(config_path: Path | None, flags: Mapping[str, object] | None = None) -> "Loaded":
    """Read the configuration of this call.

    Raises:
        ConfigError: See `bedside.config.load`.
    """
    import os

    from bedside.config import load

    return load(config_path, environment=os.environ, flags=flags or {})


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something that cannot be taken back; end with exit code 1 where the answer is no.

    Raises:
        UsageError: Nobody can be asked, because standard input is not a terminal.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Nobody can answer: standard input is not a terminal", hint="add --yes")
    if not click.confirm(question, err=True):
        click.echo("nothing was changed", err=True)
        raise click.exceptions.Exit(1)
