"""`bedside deploy` as typed, over TLS: buckets that take nothing else, as AWS's do.

The first two tests are about sending the machines' software there; the slow one makes the package's own
modules with the real provider, shows them and removes them.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedside.deploy import site, workspace
from bedside.deploy.software import Software
from clinic import typed
from clouds import REGION
from terraform import copy_of_modules, environment
from tls_cloud import TlsCloud, run_moto_over_tls

pytestmark = pytest.mark.needs("terraform")

WITH_SOFTWARE = """
variable "node_archive_key" { type = string }
resource "terraform_data" "this" { input = var.node_archive_key }
output "key" { value = terraform_data.this.output }
output "bucket" { value = "BUCKET" }
"""


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TlsCloud]:
    with run_moto_over_tls(tmp_path) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
            monkeypatch.delenv(name, raising=False)
        yield running


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, and no package index to bring wheels from."""
    (tmp_path / "bedside.toml").write_text(f'[deploy]\nname = "hospice"\nregion = "{REGION}"\n')
    monkeypatch.chdir(tmp_path)

    def build(folder: Path, configuration: bytes, ledger_ca: bytes = b"") -> Software:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "made.tar"
        path.write_bytes(configuration)
        return Software(path=path, key=f"software/{hashlib.sha256(configuration).hexdigest()}.tar")

    monkeypatch.setattr(site, "build_software", build)
    return tmp_path


def only_tls(cloud: TlsCloud, *, version: str = "1.2") -> str:
    """Make a bucket with the policy that the storage module gives, and return its name."""
    bucket = cloud.bucket()
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*"}
    on = {"Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}
    conditions = ({"Bool": {"aws:SecureTransport": "false"}}, {"NumericLessThan": {"s3:TlsVersion": version}})
    statements = [{**deny, **on, "Condition": condition} for condition in conditions]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    cloud.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy)
    return bucket


def with_software(place: Path, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = place / "modules-source"
    modules.mkdir()
    (modules / "main.tf").write_text(WITH_SOFTWARE.replace("BUCKET", bucket))
    monkeypatch.setattr(workspace, "MODULES", modules)


def test_software_reaches_a_bucket_that_takes_tls_only(
    place: Path, cloud: TlsCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = only_tls(cloud)
    with_software(place, bucket, monkeypatch)
    applied = typed("deploy", "apply", "--yes", "--json")
    assert applied.code == 0, applied.err
    sent = cloud.client("s3").get_object(Bucket=bucket, Key=applied.json["outputs"]["key"])["Body"].read()
    assert sent == (place / "bedside.toml").read_bytes()
    # The state's bucket closes itself likewise, and is read again nevertheless.
    state = cloud.client("s3").get_bucket_policy(Bucket=f"bedside-state-123456789012-{REGION}")["Policy"]
    assert "aws:SecureTransport" in state
    destroyed = typed("deploy", "destroy", "--yes")
    assert destroyed.code == 0, destroyed.err
    assert f"bedside-state-123456789012-{REGION} is gone too" in destroyed.err


def test_a_line_that_the_bucket_finds_too_weak_is_a_refusal_that_says_what_is_missing(
    place: Path, cloud: TlsCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_software(place, only_tls(cloud, version="1.4"), monkeypatch)
    refused = typed("deploy", "apply", "--yes", "--state", "local")
    assert refused.code == 3 and "s3:" in refused.err and "hint: " in refused.err, refused.err
    assert typed("deploy", "destroy", "--yes").code == 0


@pytest.mark.slow  # the real provider, the package's own modules, four times
@pytest.mark.timeout(1800)
def test_the_packages_own_modules_come_are_shown_and_go(
    place: Path, cloud: TlsCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import moto_gaps

    moto_gaps.complete(monkeypatch)
    modules = copy_of_modules(tmp_path / "modules-source")
    provider = {"aws": {"s3_use_path_style": True, "skip_metadata_api_check": True, "max_retries": 2}}
    (modules / "emulator_override.tf.json").write_text(json.dumps({"provider": provider}))
    monkeypatch.setattr(workspace, "MODULES", modules)
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", environment(tmp_path)["TF_CLI_CONFIG_FILE"])
    applied = typed("deploy", "apply", "--yes", "--no-verify", "--json")
    assert applied.code == 0, applied.err
    outputs = applied.json["outputs"]
    bucket = outputs["bucket"]
    (held,) = cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix="software/")["Contents"]
    sent = cloud.client("s3").get_object(Bucket=bucket, Key=held["Key"])["Body"].read()
    assert sent == (place / "bedside.toml").read_bytes()

    # Another person, who has neither the working copy nor the record.
    (place / ".bedside").rename(place / "elsewhere")
    status = typed("deploy", "status", "--json")
    assert status.code == 0, status.err
    assert status.json["outputs"]["bucket"] == bucket
    # The message is S3's own, which it sends to try a queue.
    assert status.json["sentences"][0].startswith("1 messages wait and 0 are in work; no machine works")
    assert {alarm["rings"] for alarm in status.json["alarms"]} == {False}
    gone = typed("deploy", "destroy", "--yes")
    assert gone.code == 0, gone.err
    assert gone.out.splitlines()[-1].startswith("nothing is left: ")
