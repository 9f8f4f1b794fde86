"""The way in and out of the command line: names, exit codes, what is imported, what is said."""

import subprocess
import sys
from collections.abc import Callable

import click
import pytest

from bedside import errors
from bedside.cli import base, main
from bedside.cli.base import Command

HEAVY = (
    "torch",
    "monai",
    "pydicom",
    "highdicom",
    "numpy",
    "sqlalchemy",
    "alembic",
    "pydantic",
    "bedside.config",
)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], int]:
    """Run a command that raises, and return the exit code."""

    def run(error: BaseException) -> int:
        @click.command(cls=Command)
        def broken() -> None:
            raise error

        monkeypatch.setitem(main.bedside.commands, "broken", broken)
        return main.main(["broken"])

    return run


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["shwo"]])
def test_help_and_mistakes_import_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom bedside.cli.main import main\n"
        f"main({arguments!r})\n"
        f"sys.exit(' '.join(name for name in {HEAVY!r} if name in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_table_says_what_the_commands_say() -> None:
    context = click.Context(main.bedside)
    for name, (_, line) in main.COMMANDS.items():
        command = main.bedside.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert line.endswith(".")


def _all_commands(group: click.Group, path: str) -> list[tuple[str, click.Command]]:
    context = click.Context(group)
    found: list[tuple[str, click.Command]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found.append((f"{path} {name}", command))
        if isinstance(command, click.Group):
            found += _all_commands(command, f"{path} {name}")
    return found


def test_every_command_has_a_full_sentence_and_examples() -> None:
    for path, command in _all_commands(main.bedside, "bedside"):
        assert command.help, path
        assert command.help.split("\n\n")[0].rstrip().endswith("."), path
        assert isinstance(command, Command | base.Group), path
        assert command.examples, path
        if isinstance(command, Command):
            assert all(path in example for example in command.examples), path


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("x"), 2),
        (errors.NotFound("x"), 2),
        (errors.ConfigError("x"), 3),
        (errors.InputRejected("x"), 4),
        (errors.Unavailable("x"), 5),
        (errors.ModelFailed("x"), 6),
        (errors.BedsideError("x"), 1),
        (ValueError("x"), 1),
        (PermissionError(13, "Permission denied", "/studies/DOE^JANE.zip"), 5),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (BrokenPipeError(), 0),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), 3),
    ],
)
def test_exit_codes(failing: Callable[[BaseException], int], error: BaseException, code: int) -> None:
    stdout = sys.stdout
    try:
        assert failing(error) == code
    finally:
        sys.stdout = stdout


@pytest.mark.parametrize(("package", "extra"), [("torch", "worker"), ("cryptography.hazmat", "sign")])
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    failing: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str], package: str, extra: str
) -> None:
    failing(ModuleNotFoundError(f"No module named {package!r}", name=package))
    assert f"hint: pip install 'bedside[{extra}]'" in capsys.readouterr().err


def test_an_error_is_one_line_and_a_hint_on_standard_error(
    failing: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:
    failing(errors.InputRejected("series 1.2: gap of 10.0 mm", hint="bedside job why X"))
    written = capsys.readouterr()
    assert written.err == "error: series 1.2: gap of 10.0 mm\nhint: bedside job why X\n"
    assert written.out == ""


@pytest.mark.parametrize(
    "error",
    [ValueError("PatientName is DOE^JANE"), PermissionError(13, "Permission denied", "/s/DOE^JANE.zip")],
)
def test_an_unforeseen_error_quotes_nothing_it_read(
    failing: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    failing(error)
    assert "DOE" not in capsys.readouterr().err


def test_verbose_shows_where_an_unforeseen_error_came_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command(cls=Command)
    def broken() -> None:
        raise ValueError("x")

    monkeypatch.setitem(main.bedside.commands, "broken", broken)
    for arguments in (["-v", "broken"], ["broken", "-v"]):
        assert main.main(arguments) == 1
        assert "Traceback" in capsys.readouterr().err
    assert main.main(["broken"]) == 1
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [(["confg"], "bedside config"), (["sumbit"], "bedside submit"), (["job", "lst"], "bedside job list")],
)
def test_an_unknown_command_names_the_nearest(
    typed: list[str], nearest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(typed) == 2
    assert f"the nearest is {nearest}\n" in capsys.readouterr().err


def test_a_wrong_option_names_the_help_to_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["config", "show", "--jsn"]) == 2
    written = capsys.readouterr().err
    assert written.startswith("error: ")
    assert "hint: bedside config show --help" in written


def test_no_command_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main([]) == 2
    assert capsys.readouterr().err.startswith("Usage: bedside")


def test_asking_where_nobody_can_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(errors.UsageError) as caught:
        base.confirm("Cancel job 1?", yes=False)
    assert caught.value.hint == "add --yes"
    base.confirm("Cancel job 1?", yes=True)
