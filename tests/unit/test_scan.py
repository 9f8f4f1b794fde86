"""What the security scanner's report leads to: nothing new, nothing superfluous, nothing unread."""

import importlib.util
import tomllib
from pathlib import Path
from typing import Any

import pytest

_SOURCE = Path(__file__).resolve().parents[2] / "tools" / "check_scan.py"
_spec = importlib.util.spec_from_file_location("check_scan", _SOURCE)
assert _spec
assert _spec.loader
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
WAIVERS, complaints = _module.WAIVERS, _module.complaints


def _report(kind: str, *findings: tuple[str, str], passed: int = 9, broken: int = 0) -> dict[str, Any]:
    failed = [
        {
            "check_id": check,
            "resource": resource,
            "check_name": "Ensure it",
            "file_path": "/main.tf",
            "file_line_range": [7, 9],
        }
        for check, resource in findings
    ]
    summary = {"passed": passed, "parsing_errors": broken}
    return {"check_type": kind, "summary": summary, "results": {"failed_checks": failed}}


CLEAN = _report("cloudformation")


def test_what_is_waived_is_no_complaint_and_what_is_new_is() -> None:
    waived = {"CKV_1": {"aws_vpc.this": "It costs more than it tells."}}
    known, new = ("CKV_1", "aws_vpc.this"), ("CKV_1", "aws_vpc.other")
    assert complaints([_report("terraform", known), CLEAN], waived) == []
    assert complaints([_report("terraform", known, new), CLEAN], waived) == [
        "/main.tf:7: CKV_1 aws_vpc.other: Ensure it"
    ]


def test_a_waiver_without_a_reason_excuses_nothing() -> None:
    waived = {"CKV_1": {"aws_vpc.this": ""}}
    assert complaints([_report("terraform", ("CKV_1", "aws_vpc.this")), CLEAN], waived) != []


def test_a_waiver_of_what_is_gone_is_refused() -> None:
    waived = {"CKV_1": {"aws_vpc.this": "It costs more than it tells."}}
    (line,) = complaints([_report("terraform"), CLEAN], waived)
    assert line.endswith("CKV_1 aws_vpc.this is no longer found")


@pytest.mark.parametrize(
    ("reports", "said"),
    [
        ([CLEAN], "nothing of kind terraform was read"),
        ([_report("terraform", passed=0), CLEAN], "nothing of kind terraform was read"),
        ([_report("terraform", broken=1), CLEAN], "terraform: 1 files could not be read"),
    ],
)
def test_what_was_not_read_did_not_pass(reports: list[dict[str, Any]], said: str) -> None:
    assert said in complaints(reports, {})


def test_each_waiver_has_a_reason() -> None:
    waived = tomllib.loads(WAIVERS.read_text(encoding="utf-8"))
    assert waived
    assert all(len(reason) > 20 for resources in waived.values() for reason in resources.values())
