"""`bedside deploy verify` as typed: a phantom goes through a deployment to a real `bedside serve`.

The bucket and its queue are an emulator's, and the machine is a process here that is given what a machine's
user data gives; the modules only say where both are.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedside.adapters.aws.blobs import S3BlobStore
from bedside.adapters.aws.places import Bucket
from bedside.deploy import verification, workspace
from clinic import typed
from clouds import REGION, Cloud
from serving import PROGRAM, Serving, eventually

pytestmark = pytest.mark.needs("terraform")

OUTPUTS = """
resource "terraform_data" "this" {{}}
output "bucket" {{ value = "{bucket}" }}
output "queue_url" {{ value = "{queue}" }}
output "groups" {{ value = {{ default = "{group}" }} }}
output "repository_url" {{ value = "123456789012.dkr.ecr.us-east-1.amazonaws.com/ward" }}
"""


@pytest.fixture
def bucket(cloud: Cloud) -> str:
    return cloud.bucket()


@pytest.fixture
def place(cloud: Cloud, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose configuration has no pipeline, and a deployment of a bucket, a queue and a group."""
    queue = cloud.queue(announces=bucket)
    scaling, group = cloud.client("autoscaling"), f"{bucket}-default"
    image = cloud.client("ec2").describe_images()["Images"][0]["ImageId"]
    scaling.create_launch_configuration(LaunchConfigurationName=group, ImageId=image, InstanceType="c5.large")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=group,
        LaunchConfigurationName=group,
        MinSize=0,
        MaxSize=1,
        DesiredCapacity=0,
        AvailabilityZones=["us-east-1a"],
    )
    modules = tmp_path / "modules-source"
    modules.mkdir()
    (modules / "main.tf").write_text(OUTPUTS.format(bucket=bucket, queue=queue, group=group))
    monkeypatch.setattr(workspace, "MODULES", modules)
    monkeypatch.setattr(verification, "POLL_S", 0.2)
    here = tmp_path / "here"
    here.mkdir()
    (here / "bedside.toml").write_text(f'[deploy]\nname = "ward"\nregion = "{REGION}"\n')
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def machine(
    place: Path, cloud: Cloud, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Serving]:
    """A machine that reads every study by writing two files."""
    program = tmp_path / "program"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    monkeypatch.setenv("BEDSIDE_STORE_URL", f"s3://{bucket}")
    stage = f'command = ["{sys.executable}", "{program}", "{{input}}", "{{output}}", "1"]'
    serving = Serving(tmp_path / "machine", stage)
    yield serving
    serving.close()


def objects(cloud: Cloud, bucket: str) -> list[str]:
    found = cloud.client("s3").list_object_versions(Bucket=bucket)
    return [item["Key"] for item in (*found.get("Versions", ()), *found.get("DeleteMarkers", ()))]


def test_a_phantom_is_read_and_nothing_of_it_stays(
    place: Path, machine: Serving, cloud: Cloud, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (place / "bedside.toml").open("a") as file:
        file.write('[[pipeline]]\nname = "spleen"\nmap = "registry.example/spleen:1"\n')
    store = S3BlobStore(Bucket(name=bucket), "default")
    store.put("results/another/result.json", b"{}")  # somebody's, which stays
    machine.start()
    assert eventually(lambda: machine.said("serve.ready"), within_s=60), "\n".join(machine.lines)
    monkeypatch.setenv("BEDSIDE_LEDGER_URL", machine.ledger_url)  # as where the database lets us in
    applied = typed("deploy", "apply", "--yes", "--state", "local", "--json")
    assert applied.code == 0, applied.err + "\n".join(machine.lines)
    told = applied.json["verification"]
    assert (told["verified"], told["reached"]) == (True, "read")
    assert set(told["files"]) >= {"dicom/a.dcm", "dicom/b.dcm", "result.json"}
    assert "sending a phantom of 48 slices" in applied.err
    assert "its job is " in applied.err
    assert "verified: the phantom was read" in applied.err
    assert objects(cloud, bucket) == ["results/default/another/result.json"]
    (job,) = machine.jobs()
    assert job.state.value == "succeeded"
    assert machine.stop() == 0


def test_where_it_stopped_is_said_and_the_phantom_is_taken_away(
    place: Path, cloud: Cloud, bucket: str
) -> None:
    assert typed("deploy", "apply", "--yes", "--state", "local", "--no-verify").code == 0
    told = typed("deploy", "verify", "--timeout", "0.001", "--json")
    assert told.code == 5
    assert (told.json["verified"], told.json["reached"]) == (False, "sent")
    assert "messages wait, and nobody asked for a machine" in told.err
    assert "hint: bedside deploy logs --part waker" in told.err
    assert objects(cloud, bucket) == []
    assert typed("deploy", "verify", "--tenant", "wrd").code == 2


def test_what_no_machine_could_run_is_not_tried(place: Path, cloud: Cloud, bucket: str) -> None:
    with (place / "bedside.toml").open("a") as file:
        file.write('[[pipeline]]\nname = "spleen"\nbundle = "bundle"\n')
    told = typed("deploy", "apply", "--yes", "--state", "local")
    assert told.code == 0, told.err
    assert "?    pipeline spleen names a release in a folder of this machine" in told.err
    assert "not verified: pipeline spleen names a release in a folder of this machine" in told.err
    assert "bedside package BUNDLE --push 123456789012.dkr.ecr.us-east-1.amazonaws.com/ward" in told.err
    assert objects(cloud, bucket) == []
