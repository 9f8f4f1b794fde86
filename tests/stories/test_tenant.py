"""``bedside tenant`` as people type it, on one machine: made, adopted, shown, archived, removed."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bedside.cli.main import main
from bedside.domain.job import JobState
from bedside.ports import JobFilter
from bedside.ports.audit import AuditFilter
from bedside.wiring import Deployment, open_deployment
from contracts.test_ledger_exports import ended
from ledger_samples import make_arrival, make_job


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    path = tmp_path / "bedside.toml"
    path.write_text(f'[system]\nroot = "{tmp_path / "data"}"\n')
    return path


@pytest.fixture
def typed(configuration: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def type_(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["tenant", *map(str, arguments), "-c", str(configuration)])
        written = capsys.readouterr()
        return code, written.out, written.err

    return type_


def deployment(configuration: Path) -> Deployment:
    from bedside.config import load

    return open_deployment(load(configuration, environment={}, flags={}).settings)


def filled(configuration: Path, tenant: str) -> str:
    """Give a tenant a job that ended, one that waits, and objects; return the id of the second."""
    opened = deployment(configuration)
    ended(opened.ledger, 1, tenant=tenant)
    waiting, _ = opened.ledger.enqueue(make_job(opened.ledger.add_arrival(make_arrival(2, tenant=tenant))))
    blobs = opened.blobs.tenant(tenant)
    for key in ("input/Doe^Jane.zip", "arrivals/a/1.dcm", "results/a/j/result.json", "work/j/s/x"):
        blobs.put(key, b"12345")
    opened.close()
    return waiting.id


def test_a_tenant_is_made_listed_and_not_made_twice(typed: Any, tmp_path: Path) -> None:
    code, out, err = typed("create", "hospital/radiology/ct")
    assert code == 0 and "tenant hospital/radiology/ct is served" in err
    assert (tmp_path / "data/hospital.radiology.ct/input").is_dir() and "hospital.radiology.ct/input" in out
    code, out, _ = typed("list")
    lines = [line.split()[:2] for line in out.splitlines()]
    assert ["default", "configured"] in lines and ["hospital/radiology/ct", "active"] in lines
    code, _, err = typed("create", "hospital/radiology/ct")
    assert code == 2 and "exists already" in err
    code, out, err = typed("show", "hospital.radiology.ct")
    assert code == 0 and "no study yet" in err
    assert typed("create", "empty")[0] == 0
    assert typed("delete", "empty", "--archive", tmp_path / "archive", "--yes")[0] == 0
    assert "no study yet" not in typed("show", "empty")[2], "nobody can submit one any more"
    code, _, err = typed("show", "hospital/radiology/mr")
    assert code == 2 and "the nearest of 3 is 'hospital.radiology.ct'" in err
    for wrong in ("releases", "../up", "a b"):
        assert typed("create", wrong)[0] == 2
    code, _, err = typed("create", "practice", "--own-buckets")
    assert code == 2 and "need a store in S3" in err
    assert "practice" not in typed("list")[1], "nothing is recorded before it can be made"


def test_what_has_data_and_no_record_is_shown_and_adopted(typed: Any, configuration: Path) -> None:
    filled(configuration, "old-ward")
    code, out, err = typed("list")
    assert code == 0 and "not served" in out and "bedside tenant create old-ward" in err
    code, out, _ = typed("show", "old-ward", "--json")
    shown = json.loads(out)
    assert shown["state"] == "not served" and not shown["recorded"]
    assert shown["has"]["jobs"] == {"queued": 1, "succeeded": 1}
    assert shown["has"]["areas"]["input"] == {"objects": 1, "bytes": 5}
    code, _, err = typed("create", "old-ward")
    assert code == 0 and "was there and is recorded now" in err
    assert typed("show", "old-ward", "--json")[1].count('"active"') == 1


def test_a_removed_tenant_leaves_its_record_alone(typed: Any, configuration: Path, tmp_path: Path) -> None:
    typed("create", "ward")
    filled(configuration, "ward")
    opened = deployment(configuration)
    opened.ledger.enqueue(make_job(opened.ledger.add_arrival(make_arrival(3, tenant="other"))))
    opened.blobs.tenant("other").put("input/Doe^Jane.zip", b"1")
    opened.close()
    code, out, err = typed("delete", "ward", "--remove", "--dry-run")
    assert "image sets" not in out
    with configuration.open("a") as file:
        file.write('[archive]\ndatastore = "00000000000000000000000000000abc"\n')
    code, out, err = typed("delete", "ward", "--remove", "--dry-run")
    assert "image sets in the archive" in out, "nothing went there, so that nothing is asked"
    assert code == 0 and "input/" in out and "jobs queued" in out and "nothing was changed" in err
    assert "Doe" not in out + err
    code, _, err = typed("delete", "ward", "--remove")
    assert code == 2 and "add --yes" in err, "nobody can be asked"
    code, _, err = typed("delete", "ward", "--remove", "--yes")
    assert code == 0 and "1 waiting jobs" in err and "its record stays" in err
    assert not (tmp_path / "data/ward").exists() and (tmp_path / "data/other/input/Doe^Jane.zip").exists()
    opened = deployment(configuration)
    trail = [record.deed for record in opened.records.audit.walk(AuditFilter(nodes=["ward"]))]
    assert [deed.action for deed in trail] == ["tenant.made", "tenant.closing", "tenant.closed"]
    assert {deed.person for deed in trail} == {f"shell:{os.getuid()}"}
    assert list(opened.ledger.jobs("ward", JobFilter())) == []
    assert [event.action for event in opened.ledger.events("ward")] == ["tenant.removed"]
    assert len(opened.ledger.jobs("other", JobFilter())) == 1 and "ward" not in opened.tenants
    opened.close()
    assert "removed 20" in typed("list")[1] and "closed" in typed("show", "ward")[1]
    assert typed("create", "ward")[0] == 2, "a name is used once"
    code, _, err = typed("delete", "ward", "--remove", "--yes")
    assert code == 2 and "removed already" in err
    assert main(["submit", str(configuration), "--tenant", "ward", "-c", str(configuration)]) == 2


def test_an_archive_is_whole_and_can_be_removed_afterwards(
    typed: Any, configuration: Path, tmp_path: Path
) -> None:
    waiting = filled(configuration, "default")
    place = tmp_path / "archive"
    assert typed("delete", "default")[0] == 2
    assert typed("delete", "default", "--archive", tmp_path / "data/x", "--yes")[0] == 2
    assert typed("delete", "default", "--archive", place, "--storage-class", "GLACIER", "--yes")[0] == 2
    code, _, err = typed("delete", "default", "--archive", place, "--yes")
    assert code == 2 and "1 jobs wait or run" in err and not place.exists()
    opened = deployment(configuration)
    opened.ledger.cancel("default", waiting, opened.clock.now())
    code, _, err = typed("delete", "default", "--archive", place, "--yes")
    assert code == 0 and "3 objects copied" in err and "take default out of system.tenants" in err
    kept = {str(p.relative_to(place / "default")) for p in place.rglob("*") if p.is_file()}
    assert kept == {"archive.json", "input/Doe^Jane.zip", "arrivals/a/1.dcm", "results/a/j/result.json"}
    assert json.loads((place / "default/archive.json").read_text())["objects"] == 3
    assert len(opened.tenants.served) == 0 and opened.blobs.tenant("default").get("arrivals/a/1.dcm")
    assert main(["job", "list", "-c", str(configuration)]) == 0, "what is archived stays readable"
    code, _, err = typed("delete", "default", "--archive", place, "--yes")
    assert code == 2 and "archived already" in err
    again = ["job", "retry", waiting, "--yes", "-c", str(configuration)]
    assert main(again) == 2, "what came of it would be in no archive"
    assert typed("delete", "default", "--remove", "--yes")[0] == 0
    assert list(opened.blobs.tenant("default").list("")) == [] and kept
    opened.close()


def test_running_jobs_stop_an_ending(typed: Any, configuration: Path) -> None:
    filled(configuration, "default")
    opened = deployment(configuration)
    lease = opened.ledger.lease(pools=[], worker="w", now=opened.clock.now(), lease_s=60)
    assert lease is not None
    code, _, err = typed("delete", "default", "--remove", "--yes")
    assert code == 2 and "1 jobs run" in err and "bedside job cancel JOB" in err
    assert opened.ledger.job("default", lease.job.id).state is JobState.RUNNING
    assert "default" in opened.tenants.served and opened.blobs.tenant("default").stat("input/Doe^Jane.zip")
    opened.ledger.cancel("default", lease.job.id, opened.clock.now())
    assert typed("delete", "default", "--remove", "--yes")[0] == 0
    opened.close()
