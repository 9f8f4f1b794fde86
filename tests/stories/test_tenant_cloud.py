"""Tenants on AWS as people type it: own buckets, groups, upload links by right, archived and gone."""

import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from bedside.adapters.aws.account import AwsCloud
from bedside.cli.main import main
from bedside.config import load
from bedside.wiring import Deployment, open_deployment
from clouds import REGION, Cloud
from issuer_server import CLIENT, LocalIssuer, run_issuer
from nothing_bundle import write_study
from serving import eventually

FILE_NAME = "Doe^Jane"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A deployment on emulated AWS, whose people sign in at a pool."""

    cloud: Cloud
    issuer: LocalIssuer
    configuration: Path
    name: str
    bucket: str
    queue: str
    pool: str
    capsys: pytest.CaptureFixture[str]

    def typed(self, *arguments: object) -> tuple[int, str, str]:
        self.capsys.readouterr()
        code = main(["tenant", *map(str, arguments), "-c", str(self.configuration)])
        written = self.capsys.readouterr()
        return code, written.out, written.err

    def opened(self) -> Deployment:
        return open_deployment(load(self.configuration, environment={}, flags={}).settings)

    def token(self, folder: Path, *groups: str, **claims: Any) -> Path:
        url = f"https://cognito-idp.{REGION}.amazonaws.com/{self.pool}"
        made = {"iss": url, "token_use": "id", "cognito:groups": list(groups), **claims}
        path = folder / f"token-{uuid.uuid4().hex}"
        path.write_text(self.issuer.token(**made))
        return path


@pytest.fixture
def place(tmp_path: Path, cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> Iterator[Place]:
    name, bucket = f"d{uuid.uuid4().hex[:10]}", cloud.bucket()
    queue = cloud.queue(announces=bucket)
    pool = cloud.client("cognito-idp").create_user_pool(PoolName=name)["UserPool"]["Id"]
    with run_issuer() as issuer:
        path = tmp_path / "bedside.toml"
        path.write_text(
            f"""
            [system]
            root = "{tmp_path / "data"}"
            [store]
            url = "s3://{bucket}"
            [queue]
            url = "{queue}"
            [intake]
            poll_s = 0.05
            quiet_s = 0.1
            [identity]
            issuer = "https://cognito-idp.{REGION}.amazonaws.com/{pool}"
            clients = ["{CLIENT}"]
            keys_url = "{issuer.url}/keys"
            [deploy]
            name = "{name}"
            """
        )
        yield Place(
            cloud=cloud,
            issuer=issuer,
            configuration=path,
            name=name,
            bucket=bucket,
            queue=queue,
            pool=pool,
            capsys=capsys,
        )


def test_a_practice_gets_buckets_of_its_own_and_only_its_people_send_there(
    place: Place, tmp_path: Path
) -> None:
    code, out, err = place.typed("create", "hospital/ct", "--own-buckets")
    assert code == 0, err
    assert "group hospital/ct:clinician" in out and "is served" in err
    assert place.name in place.typed("list")[1]
    study = tmp_path / f"{FILE_NAME}.zip"
    with zipfile.ZipFile(study, "w") as packed:
        for file in write_study(tmp_path / "study", seed="own").iterdir():
            packed.write(file, file.name)

    # Whoever has no right learns nothing, not even who is served.
    for groups in ((), ("hospital/mr:clinician",), ("hospital/ct:viewer",), ("hospital/ctx:clinician",)):
        code, out, err = place.typed(
            "upload-link", "hospital/ct", "--token-file", place.token(tmp_path, *groups)
        )
        assert (code, out) == (7, "") and "no right to send in tenant hospital/ct" in err
        assert place.typed("upload-link", "nobody", "--token-file", place.token(tmp_path, *groups))[0] == 7
    assert place.typed("upload-link", "hospital/ct")[0] == 7, "without a token"
    expired = place.token(tmp_path, "hospital/ct:clinician", exp=1)
    assert "expired" in place.typed("upload-link", "hospital/ct", "--token-file", expired)[2]
    above = place.token(tmp_path, "hospital:clinician")
    code, _, err = place.typed("upload-link", "hospital/mr", "--token-file", above)
    assert code == 2 and "nobody made it" in err

    size = study.stat().st_size
    code, out, err = place.typed("upload-link", "hospital/ct", "--token-file", above, "--size-bytes", size)
    assert code == 0 and FILE_NAME not in out, err
    assert httpx.put(out.strip(), content=study.read_bytes(), trust_env=False).is_success

    opened = place.opened()
    own = opened.tenants.buckets("hospital.ct")
    assert own is not None and own.input in out
    assert eventually(lambda: opened.intake.step("hospital.ct") == 1, within_s=30)
    assert opened.intake.step("default") == 0
    assert [len(a.files) > 0 for e in opened.ledger.entries("hospital.ct") for a in _arrivals(opened, e)] == [
        True
    ]
    assert place.cloud.messages(place.queue)["held"] == 0, "the event was read and is done with"
    blobs = opened.blobs.tenant("hospital.ct")
    blobs.put("results/a/result.json", b"{}")
    s3 = place.cloud.client("s3")
    assert "Contents" not in s3.list_objects_v2(Bucket=place.bucket), "nothing of it is in the shared bucket"
    assert s3.head_object(Bucket=own.output, Key="results/hospital.ct/a/result.json")

    for within in (place.bucket, f"{place.bucket}/input", f"{own.output}/kept"):
        code, _, err = place.typed("delete", "hospital/ct", "--archive", f"s3://{within}", "--yes")
        assert code == 2 and "lies in the store itself" in err
    archive = place.cloud.bucket()
    kept = f"s3://{archive}/closed"
    code, _, err = place.typed(
        "delete", "hospital/ct", "--archive", kept, "--storage-class", "STANDARD_IA", "--yes"
    )
    assert code == 0, err
    found = s3.list_objects_v2(Bucket=archive)["Contents"]
    classes = {item["Key"].split("/")[1]: item["StorageClass"] for item in found}
    assert classes["results"] == classes["arrivals"] == "STANDARD_IA" and ".bedside-top" in classes
    code, _, err = place.typed("upload-link", "hospital/ct", "--token-file", above)
    assert code == 2 and "it is closed" in err
    assert blobs.get("results/a/result.json") == b"{}", "what is archived stays readable"

    code, _, err = place.typed("delete", "hospital/ct", "--remove", "--yes")
    assert code == 0 and f"bucket {own.output} with 1 versions" in err, err
    assert AwsCloud(REGION).tagged(place.name) == []
    assert place.cloud.client("cognito-idp").list_groups(UserPoolId=place.pool)["Groups"] == []
    assert len(s3.list_objects_v2(Bucket=archive)["Contents"]) == len(found)
    opened.close()


def _arrivals(opened: Deployment, entry: Any) -> list[Any]:
    return [opened.ledger.arrival(entry.tenant, arrival) for arrival in entry.arrivals]


def test_a_removal_that_broke_off_is_finished_by_the_same_command(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place.typed("create", "ward", "--own-buckets")[0] == 0
    opened = place.opened()
    opened.blobs.tenant("ward").put("input/a.zip", b"z")
    with monkeypatch.context() as broken:
        broken.setattr("bedside.adapters.sql.tenants.Tenants.forget_tenant", lambda *_: 1 / 0)
        assert place.typed("delete", "ward", "--remove", "--yes")[0] == 1
    record = opened.ledger.tenant("ward")
    assert record is not None and record.state == "closing" and "ward" not in place.opened().tenants
    assert "to be removed" in place.typed("list")[1]
    assert place.typed("delete", "ward", "--archive", "/tmp/x", "--yes")[0] == 2, "half of it is gone"
    assert place.typed("delete", "ward", "--remove", "--yes")[0] == 0
    assert AwsCloud(REGION).tagged(place.name) == []
    opened.close()
