"""Tables, JSON and progress: what goes where, and how it looks."""

import io
import json
from datetime import UTC, datetime

import pytest

from bedside.cli.output import ProgressLine, coloured, write_json, write_table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_table_has_columns_as_wide_as_their_cells(capsys: pytest.CaptureFixture[str]) -> None:
    write_table(("label", "mL"), [("spleen", 201.24), ("liver", 1500.0), ("none", None)])
    assert capsys.readouterr().out == "label       mL\nspleen   201.2\nliver   1500.0\nnone\n"


def test_a_table_without_rows_is_its_headings(capsys: pytest.CaptureFixture[str]) -> None:
    write_table(("a", "b"), [])
    assert capsys.readouterr().out == "a  b\n"


def test_json_is_one_value_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    write_json({"at": datetime(2026, 1, 2, tzinfo=UTC), "who": "Ä"})
    written = capsys.readouterr()
    assert json.loads(written.out) == {"at": "2026-01-02T00:00:00+00:00", "who": "Ä"}
    assert written.err == ""


def test_colours_need_a_terminal_that_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert coloured("x", "red", Terminal()) != "x"
    assert coloured("x", "red", io.StringIO()) == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert coloured("x", "red", Terminal()) == "x"


def test_progress_on_a_terminal_rewrites_one_line_and_leaves_none() -> None:
    stream = Terminal()
    with ProgressLine(stream) as line:
        line.update("read", 0.1)
        line.update("forward", 0.5)
    assert "\n" not in stream.getvalue()
    assert "50% forward" in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[2K")


def test_progress_elsewhere_is_plain_lines_when_something_new_begins() -> None:
    stream = io.StringIO()
    with ProgressLine(stream) as line:
        for fraction in (0.0, 0.1, 0.2):
            line.update("read", fraction)
        line.update("forward", 0.5)
    assert stream.getvalue() == "read\nforward\n"
