"""``bedside audit`` as people type it: listed, verified, exported, and checked without bedside."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bedside.cli.main import main
from bedside.config import load
from bedside.domain.audit import Deed
from bedside.wiring import Deployment, open_deployment
from ledger_samples import T0


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    path = tmp_path / "bedside.toml"
    path.write_text(f'[system]\nroot = "{tmp_path / "data"}"\n')
    return path


@pytest.fixture
def deployment(configuration: Path) -> Iterator[Deployment]:
    opened = open_deployment(load(configuration, environment={}, flags={}).settings)
    for number, action in enumerate(("session.began", "result.viewed", "result.judged")):
        opened.records.audit.append(
            Deed(
                at=T0 + timedelta(days=number),
                person="p-1",
                action=action,
                tenant="" if number == 0 else "hospital.ct",
                object=f"job-{number}",
                detail={"formula": "=1+1", "to": "ñ"} if number else {},
            )
        )
    yield opened
    opened.close()


@pytest.fixture
def typed(configuration: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def type_(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["audit", *map(str, arguments), "-c", str(configuration)])
        written = capsys.readouterr()
        return code, written.out, written.err

    return type_


def test_records_are_listed_newest_first_and_narrowed(deployment: Deployment, typed: Any) -> None:
    code, out, _ = typed("list")
    assert code == 0 and [line.split()[0] for line in out.splitlines()] == ["number", "3", "2", "1"]
    assert "hospital/ct" in out and "2026-03-03 08:30:15" in out

    def numbers(*options: str) -> list[int]:
        return [record["number"] for record in json.loads(typed("list", "--json", *options)[1])["records"]]

    assert numbers("--tenant", "hospital") == [3, 2] and numbers("--action", "session") == [1]
    assert numbers("--since", "2026-03-02", "--until", "2026-03-03") == [2]
    assert numbers("--since", "1d") == [] and numbers("--object", "job-2", "--person", "p-1") == [3]
    _, _, err = typed("list", "--limit", 2)
    assert "--before 2" in err and numbers("--before", "2") == [1]
    assert typed("list", "--since", "yesterday")[0] == 2


def test_a_whole_trail_holds_here_elsewhere_and_without_bedside(
    deployment: Deployment, typed: Any, tmp_path: Path, repository: Path
) -> None:
    head = deployment.records.audit.head()
    assert head is not None
    assert typed("verify")[:2] == (0, f"head {head.hash} of 3 records\n")
    exported = tmp_path / "trail.jsonl"
    exported.write_text(typed("export")[1], encoding="utf-8")
    assert typed("verify", exported)[1] == f"head {head.hash} of 3 records\n"
    algorithm = tmp_path / "check.py"
    documented = re.search(r"```python\n(.*?)```", (repository / "docs/audit.md").read_text(), re.DOTALL)
    assert documented is not None
    algorithm.write_text(documented[1])
    check = [sys.executable, str(algorithm), str(exported)]
    assert subprocess.run(check, capture_output=True, text=True, check=True).stdout == f"3 {head.hash}\n"
    exported.write_text(exported.read_text().replace("job-1", "job-9"))
    code, out, err = typed("verify", exported)
    assert (code, out) == (1, "") and "does not hold at record 2: its content" in err
    altered = subprocess.run(check, capture_output=True, text=True, check=False)
    assert altered.returncode == 1 and "record 2 does not hold" in altered.stderr
    exported.write_text("{}\n")
    assert typed("verify", exported)[0] == 2


def test_a_trail_that_was_cut_is_told_by_a_head_from_before(deployment: Deployment, typed: Any) -> None:
    records = deployment.records.audit
    head = records.head()
    assert head is not None
    assert typed("verify", "--head", head.hash)[0] == 0
    database = deployment.ledger._database  # type: ignore[attr-defined]
    with database.write() as connection:
        connection.execute(text("DROP TRIGGER audit_no_delete"))
        connection.execute(text("DELETE FROM audit WHERE number = 3"))
    assert typed("verify")[0] == 0, "by itself a cut leaves no trace"
    code, _, err = typed("verify", "--head", head.hash)
    assert code == 1 and "was cut" in err
    document = json.loads(typed("verify", "--head", head.hash, "--json")[1])
    assert (document["holds"], document["checked"], document["head_found"]) == (False, 2, False)
    assert typed("verify", "--head", "5f2c")[0] == 2


def test_csv_is_for_people_and_runs_nothing_in_a_spreadsheet(deployment: Deployment, typed: Any) -> None:
    deployment.records.audit.append(Deed(at=T0, person="p-2", action="x.done", object="=cmd()"))
    lines = typed("export", "--format", "csv")[1].splitlines()
    assert lines[0].startswith("number,at,person") and "hospital/ct" in lines[2]
    assert ",'=cmd()," in lines[4]
