"""`bedside deploy cost` as typed: before anything is deployed, and after studies were read."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bedside.adapters.sql import SqlLedger
from bedside.cli.main import main
from bedside.domain.tenant import Tenant, TenantBuckets, TenantState
from clinic import Typed
from clouds import REGION, Cloud


def typed(*words: str) -> Typed:
    """Type a command as in a terminal that nobody sits at."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    return Typed(code, out.getvalue(), err.getvalue())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, as an engineer has it."""
    (tmp_path / "bedside.toml").write_text(f'[deploy]\nname = "costs"\nregion = "{REGION}"\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _result(usd: float) -> bytes:
    compute = {
        "machine": "g4dn.xlarge",
        "price_usd_per_hour": 0.526,
        "seconds": 20.0,
        "gpu_s": 9.0,
        "usd": usd,
    }
    content: dict[str, Any] = {
        "created_at": datetime.now(tz=UTC).isoformat(),
        "release": {"digest": "sha256:1", "name": "spleen", "version": "0.1"},
        "gpu_s": 9.0,
        "compute": compute,
    }
    return json.dumps(content).encode()


def test_an_estimate_needs_no_account(place: Path) -> None:
    shown = typed("deploy", "cost", "--offline")
    assert shown.code == 0 and "g4dn.xlarge, pool default" in shown.out
    assert "a month without a study" in shown.out and "prices of us-east-1: table of 20" in shown.err
    few, many = (
        typed("deploy", "cost", "--offline", "--json", "--studies-per-day", n).json for n in ("10", "300")
    )
    assert few["fixed_usd_per_month"] == many["fixed_usd_per_month"] > 0
    assert few["usd_per_study"] > many["usd_per_study"] and many["workload"]["studies_per_day"] == 300


def test_where_aws_is_out_of_reach_the_table_is_taken_and_that_is_said(
    place: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    shown = typed("deploy", "cost")
    assert shown.code == 0 and "a month in all" in shown.out
    assert "since AWS's price list cannot be read" in shown.err
    assert not list(place.glob(".bedside/prices-*"))


def test_without_boto3_the_table_is_taken_and_that_is_said(place: Path) -> None:
    program = "import sys; sys.modules['boto3'] = None; from bedside.cli.main import main; sys.exit(main())"

    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        given = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")} | variables
        command = [sys.executable, "-c", program, "deploy", "cost", *words]
        return subprocess.run(command, capture_output=True, text=True, env=given, check=False)

    told = run()
    assert told.returncode == 0 and "a month in all" in told.stdout
    assert (
        "since AWS is asked by the Python package boto3, which is not installed: pip install" in told.stderr
    )
    unlisted = run("--region", "il-central-1")
    assert unlisted.returncode == 3 and "no prices of region 'il-central-1'" in unlisted.stderr
    (place / "bedside.toml").write_text("")
    assert "of eu-west-1: table" in run(AWS_REGION="eu-west-1").stderr
    nowhere = run()
    assert nowhere.returncode == 3 and "no region is named" in nowhere.stderr


def test_a_region_that_the_table_lacks_is_asked_of_aws_alone(
    place: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bedside.adapters.aws.prices import AwsPrices

    def prices(_: object, region: str, keys: Collection[str]) -> dict[str, float]:
        return {key: 0.5 for key in keys if region == "il-central-1" or not key.startswith("ec2")}

    monkeypatch.setattr(AwsPrices, "prices", prices)
    told = typed("deploy", "cost", "--region", "il-central-1")
    assert told.code == 0 and "us-east-1 stands for il-central-1" in told.err
    lacks = typed("deploy", "cost", "--region", "mx-central-1")
    assert lacks.code == 3 and "of ec2/g4dn.xlarge AWS told none" in lacks.err
    assert typed("deploy", "cost", "--region", "il-central-1", "--offline").code == 3


def test_a_wish_that_contradicts_itself_is_refused(place: Path) -> None:
    told = typed("deploy", "cost", "--offline", "--refresh")
    assert told.code == 2 and "--offline and --refresh" in told.err


def test_what_studies_took_is_read_from_the_deployments_bucket(place: Path, cloud: Cloud) -> None:
    (place / ".bedside" / "deploy" / "costs").mkdir(parents=True)  # something was deployed from here
    s3, bucket = cloud.client("s3"), f"costs-123456789012-{REGION}"
    s3.create_bucket(Bucket=bucket)
    nothing = typed("deploy", "cost", "--actual")
    assert nothing.code == 0 and f"no result of the last 30 days in s3://{bucket}" in nothing.err
    for name, usd in (("a", 0.003), ("b", 0.005)):
        s3.put_object(Bucket=bucket, Key=f"results/default/{name}/result.json", Body=_result(usd))
    told = typed("deploy", "cost", "--actual", "--json").json
    assert told["store"] == f"s3://{bucket}"
    (release,) = told["per_release"]
    assert (release["name"], release["studies"], release["gpu_s"]) == ("spleen 0.1", 2, 18)
    assert release["cents_per_study"] == pytest.approx(0.4)
    assert [day["studies"] for day in told["per_day"]] == [2]
    shown = typed("deploy", "cost", "--actual")
    assert "2 studies, 18 GPU seconds, USD 0.0080" in shown.out and "AWS's bill does" in shown.err
    assert "the ledger is out of reach here" in shown.err


def test_results_in_a_tenants_own_bucket_count(place: Path, cloud: Cloud) -> None:
    shared, own = cloud.bucket(), TenantBuckets(input=cloud.bucket(), output=cloud.bucket())
    configuration = place / "bedside.toml"
    configuration.write_text(configuration.read_text() + f'[store]\nurl = "s3://{shared}"\n')
    (place / "bedside-data").mkdir()
    ledger = SqlLedger(f"sqlite:///{place / 'bedside-data' / 'ledger.db'}")
    ledger.prepare()
    practice = Tenant(name="practice", state=TenantState.ACTIVE, made_at=datetime.now(tz=UTC), buckets=own)
    assert ledger.put_tenant(practice, over=None)
    ledger.close()
    s3 = cloud.client("s3")
    for bucket, tenant in ((shared, "default"), (own.output, "practice")):
        s3.put_object(Bucket=bucket, Key=f"results/{tenant}/a/result.json", Body=_result(0.003))
    told = typed("deploy", "cost", "--actual", "--json")
    assert told.json["total"]["studies"] == 2 and "out of reach" not in told.err


def test_without_a_deployment_the_results_here_are_summed_up(place: Path) -> None:
    folder = place / "bedside-data" / "default" / "results" / "a"
    folder.mkdir(parents=True)
    (folder / "result.json").write_bytes(_result(0.002))
    told = typed("deploy", "cost", "--actual", "--json").json
    assert told["total"]["usd"] == pytest.approx(0.002) and told["store"].endswith("bedside-data")
    assert typed("tenant", "create", "ward/ct").code == 0
    made = place / "bedside-data" / "ward.ct" / "results" / "a"
    made.mkdir(parents=True)
    (made / "result.json").write_bytes(_result(0.001))
    told = typed("deploy", "cost", "--actual", "--json").json
    assert told["total"]["usd"] == pytest.approx(0.003), "tenants that were made by command count too"
