"""The ``bedside`` command: its table of commands, and the one place where an error becomes an exit code.

Owns nothing but the way in and out. Commands are named here with their one-line help and imported
when they are called, so that ``--help`` and a mistyped name answer at once.
"""

import gc
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from bedside import __version__
from bedside.cli.base import Group, Invocation, verbose_parameter
from bedside.errors import BedsideError

#: Exit code of a command stopped by Ctrl-C: 128 and the number of the signal, as shells have it.
STOPPED = 130
UNEXPECTED = 1
USAGE = 2
CONFIG = 3
UNAVAILABLE = 5
#: Which extra brings a package that only some commands import; the others come with ``worker``.
EXTRAS = {
    "cryptography": "sign",
    "joserfc": "oidc",
    "boto3": "aws",
    "botocore": "aws",
    "psycopg": "postgres",
    "fastapi": "portal",
    "argon2": "portal",
    "limits": "portal",
}

COMMANDS = {
    "demo": ("bedside.cli.demo:demo", "Watch a real model read a real DICOM study, start to end."),
    "init": ("bedside.cli.init:init", "Write a commented bedside.toml for a bundle."),
    "run": ("bedside.cli.run:run", "Run a bundle on one study, without a queue."),
    "package": ("bedside.cli.package:package", "Make a MAP of a bundle, without Docker and without root."),
    "serve": ("bedside.cli.serve:serve", "Watch the drop-box and read every study that arrives."),
    "worker": ("bedside.cli.worker:worker", "Work on jobs, without watching the drop-box."),
    "portal": ("bedside.cli.portal:portal", "Answer browsers and scripts, without reading what comes."),
    "submit": ("bedside.cli.submit:submit", "Put studies into the drop-box."),
    "job": ("bedside.cli.job:job", "List, show, follow, explain, repeat and cancel jobs."),
    "tenant": ("bedside.cli.tenant:tenant", "Make, list, show and end tenants."),
    "people": ("bedside.cli.people:people", "List, invite and disable people of the portal."),
    "archive": ("bedside.cli.archive:archive", "List and send again what goes into the archive."),
    "rules": ("bedside.cli.rules:rules", "Try rules on a study, and replay changed ones over past ones."),
    "release": ("bedside.cli.release:release", "Promote, take back, try and compare releases of models."),
    "judgement": ("bedside.cli.judgement:judgement", "Show and export what reviewers said of results."),
    "deploy": ("bedside.cli.deploy:deploy", "Put bedside on AWS, look after it, and remove it."),
    "notify": ("bedside.cli.notify:notify", "Look whether notices reach the people they are for."),
    "audit": ("bedside.cli.audit:audit", "Show who did what, and prove that nobody rewrote it."),
    "config": ("bedside.cli.config:config", "Show and check the configuration."),
    "ci": ("bedside.cli.ci:ci", "Package and deploy from GitHub, without long-lived keys."),
    "doctor": ("bedside.cli.doctor:doctor", "Check this machine and say how to mend what is missing."),
}


@click.group(
    cls=Group,
    table=COMMANDS,
    params=[verbose_parameter()],
    examples=["bedside demo", "bedside run ./my_bundle ./study.zip -o results"],
)
@click.version_option(__version__, prog_name="bedside", message="%(prog)s %(version)s")
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    show_default="bedside.toml here",
    help="Configuration file; may also follow the command's name.",
)
@click.pass_context
def bedside(ctx: click.Context, config_path: Path | None) -> None:
    """Put a medical-imaging model into production and let it read every study that arrives."""
    ctx.ensure_object(Invocation).config = config_path


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Arguments without the program's name; None takes those of the process.

    Returns:
        The exit code: 0, that of the error (see `bedside.errors`), or 130 after Ctrl-C.
    """
    invocation = Invocation()
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        returned = bedside.main(args=arguments, prog_name="bedside", standalone_mode=False, obj=invocation)
    except BedsideError as exc:
        return _say(exc.message, exc.hint, exc.exit_code, invocation)
    except click.exceptions.NoArgsIsHelpError as exc:
        click.echo(exc.format_message(), err=True)
        return USAGE
    except click.ClickException as exc:
        path = exc.ctx.command_path if isinstance(exc, click.UsageError) and exc.ctx else "bedside"
        return _say(_sentence(exc), f"{path} --help", USAGE, invocation)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return STOPPED
    except BrokenPipeError:
        # The reader of a pipe (head, less) has seen enough; Python must not complain at exit either.
        sys.stdout = None
        return 0
    except OSError as exc:
        # Without the file's name: it may hold a patient's.
        return _say(
            f"the system refused: {exc.strerror or type(exc).__name__}",
            "bedside doctor",
            UNAVAILABLE,
            invocation,
        )
    except Exception as exc:  # noqa: BLE001
        # The last stop: whatever was not foreseen still ends in one line and an exit code, and its
        # text is held back because a library may quote what it read from a header.
        if isinstance(exc, ModuleNotFoundError) and exc.name and not exc.name.startswith("bedside"):
            missing = f"this command needs the Python package {exc.name}, which is not installed"
            extra = EXTRAS.get(exc.name.partition(".")[0], "worker")
            return _say(missing, f"pip install 'bedside[{extra}]'", CONFIG, invocation)
        return _say(
            f"unexpected {type(exc).__name__} {_where(exc)}", _again(arguments), UNEXPECTED, invocation
        )
    return returned if isinstance(returned, int) and not isinstance(returned, bool) else 0


def program() -> int:
    """Run the process's own command, as all that the process does; the ``bedside`` script begins here."""
    gc.set_threshold(50_000)  # of what is imported nothing is garbage; looking costs 12 ms of each command
    code = main()
    gc.freeze()  # at its end Python looks for cycles among all it has loaded: 15 ms of each command
    return code


def _say(message: str, hint: str, code: int, invocation: Invocation) -> int:
    if invocation.verbose:
        traceback.print_exc()
    click.echo(f"error: {message}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)
    return code


def _sentence(exc: click.ClickException) -> str:
    text = exc.format_message().rstrip(".")
    return text[:1].lower() + text[1:]


def _where(exc: BaseException) -> str:
    frames = traceback.extract_tb(exc.__traceback__)
    ours = [frame for frame in frames if "/bedside/" in frame.filename]
    frame = (ours or frames)[-1]
    return f"in {Path(frame.filename).name}, line {frame.lineno}"


def _again(arguments: Sequence[str]) -> str:
    command = next((argument for argument in arguments if argument in COMMANDS), "")
    return f"bedside -v {command} … shows where it came from; please report it".replace("  ", " ")


if __name__ == "__main__":
    sys.exit(program())
