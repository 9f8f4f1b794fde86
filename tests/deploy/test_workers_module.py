"""The modules of the workers and of what is watched: applied to moto by the real provider, their scripts run.

moto keeps groups, templates, rules and alarms without acting on them. So this proves that AWS's API takes
what the modules say and what a machine's scripts do in each state; not that a machine starts.
"""

import base64
import gzip
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bedside.adapters.sql import SqlLedger
from bedside.config import MetricsSettings, NotifySettings, load
from bedside.deploy.machine_time import LEAD_S
from bedside.deploy.waker import waker_zip
from bedside.deploy.workspace import MODULES
from bedside.domain.export import first_export, waiting
from bedside.domain.measure import Metric
from bedside.wiring.queue import listened, takes_in
from clouds import REGION, Cloud
from conftest import find_program
from ledger_samples import T0, make_arrival, make_job, make_pipeline
from measured import dimensions
from terraform import Terraform, copy_of_modules, environment

POOL = {
    "instance_types": ["g4dn.xlarge", "g5.xlarge"],
    "gpu": True,
    "max": 2,
    "spot": True,
    "warm_pool": 0,
    "idle_s": 300,
    "permitted_wait_s": 900,
    "disk_gb": 100,
}
WARM = {
    **POOL,
    "instance_types": ["c7i.large"],
    "gpu": False,
    "spot": False,
    "warm_pool": 1,
    "permitted_wait_s": 0,
    "idle_s": 0,
}
KEPT = {**POOL, "instance_types": ["g4dn.xlarge"], "max": 1, "idle_s": 0, "release_disk_gb": 40}
#: Of Systems Manager's agent, for Run Command alone: without data channels there is no session.
AGENT = {
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:OpenControlChannel",
    *(
        f"ec2messages:{action}"
        for action in (
            "AcknowledgeMessage",
            "DeleteMessage",
            "FailMessage",
            "GetEndpoint",
            "GetMessages",
            "SendReply",
        )
    ),
}
TOPIC = f"arn:aws:sns:{REGION}:123456789012:clinic-alarms"
NIGHT = {"stop": "0 20 * * *", "start": "0 5 * * *"}


def _module(folder: Path, name: str, variables: dict[str, Any], emulator: dict[str, str]) -> Terraform:
    modules = copy_of_modules(folder / "modules")
    root = folder / "root"
    root.mkdir()
    provider = {
        "region": REGION,
        "s3_use_path_style": True,
        "skip_metadata_api_check": True,
        "default_tags": {"tags": {"bedside:deployment": "clinic"}},
    }
    source = {"source": f"{modules}//modules/{name}"}  # modules beside it are of the same package
    document = {"provider": {"aws": provider}, "module": {"it": {**source, **variables}}}
    (root / "main.tf.json").write_text(json.dumps(document))
    terraform = Terraform(folder=root, environment=environment(root, emulator))
    terraform.run("init", "-input=false")
    return terraform


def _workers(folder: Path, **changes: Any) -> dict[str, Any]:
    pools = changes.get("pools", {"default": POOL, "cpu": WARM, "kept": KEPT})
    return {
        "name": "clinic",
        "region": REGION,
        "bucket": "clinic-bucket",
        "bucket_arn": "arn:aws:s3:::clinic-bucket",
        "queue_url": "https://sqs.example/clinic-default",
        "pool_queues": {
            pool: {
                "url": f"https://sqs.example/clinic-{pool}",
                "arn": f"arn:aws:sqs:{REGION}:123456789012:clinic-{pool}",
            }
            for pool in pools
        },
        "pools": pools,
        "subnet_ids": ["subnet-00000000000000000"],
        "security_group_id": "sg-00000000000000000",
        "ledger_url_parameter_name": "/bedside/clinic/ledger-url",
        "node_archive_key": "software/node.tar",
        "waker_zip": str(waker_zip(folder / "waker.zip")),
        **changes,
    }


def _resources(terraform: Terraform) -> dict[str, dict[str, Any]]:
    state = json.loads(terraform.run("show", "-json").stdout)
    found = state["values"]["root_module"]["child_modules"][0]["resources"]
    return {item["address"].removeprefix("module.it."): item["values"] for item in found}


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory, moto: Cloud) -> dict[str, dict[str, Any]]:
    """Apply the workers' module once, with a network of moto's own."""
    if find_program("terraform") is None:
        pytest.skip("terraform not found in PATH")
    folder = tmp_path_factory.mktemp("workers")
    ec2 = moto.client("ec2")
    subnets = ec2.describe_subnets()["Subnets"][:2]
    variables = _workers(
        folder,
        identity={"issuer": "https://cognito.example/pool", "client_id": "client"},
        night=NIGHT,
        topic_arn=TOPIC,
        subnet_ids=[subnet["SubnetId"] for subnet in subnets],
        subnet_zones=[subnet["AvailabilityZone"] for subnet in subnets],
        security_group_id=ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"],
        machine_usd_per_h={"default": {"g4dn.xlarge": 0.21}},
    )
    terraform = _module(folder, "workers", variables, moto.environment)
    terraform.run("apply", "-input=false", "-auto-approve")
    return {**_resources(terraform), "terraform": terraform, "variables": variables}


@pytest.mark.needs("terraform")
def test_groups_begin_at_zero_and_stay_within_their_maximum(applied: Any, moto: Cloud) -> None:
    for pool in ("default", "cpu"):
        # Else AWS would end a machine that works, because another zone has fewer.
        assert applied[f'aws_autoscaling_group.pool["{pool}"]']["suspended_processes"] == ["AZRebalance"]
    groups = moto.client("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=["clinic-default", "clinic-cpu"]
    )["AutoScalingGroups"]
    assert {(g["MinSize"], g["DesiredCapacity"], g["MaxSize"]) for g in groups} == {(0, 0, 2)}
    spot = applied['aws_autoscaling_group.pool["default"]']["mixed_instances_policy"][0]
    assert spot["instances_distribution"][0]["on_demand_percentage_above_base_capacity"] == 0
    warm = applied['aws_autoscaling_group.pool["cpu"]']
    pool = warm["warm_pool"][0]
    assert (pool["pool_state"], pool["instance_reuse_policy"]) == ("Stopped", [{"reuse_on_scale_in": True}])
    assert (pool["min_size"], pool["max_group_prepared_capacity"]) == (0, 1)
    assert not warm["mixed_instances_policy"]


@pytest.mark.needs("terraform")
def test_an_apply_in_the_night_wakes_no_pool(applied: Any, moto: Cloud) -> None:
    scaling, terraform = moto.client("autoscaling"), applied["terraform"]
    scaling.update_auto_scaling_group(AutoScalingGroupName="clinic-cpu", MaxSize=0)  # as the schedule does
    assert _planned(terraform, applied["variables"]) == {"cpu": (0, 2)}  # by itself it would
    assert _planned(terraform, {**applied["variables"], "asleep": ["cpu"]}) == {}
    scaling.update_auto_scaling_group(AutoScalingGroupName="clinic-cpu", MaxSize=2)
    for pool in ("default", "cpu"):
        assert "GroupMaxSize" in applied[f'aws_autoscaling_group.pool["{pool}"]']["enabled_metrics"]


def _planned(terraform: Terraform, variables: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Return the maximum of groups before and after, where a plan changes it."""
    main = terraform.folder / "main.tf.json"
    held = json.loads(main.read_text())
    held["module"]["it"] = {"source": held["module"]["it"]["source"], **variables}
    main.write_text(json.dumps(held))
    target = "-target=module.it.aws_autoscaling_group.pool"
    terraform.run("plan", "-input=false", "-lock=false", target, "-out=night")
    changes = json.loads(terraform.run("show", "-json", "night").stdout)["resource_changes"]
    sizes = {
        item["index"]: (item["change"]["before"]["max_size"], item["change"]["after"]["max_size"])
        for item in changes
        if item["type"] == "aws_autoscaling_group"
    }
    return {pool: (before, after) for pool, (before, after) in sizes.items() if before != after}


@pytest.mark.needs("terraform")
def test_machines_are_closed_and_encrypted(applied: Any) -> None:
    for pool in ("default", "cpu"):
        template = applied[f'aws_launch_template.pool["{pool}"]']
        metadata = template["metadata_options"][0]
        assert (metadata["http_tokens"], metadata["http_put_response_hop_limit"]) == ("required", 1)
        assert template["block_device_mappings"][0]["ebs"][0]["encrypted"] == "true"
        assert not template["key_name"]
    assert "/gpu/" in applied['aws_launch_template.pool["default"]']["image_id"]
    assert "/gpu/" not in applied['aws_launch_template.pool["cpu"]']["image_id"]


@pytest.mark.needs("terraform")
def test_a_role_reaches_its_own_group_and_the_deployments_things_only(applied: Any) -> None:
    policy = json.loads(applied['aws_iam_role_policy.worker["default"]']["policy"])
    by_action = {
        action: (statement["Resource"], statement.get("Condition"))
        for statement in policy["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    group, _ = by_action["autoscaling:TerminateInstanceInAutoScalingGroup"]
    assert group.endswith(":autoScalingGroupName/clinic-default")
    # It may end machines of its pool, as it may in the group.
    ending, condition = by_action["ec2:TerminateInstances"]
    assert ending.endswith(":instance/*")
    mine = {"aws:ResourceTag/bedside:deployment": "clinic", "aws:ResourceTag/bedside:pool": "default"}
    assert condition == {"StringEquals": mine}
    assert "ec2:AttachVolume" not in by_action
    everywhere = {action for action, (resource, _) in by_action.items() if resource == "*"}
    assert everywhere == {"ecr:GetAuthorizationToken", "cloudwatch:PutMetricData", *AGENT}
    assert by_action["cloudwatch:PutMetricData"][1] == {"StringEquals": {"cloudwatch:namespace": "bedside"}}
    assert not [action for action in by_action if "*" in action or action.startswith("medical-imaging")]
    assert "autoscaling:ExecutePolicy" not in by_action  # that is how a machine of a warm pool leaves
    # Another archive must not be another policy: workflows write none.
    (software,) = (each["Resource"] for each in policy["Statement"] if each["Sid"] == "Software")
    assert software == "arn:aws:s3:::clinic-bucket/software/*"


@pytest.mark.needs("terraform")
def test_a_machine_of_a_warm_pool_leaves_by_a_policy_of_its_own_group(applied: Any) -> None:
    policy = applied['aws_autoscaling_policy.leave["cpu"]']
    assert (policy["adjustment_type"], policy["scaling_adjustment"], policy["cooldown"]) == (
        "ChangeInCapacity",
        -1,
        0,
    )
    assert 'aws_autoscaling_policy.leave["default"]' not in applied
    granted = json.loads(applied['aws_iam_role_policy.worker["cpu"]']["policy"])["Statement"]
    (warm,) = [statement for statement in granted if statement.get("Sid") == "WarmPool"]
    assert sorted(warm["Action"]) == ["autoscaling:ExecutePolicy", "autoscaling:SetInstanceProtection"]
    assert warm["Resource"].endswith(":autoScalingGroupName/clinic-cpu")


@pytest.mark.needs("terraform")
def test_a_release_disk_is_encrypted_in_one_zone_and_only_its_pools_machines_take_it(
    applied: Any, moto: Cloud
) -> None:
    (address,) = (name for name in applied if name.startswith("aws_ebs_volume."))
    assert address == 'aws_ebs_volume.release["kept-0"]'
    volume_id = applied[address]["id"]
    (volume,) = moto.client("ec2").describe_volumes(VolumeIds=[volume_id])["Volumes"]
    assert (volume["Encrypted"], volume["Size"], volume["VolumeType"]) == (True, 40, "gp3")
    tags = {tag["Key"]: tag["Value"] for tag in volume["Tags"]}
    assert (tags["bedside:deployment"], tags["bedside:pool"]) == ("clinic", "kept")
    zones, subnets = applied["variables"]["subnet_zones"], applied["variables"]["subnet_ids"]
    assert volume["AvailabilityZone"] == zones[0]
    assert applied['aws_autoscaling_group.pool["kept"]']["vpc_zone_identifier"] == subnets[:1]
    assert set(applied['aws_autoscaling_group.pool["default"]']["vpc_zone_identifier"]) == set(subnets)
    granted = json.loads(applied['aws_iam_role_policy.worker["kept"]']["policy"])["Statement"]
    (disk,) = [statement for statement in granted if statement.get("Sid") == "ReleaseDisk"]
    assert sorted(disk["Action"]) == ["ec2:AttachVolume", "ec2:DetachVolume"]
    assert [arn.rpartition(":")[2] for arn in sorted(disk["Resource"])] == [
        "instance/*",
        f"volume/{volume_id}",
    ]
    mine = {"aws:ResourceTag/bedside:deployment": "clinic", "aws:ResourceTag/bedside:pool": "kept"}
    assert disk["Condition"] == {"StringEquals": mine}


@pytest.mark.needs("terraform")
def test_the_waker_is_called_by_arrivals_and_each_minute(applied: Any) -> None:
    waker = applied["aws_lambda_function.waker"]
    assert (waker["handler"], waker["runtime"]) == ("waker.handler", "python3.13")
    pools = json.loads(waker["environment"][0]["variables"]["POOLS"])
    assert pools["default"]["waiting"] == "/bedside/clinic/waiting/default"
    assert pools["default"]["start_s"] == LEAD_S["gpu"]
    assert pools["cpu"] == {
        "queue_url": "https://sqs.example/clinic-cpu",
        "group": "clinic-cpu",
        "max": 2,
        "permitted_wait_s": 0,
        "start_s": LEAD_S["warm cpu"],
        "waiting": "",
    }
    pattern = json.loads(applied["aws_cloudwatch_event_rule.arrived"]["event_pattern"])
    assert pattern["detail"]["object"] == {"key": [{"prefix": "input/"}]}
    assert {"prefix": "clinic-t-"} in pattern["detail"]["bucket"]["name"], "tenants' own buckets wake it too"
    assert applied["aws_cloudwatch_event_rule.minute"]["schedule_expression"] == "rate(1 minute)"


@pytest.mark.needs("terraform")
def test_backlog_and_night_reach_the_groups(applied: Any) -> None:
    alarm = applied['aws_cloudwatch_metric_alarm.backlog["default"]']
    assert alarm["dimensions"] == {"Deployment": "clinic", "Pool": "default"}
    assert (alarm["threshold"], alarm["metric_name"]) == (10, "QueuedJobs")
    policy = applied['aws_autoscaling_policy.backlog["default"]']
    assert alarm["alarm_actions"] == [policy["arn"]]
    assert applied['aws_autoscaling_schedule.stop["cpu"]']["max_size"] == 0
    assert applied['aws_autoscaling_schedule.start["cpu"]']["max_size"] == 2


@pytest.mark.needs("terraform")
@pytest.mark.parametrize(
    ("pool", "words"),
    [
        ({**WARM, "spot": True}, "AWS refuses a warm pool of spot machines"),
        ({**WARM, "instance_types": ["c7i.large", "c7i.xlarge"]}, "a warm pool with a choice of types"),
        ({**WARM, "release_disk_gb": 40}, "keep the release on their own disks"),
    ],
)
def test_a_warm_pool_is_refused_in_words_where_it_cannot_be(
    tmp_path: Path, moto: Cloud, pool: dict[str, Any], words: str
) -> None:
    variables = _workers(tmp_path, pools={"cpu": pool}, subnet_zones=[f"{REGION}a"])
    terraform = _module(tmp_path, "workers", variables, moto.environment)
    refused = terraform.run("plan", "-input=false", check=False)
    assert refused.returncode != 0
    assert words in " ".join(refused.stderr.replace("│", " ").split())


def _user_data(applied: dict[str, dict[str, Any]], pool: str, folder: Path) -> Path:
    script = folder / "node.sh"
    script.write_bytes(gzip.decompress(_packed(applied, pool)))
    return script


def _packed(applied: dict[str, dict[str, Any]], pool: str) -> bytes:
    """Return what AWS is sent, and cloud-init unpacks."""
    return base64.b64decode(applied[f'aws_launch_template.pool["{pool}"]']["user_data"])


@pytest.mark.needs("terraform", "bash")
@pytest.mark.parametrize("pool", ["default", "cpu", "kept"])
def test_the_user_data_parses_and_fits(applied: Any, tmp_path: Path, pool: str) -> None:
    script = _user_data(applied, pool, tmp_path)
    assert len(_packed(applied, pool)) < 16_384 - 1_500  # AWS's limit, less long names and many pools
    assert (
        "# shellcheck" in script.read_text() and "# A machine that cannot be set up" not in script.read_text()
    )
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text()
    assert "ledger-url" in text and "postgresql" not in text  # the password is fetched, never written here
    assert "\nexport TMPDIR=/var/tmp\n" in text and "\nTMPDIR='$TMPDIR'\n" in text  # /tmp is memory there
    if shellcheck := shutil.which("shellcheck"):
        subprocess.run([shellcheck, script], check=True)
    compile(_heredoc(text, "/usr/local/lib/bedside-work.py"), "bedside-work.py", "exec")
    program = "/usr/local/lib/bedside-disk.py"
    assert (f"cat > {program}" in text) is (pool == "kept")
    if pool == "kept":
        compile(_heredoc(text, program), "bedside-disk.py", "exec")


@pytest.mark.needs("terraform", "bash")
@pytest.mark.parametrize(("sent_after", "ends"), [(2, "installed"), (99, "")])
def test_a_machine_waits_for_software_that_is_still_being_sent(
    applied: Any, tmp_path: Path, sent_after: int, ends: str
) -> None:
    script = _user_data(applied, "default", tmp_path).read_text()
    fetch = re.search(r"^  tries=0\n  until aws s3 cp.*?^  done\n", script, flags=re.MULTILINE | re.DOTALL)
    assert fetch is not None
    told = tmp_path / "tries"
    programs = f"""
        aws() {{ echo try >> {told}; (($(wc -l < {told}) > {sent_after})); }}
        sleep() {{ :; }}
        work=w bucket=b archive_key=k
    """
    text = f"set -euo pipefail\n{programs}\n{fetch[0]}echo installed\n"
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == ends
    assert len(told.read_text().splitlines()) == min(sent_after + 1, 40)


@pytest.mark.needs("terraform", "bash")
@pytest.mark.parametrize("sent", [True, False])
def test_a_machine_trusts_the_authorities_that_were_sent_with_its_software(
    applied: Any, tmp_path: Path, sent: bool
) -> None:
    script = _user_data(applied, "default", tmp_path).read_text()
    found = re.search(r"^trusted=''\nif .*?^fi\n", script, flags=re.MULTILINE | re.DOTALL)
    told = re.search(r"^\[\[ -z \$trusted.*$", script, flags=re.MULTILINE)
    assert found is not None and told is not None
    if sent:
        (tmp_path / "ledger-ca.pem").write_text("an authority")
    text = f"set -euo pipefail\nplace={tmp_path}\n{found[0]}{told[0]}\n".replace(
        "/etc/bedside", f"{tmp_path}/etc"
    )
    (tmp_path / "etc").mkdir()
    subprocess.run(["bash", "-c", text], check=True)
    variables = tmp_path / "etc" / "environment"
    assert variables.exists() is sent
    if sent:
        file = tmp_path / "etc" / "ledger-ca.pem"
        assert (file.read_text(), variables.read_text()) == ("an authority", f"PGSSLROOTCERT='{file}'\n")


class Fresh:
    """A machine's set-up as far as its user, in a folder that stands for its root; `kept` is the disk."""

    def __init__(self, script: str, folder: Path) -> None:
        self.folder = folder
        self.kept = folder / "var/lib/bedside-disk"
        self.calls = folder / "calls"
        self.programs = folder / "programs"
        self.programs.mkdir()
        part = script[script.index("kept=''\n") : script.index("install --owner bedside")]
        part = re.sub(
            r"cat > /usr/local/lib/bedside-disk.py.*?^END\n", "", part, flags=re.DOTALL | re.MULTILINE
        )
        self.part = re.sub(r"(?<![\w./}$])/(etc|opt|var|usr)/", rf"{folder}/\1/", part)
        wheel = "(mkdir w; touch w/b.whl w/bedside.toml; tar cf - w)"
        for name, body in {
            "dnf": 'for w; do [[ $w != *cachedir=* ]] || { mkdir -p "${w##*=}/a/packages"; '
            'touch "${w##*=}/a/packages/p.rpm"; }; done',
            "rpm": "exit 0",
            "python3": "exit 0",
            "python3.11": 'mkdir -p "$3/bin"; ln -sf /bin/true "$3/bin/pip"',
            "useradd": "exit 0",
            "aws": f"[[ $2 == head-object ]] && echo '\"tag-1\"' || "
            f'(cd {folder} && rm -rf w && {wheel} > "${{@: -1}}")',
            "install": 'a=(); while (($#)); do [[ $1 == --owner || $1 == --group ]] && shift || a+=("$1"); '
            'shift; done; exec /usr/bin/install "${a[@]}"',
        }.items():
            self.program(name, body)

    def program(self, name: str, body: str) -> None:
        """Put a stand-in before a program."""
        (self.programs / name).write_text(f'#!/bin/bash\necho "{name} $*" >> {self.calls}\n{body}\n')
        (self.programs / name).chmod(0o755)

    def starts(self, *, key: str = "software/" + "a" * 64 + ".tar", image: str = "ami-1") -> list[str]:
        """Set up a new machine, with the disk as the last one left it; return the programs it called."""
        for place in ("etc", "opt", "usr", "var/lib/bedside"):
            shutil.rmtree(self.folder / place, ignore_errors=True)
        for place in ("etc/bedside", "opt", "usr/local/lib", "usr/bin", "var/lib/bedside"):
            (self.folder / place).mkdir(parents=True, exist_ok=True)
        (self.folder / "usr/bin/python3").symlink_to(self.programs / "python3")
        self.kept.mkdir(exist_ok=True)
        self.calls.write_text("")
        text = (
            f"set -euo pipefail\nregion=r bucket=b archive_key={key} log_group=g\n"
            f"metadata() {{ echo {image}; }}\nsleep() {{ :; }}\n{self.part}\n"
            f"test -e {self.folder}/opt/bedside/bin/pip"
        )
        path = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", text], env={"PATH": path}, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return self.calls.read_text().splitlines()

    def fetched(self, **changes: str) -> tuple[bool, bool]:
        """Set up a new machine; return whether it asked the mirror, and the bucket."""
        calls = self.starts(**changes)
        return any(c.startswith("dnf") for c in calls), any(c.startswith("aws s3 cp") for c in calls)


@pytest.mark.needs("terraform", "bash")
class TestStartWithAReleaseDisk:
    @pytest.fixture
    def fresh(self, applied: Any, tmp_path: Path) -> Fresh:
        """Return a machine of the pool that keeps its releases."""
        (tmp_path / "root").mkdir()
        return Fresh(_user_data(applied, "kept", tmp_path).read_text(), tmp_path / "root")

    def test_what_the_first_machine_fetched_the_next_finds(self, fresh: Fresh) -> None:
        assert fresh.fetched() == (True, True)
        (fresh.kept / "releases" / "maps").touch()
        assert fresh.fetched() == (False, False)
        assert any(call.startswith("rpm --upgrade --replacepkgs") for call in fresh.starts())
        assert (fresh.folder / "var/lib/bedside/releases/maps").exists()
        assert not (fresh.folder / "var/lib/bedside/.work").is_symlink(), "studies lie elsewhere"

    def test_another_version_or_image_is_installed_anew_and_takes_the_olds_place(self, fresh: Fresh) -> None:
        fresh.starts()
        other = "software/" + "b" * 64 + ".tar"
        assert fresh.fetched(key=other) == (False, True)
        assert [place.name for place in (fresh.kept / "software").iterdir()] == ["b" * 64]
        assert fresh.fetched(key=other, image="ami-2") == (True, False)
        assert [place.name for place in (fresh.kept / "packages").iterdir()] == ["ami-2"]

    def test_an_archive_without_its_content_in_its_name_is_known_by_its_tag(self, fresh: Fresh) -> None:
        assert fresh.fetched(key="mine.tar") == (True, True)
        assert fresh.fetched(key="mine.tar") == (False, False)
        fresh.program("aws", (fresh.programs / "aws").read_text().replace("tag-1", "tag-2"))
        assert fresh.fetched(key="mine.tar") == (False, True)

    def test_what_was_broken_off_is_begun_again(self, fresh: Fresh) -> None:
        fresh.starts()
        (next((fresh.kept / "software").iterdir()) / "whole").unlink()
        (fresh.kept / "packages/ami-1/first/whole").unlink()
        assert fresh.fetched() == (True, True)

    def test_packages_that_cannot_be_installed_are_fetched(self, fresh: Fresh) -> None:
        fresh.starts()
        fresh.program("rpm", "exit 1")
        assert fresh.fetched() == (True, False)

    def test_without_the_disk_everything_is_the_machines_own(self, fresh: Fresh) -> None:
        fresh.program("python3", "exit 1")
        assert fresh.fetched() == (True, True)
        assert not list(fresh.kept.iterdir())
        assert not (fresh.folder / "opt/bedside").is_symlink()


@pytest.mark.needs("terraform", "bash")
def test_an_alarm_tells_of_machines_that_start_and_cannot_be_set_up(applied: Any, tmp_path: Path) -> None:
    script = _user_data(applied, "cpu", tmp_path).read_text()
    give_up = re.search(r"^give_up\(\) \{.*?^\}\n", script, flags=re.MULTILINE | re.DOTALL)
    assert give_up is not None
    programs = "aws() { echo aws $*; }; sleep() { :; }; metadata() { echo i-1; }; shutdown() { echo off; }\n"
    programs += "bring_logs() { echo logs; }"
    done = subprocess.run(
        ["bash", "-c", f"{programs}\n{give_up[0]}give_up 7"], capture_output=True, text=True, check=True
    )
    said, logs, counted, gone = done.stdout.splitlines()
    assert "line 7" in said and logs == "logs" and "terminate-instance" in gone
    alarm = applied['aws_cloudwatch_metric_alarm.set_up["cpu"]']
    assert f"--namespace {alarm['namespace']} --metric-name {alarm['metric_name']} " in counted
    named = ",".join(f"{name}={value}" for name, value in sorted(alarm["dimensions"].items()))
    assert counted.endswith(f"--dimensions {named}")
    assert (alarm["alarm_actions"], alarm["treat_missing_data"]) == ([TOPIC], "notBreaching")


@pytest.mark.needs("terraform")
def test_only_machines_of_the_events_pool_take_in_and_each_listens_to_its_queue(
    applied: Any, tmp_path: Path
) -> None:
    for pool, takes in (("default", True), ("cpu", False)):
        text = _user_data(applied, pool, tmp_path).read_text()
        given = dict(re.findall(r"^(BEDSIDE_\w+)='(.*)'$", text, flags=re.MULTILINE))
        settings = load(None, environment=given, flags={}).settings
        who = settings.identity
        assert (who.issuer, who.clients) == ("https://cognito.example/pool", ("client",))
        assert takes_in(settings) is takes
        assert listened(settings) == [f"https://sqs.example/clinic-{pool}"]
        assert set(settings.queue.pools) == {"default", "cpu", "kept"}


@pytest.mark.needs("terraform")
def test_a_machines_metrics_and_notices_reach_aws(applied: Any, tmp_path: Path) -> None:
    text = _user_data(applied, "default", tmp_path).read_text()
    pairs = re.findall(r"^(BEDSIDE_(?:METRICS|NOTIFY)_\w+)='(.*)'$", text, flags=re.MULTILINE)
    settings = load(None, environment=dict(pairs), flags={}).settings
    assert settings.metrics == MetricsSettings(
        sink="emf", file="/var/log/bedside/metrics.log", deployment="clinic"
    )
    assert settings.notify == NotifySettings(topic_arn=TOPIC)
    # The agent brings that file's lines to the pool's own log group, which the role may write to.
    agent = json.loads(re.search(r"^\{\"logs\".*?^\]\}\}\}\}$", text, flags=re.MULTILINE | re.DOTALL)[0])
    followed = {each["file_path"]: each for each in agent["logs"]["logs_collected"]["files"]["collect_list"]}
    assert followed[settings.metrics.file]["log_group_name"] == "$log_group"
    assert len({each["log_stream_name"] for each in followed.values()}) == len(followed)
    # Nothing that a service of this machine says stays on it.
    assert set(re.findall(r"=append:(\S+)", text)) <= set(followed)
    assert f"install --owner bedside --group bedside --mode 0640 /dev/null {settings.metrics.file}" in text
    policy = json.loads(applied['aws_iam_role_policy.worker["default"]']["policy"])
    (notices,) = [each for each in policy["Statement"] if "sns:Publish" in each["Action"]]
    assert (notices["Action"], notices["Resource"]) == ("sns:Publish", TOPIC)


def _heredoc(script: str, target: str) -> str:
    return script.split(f"cat > {target} <<'END'\n", 1)[1].split("\nEND\n", 1)[0]


def work_of(work: str) -> str:
    """Return what the counter's stand-in does when it is asked; ``dies`` is one that cannot count."""
    return "exit 1" if work == "dies" else f"echo {work}"


class Machine:
    """The script that follows the group, with every program it calls replaced by one that writes it down."""

    def __init__(
        self,
        script: str,
        folder: Path,
        *,
        states: list[str],
        work: str = "1",
        spot: str = "",
        most: str = "1",
        hooks_to_come: int = 0,
        step_s: int = 100,
    ) -> None:
        self.calls = folder / "calls"
        programs = folder / "programs"
        programs.mkdir()
        (folder / "states").write_text("\n".join(states) + "\n")
        (folder / "environment").write_text("")
        (folder / "ledger").write_text("")
        (folder / "machine").write_text(_heredoc(script, "/etc/bedside/machine"))
        for name, body in {
            "aws": f"""echo "aws $2 $*" >> {self.calls}
                case "$*" in
                  *describe-auto-scaling-groups*) echo {most} ;;
                  *ssm*) echo postgresql://new ;;
                  *complete-lifecycle-action*)
                    (($(grep --count complete-lifecycle {self.calls}) > {hooks_to_come})) ;;
                esac""",
            "sleep": ":",
            "disk": f'echo "disk $2" >> {self.calls}',
            "systemctl": f'echo "systemctl $*" >> {self.calls}',
            "iptables": f'[[ $1 == --check ]] && exit 1; echo "iptables $*" >> {self.calls}',
            "python": f"echo begun >> {folder}/counters; while read -r _; do {work_of(work)}; done",
            # The last state stays; after it the test's machine is switched off.
            "curl": f"""case "$*" in
              *api/token*) echo token ;;
              *instance-id*) echo i-1 ;;
              *spot/instance-action*) [[ -n "{spot}" ]] || exit 22 ;;
              *target-lifecycle-state*) head -n 1 {folder}/states; sed -i 1d {folder}/states ;;
            esac""",
        }.items():
            program = programs / name
            program.write_text(f"#!/bin/bash\n{body}\n")
            program.chmod(0o755)
        if "bedside-disk.py <<" in script:
            (folder / "disk").touch()
        agent = _heredoc(script, "/usr/local/sbin/bedside-machine")
        for real, ours in {
            "/etc/bedside/machine": f"{folder}/machine",
            "/etc/bedside/environment": f"{folder}/environment",
            "/opt/bedside/bin/python": f"{programs}/python",
            "/usr/bin/python3": f"{programs}/disk",
            "disk=/usr/local/lib/bedside-disk.py": f"disk={folder}/disk",
            "/etc/bedside/ledger": f"{folder}/ledger",
            '  sleep "$pause"\n': f"  SECONDS=$((SECONDS + {step_s})); [[ -s {folder}/states ]] || exit 0\n",
        }.items():
            assert real in agent
            agent = agent.replace(real, ours)
        self.agent = folder / "agent.sh"
        self.agent.write_text(agent)
        self.path = f"{programs}{os.pathsep}{os.environ['PATH']}"

    def run(self) -> list[str]:
        """Run it to its end and return what it called."""
        subprocess.run(["bash", self.agent], env={"PATH": self.path}, check=True, timeout=60)
        return self.calls.read_text().splitlines()


def _index(calls: list[str], words: str) -> int:
    return next(place for place, call in enumerate(calls) if words in call)


@pytest.mark.needs("terraform", "bash")
class TestMachine:
    def test_a_machine_in_service_works_and_shuts_containers_out_of_the_credentials(
        self, applied: Any, tmp_path: Path
    ) -> None:
        script = _user_data(applied, "default", tmp_path).read_text()
        calls = Machine(script, tmp_path, states=["InService"] * 3).run()
        assert sum("start --no-block bedside-worker" in call for call in calls) == 1
        assert any("DOCKER-USER --destination 169.254.169.254 --jump DROP" in call for call in calls)

    def test_a_machine_of_a_warm_pool_is_set_up_and_takes_no_job(self, applied: Any, tmp_path: Path) -> None:
        script = _user_data(applied, "cpu", tmp_path).read_text()
        calls = Machine(script, tmp_path, states=["Warmed:Stopped"] * 2).run()
        assert any("complete-lifecycle-action" in call and "set-up" in call for call in calls)
        assert not any("start" in call for call in calls if call.startswith("systemctl"))

    def test_a_machine_that_must_go_drains_before_it_says_so(self, applied: Any, tmp_path: Path) -> None:
        script = _user_data(applied, "default", tmp_path).read_text()
        calls = Machine(script, tmp_path, states=["InService", "Terminated"]).run()
        assert _index(calls, "systemctl stop bedside-worker") < _index(calls, "complete-lifecycle-action")
        assert "--lifecycle-hook-name drain" in calls[_index(calls, "complete-lifecycle-action")]

    def test_a_spot_machine_stops_its_worker_when_aws_takes_it_back(
        self, applied: Any, tmp_path: Path
    ) -> None:
        script = _user_data(applied, "default", tmp_path).read_text()
        calls = Machine(script, tmp_path, states=["InService"], spot="yes").run()
        assert any("systemctl stop bedside-worker" in call for call in calls)

    def test_an_idle_machine_leaves_its_group_after_its_worker_stopped(
        self, applied: Any, tmp_path: Path
    ) -> None:
        script = _user_data(applied, "default", tmp_path).read_text()
        calls = Machine(script, tmp_path, states=["InService"] * 6, work="0").run()
        assert _index(calls, "systemctl stop bedside-worker") < _index(calls, "terminate-instance-in-auto")
        assert sum("terminate-instance-in-auto" in call for call in calls) == 1
        assert "--should-decrement-desired-capacity" in calls[_index(calls, "terminate-instance-in-auto")]
        assert not any(call.startswith("disk") for call in calls)

    def test_one_that_left_ends_itself_as_soon_as_the_group_lets_it(
        self, applied: Any, tmp_path: Path
    ) -> None:
        script = _user_data(applied, "kept", tmp_path).read_text()
        calls = Machine(script, tmp_path, states=["InService"] * 2, work="0", hooks_to_come=3).run()
        gone = calls[_index(calls, "terminate-instance-in-auto") :]
        assert gone[1] == "disk leave"  # while the group makes up its mind
        assert sum("complete-lifecycle-action" in call for call in gone) == 4
        assert "ec2 terminate-instances --instance-ids i-1" in gone[6]

    @pytest.mark.parametrize("work", ["1", ""])
    def test_a_release_disk_stays_while_there_is_work(self, applied: Any, tmp_path: Path, work: str) -> None:
        script = _user_data(applied, "kept", tmp_path).read_text()
        calls = Machine(script, tmp_path, states=["InService"] * 4, work=work).run()
        assert not any(call.startswith("disk") for call in calls)

    @pytest.mark.parametrize(("states", "spot"), [(["Terminated"], ""), (["InService"], "yes")])
    def test_it_is_let_go_by_a_machine_that_must_go(
        self, applied: Any, tmp_path: Path, states: list[str], spot: str
    ) -> None:
        script = _user_data(applied, "kept", tmp_path).read_text()
        calls = Machine(script, tmp_path, states=states, spot=spot).run()
        assert calls[_index(calls, "systemctl stop bedside-worker") + 1] == "disk leave"

    @pytest.mark.parametrize(("work", "leaves"), [("0", False), ("$((n++ == 0))", True)])
    def test_one_that_had_no_work_yet_waits_for_the_command_it_may_have_been_woken_for(
        self, applied: Any, tmp_path: Path, work: str, leaves: bool
    ) -> None:
        script = _user_data(applied, "kept", tmp_path).read_text()
        machine = Machine(script, tmp_path, states=["InService"] * 4, work=work, step_s=20)
        assert any("terminate-instance" in call for call in machine.run()) is leaves

    def test_who_counts_stays_loaded_and_is_begun_anew_when_it_failed(
        self, applied: Any, tmp_path: Path
    ) -> None:
        script = _user_data(applied, "default", tmp_path).read_text()
        for work, begun in (("1", 1), ("dies", 5)):
            folder = tmp_path / work
            folder.mkdir()
            Machine(script, folder, states=["InService"] * 6, work=work).run()
            assert len((folder / "counters").read_text().splitlines()) == begun

    @pytest.mark.parametrize("work", ["1", "", "dies"], ids=["work", "unknown", "dies"])
    @pytest.mark.parametrize("pool", ["default", "cpu"])
    def test_a_machine_with_work_or_that_cannot_know_stays(
        self, applied: Any, tmp_path: Path, work: str, pool: str
    ) -> None:
        script = _user_data(applied, pool, tmp_path).read_text()
        calls = Machine(script, tmp_path, states=["InService"] * 8, work=work).run()
        assert not any("terminate" in c or "stop" in c or "execute-policy" in c for c in calls)

    def test_a_machine_of_a_warm_pool_is_protected_while_it_works(self, applied: Any, tmp_path: Path) -> None:
        script = _user_data(applied, "cpu", tmp_path).read_text()
        calls = Machine(script, tmp_path, states=["InService"] * 4).run()
        assert sum("--protected-from-scale-in" in call for call in calls) == 1
        assert not any("--no-protected-from-scale-in" in call for call in calls)
        assert (tmp_path / "ledger").read_text() == "BEDSIDE_LEDGER_URL='postgresql://new'\n"

    def test_it_leaves_by_one_fewer_when_its_worker_stopped_and_it_is_not_protected(
        self, applied: Any, tmp_path: Path
    ) -> None:
        script = _user_data(applied, "cpu", tmp_path).read_text()
        states = ["InService", "InService", "Warmed:Stopped", "Warmed:Stopped"]
        calls = Machine(script, tmp_path, states=states, work="0").run()
        leaving = _index(calls, "execute-policy")
        assert "--policy-name leave --no-honor-cooldown" in calls[leaving]
        assert _index(calls, "systemctl stop bedside-worker") < leaving
        assert _index(calls, "--no-protected-from-scale-in") < leaving
        assert not any("terminate-instance" in call for call in calls)
        drained = [call for call in calls if "complete-lifecycle-action" in call and "drain" in call]
        assert len(drained) == 1  # back in the pool it is asked to drain once, and stopped then
        assert calls.index(drained[0]) > leaving

    def test_one_that_the_night_sends_back_drains_first(self, applied: Any, tmp_path: Path) -> None:
        script = _user_data(applied, "cpu", tmp_path).read_text()
        calls = Machine(script, tmp_path, states=["InService", "Warmed:Stopped"]).run()
        stopped = _index(calls, "systemctl stop bedside-worker")
        assert "drain" in calls[stopped + 1] and "complete-lifecycle-action" in calls[stopped + 1]

    def test_one_that_nobody_took_works_on(self, applied: Any, tmp_path: Path) -> None:
        script = _user_data(applied, "cpu", tmp_path).read_text()
        calls = Machine(script, tmp_path, states=["InService"] * 5, work="0").run()
        leaving = _index(calls, "execute-policy")
        again = calls[leaving + 1 :]
        assert _index(again, "start --no-block bedside-worker") < _index(again, "--protected-from-scale-in")

    def test_the_night_finds_no_machine_protected(self, applied: Any, tmp_path: Path) -> None:
        script = _user_data(applied, "cpu", tmp_path).read_text()
        calls = Machine(script, tmp_path, states=["InService"] * 3, most="0").run()
        assert any("--no-protected-from-scale-in" in call for call in calls)
        assert not any("execute-policy" in call for call in calls)  # it drains when the group says so


@pytest.mark.needs("terraform", "bash")
@pytest.mark.parametrize(
    ("machine", "life", "said"),
    [
        (
            "g4dn.xlarge",
            "spot",
            ["BEDSIDE_MACHINE_PRICE_USD_PER_H='0.21'", "BEDSIDE_MACHINE_TYPE='g4dn.xlarge spot'"],
        ),
        ("g5.xlarge", "on-demand", ["BEDSIDE_MACHINE_TYPE='g5.xlarge'"]),
    ],
)
def test_a_machine_knows_its_kind_and_price(
    applied: Any, tmp_path: Path, machine: str, life: str, said: list[str]
) -> None:
    text = _user_data(applied, "default", tmp_path).read_text()
    part = text[text.index("kind=$(metadata instance-type)") : text.index("cat > /etc/bedside/machine")]
    answers = f"metadata() {{ case $1 in instance-type) echo {machine} ;; *) echo {life} ;; esac; }}\n"
    environment = tmp_path / "environment"
    script = "set -euo pipefail\n" + answers + part.replace("/etc/bedside/environment", str(environment))
    subprocess.run(["bash", "-c", script], check=True)
    assert environment.read_text().splitlines() == said


def test_work_is_counted_in_queue_and_ledger_and_published(cloud: Cloud, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    queue = cloud.client("sqs").create_queue(QueueName="work-counted")["QueueUrl"]
    configuration = tmp_path / "bedside.toml"
    configuration.write_text(
        f'[system]\ntenants = ["ward"]\n[ledger]\nurl = "{url}"\n'
        f'[queue]\nurl = "{queue}-of-another-pool"\npools = {{ default = "{queue}" }}\n'
    )
    ledger = SqlLedger(url)
    ledger.prepare()

    counters: dict[tuple[tuple[str, str], ...], subprocess.Popen[str]] = {}

    def count(**variables: str) -> int:
        script = MODULES / "modules" / "workers" / "work.py"
        key = tuple(sorted(variables.items()))
        if key not in counters:
            counters[key] = subprocess.Popen(
                [sys.executable, script, "counted", "default", configuration],
                env={**os.environ, **cloud.environment, **variables},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        asks, answers = counters[key].stdin, counters[key].stdout
        assert asks is not None and answers is not None
        asks.write("\n")
        asks.flush()
        return int(answers.readline())

    assert count() == 0
    cloud.client("sqs").send_message(QueueUrl=queue, MessageBody="{}", DelaySeconds=900)
    assert count() == 1
    arrival = ledger.add_arrival(make_arrival(tenant="ward"))
    ledger.enqueue(make_job(arrival, make_pipeline(pools=("default",))))
    assert count() == 2
    ledger.lease(pools=("default",), worker=f"{socket.gethostname()}-1-a", now=T0, lease_s=60)
    assert count() == 2  # it runs here now
    cloud.client("sqs").send_message(QueueUrl=queue, MessageBody="{}")
    assert count() == 3
    cloud.client("sqs").receive_message(QueueUrl=queue, VisibilityTimeout=600)
    assert count() == 2  # the hint of that job, in somebody's hands
    cloud.client("sqs").send_message(QueueUrl=queue, MessageBody="{}")
    (came,) = cloud.client("sqs").receive_message(QueueUrl=queue, VisibilityTimeout=600)["Messages"]
    assert count() == 3  # and something that arrives
    cloud.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=came["ReceiptHandle"])
    job = make_job(arrival, make_pipeline(pools=("default",)))
    waits = first_export("ward", job.id, job.prefix, datetime.now(UTC))
    assert ledger.put_export(waits)
    assert count(BEDSIDE_ARCHIVE_DATASTORE="d" * 32) == 3
    assert count() == 2  # nobody would ever archive it
    later = waiting(waits, "out of reach", T0, datetime.now(UTC) + timedelta(hours=1), counts=True)
    assert ledger.put_export(later)
    assert count(BEDSIDE_ARCHIVE_DATASTORE="d" * 32) == 2  # the archive is out of reach
    [metric] = cloud.client("cloudwatch").list_metrics(
        Namespace="bedside", Dimensions=[{"Name": "Deployment", "Value": "counted"}]
    )["Metrics"][:1]
    assert metric["MetricName"] == "QueuedJobs"
    ledger.close()
    for counter in counters.values():
        counter.communicate(timeout=20)
        assert counter.returncode == 0


@pytest.mark.needs("terraform")
def test_what_is_watched_applies_and_plans_nothing_more(tmp_path: Path, moto: Cloud) -> None:
    variables = {
        "name": "watched",
        "pools": ["default"],
        "permitted_wait_s": {"default": 900},
        "night": True,
        "group_names": {"default": "watched-default"},
        "queue_names": {"default": "watched-events"},
        "dead_letter_names": ["watched-dead"],
        "alarm_email": "ward@example.org",
        "log_days": 30,
    }
    terraform = _module(tmp_path, "observability", variables, moto.environment)
    terraform.run("apply", "-input=false", "-auto-approve")
    assert terraform.run("plan", "-input=false", "-detailed-exitcode", check=False).returncode == 0
    alarms = moto.client("cloudwatch").describe_alarms(AlarmNamePrefix="watched-")["MetricAlarms"]
    resources = _resources(terraform)
    topic = resources["aws_sns_topic.alarms"]["arn"]
    assert {alarm["AlarmName"] for alarm in alarms} == {
        "watched-dead-letters",
        "watched-default-oldest",
        "watched-default-nobody-works",
        "watched-default-many-dead",
        "watched-notices-lost",
    }
    assert all(alarm["AlarmActions"] == [topic] for alarm in alarms)
    assert moto.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    _rings_when_it_should(alarms)
    assert _shown(resources) == set(Metric)  # each name in code is on the dashboard, and no other
    for line in [*_graphs(resources), *_alarmed(alarms)]:
        assert line.name in set(Metric)
        pooled = {"Deployment": "watched", "Pool": "default"}
        assert line.dimensions in (pooled, {"Deployment": "watched"})
        # Under exactly these dimensions it comes from workers, or from each machine.
        elsewhere = {Metric.QUEUED_JOBS: {("Deployment", "Pool")}, Metric.NOTICES_LOST: {("Deployment",)}}
        known = {frozenset(names) for names in (dimensions() | elsewhere)[line.name]}
        assert frozenset(line.dimensions) in known  # their order is nobody's promise
    # Held to the rule in both, EventBridge could make no stream, and nothing would ever be written.
    policies = moto.client("logs").describe_resource_policies()["resourcePolicies"]
    (policy,) = [one for one in policies if one["policyName"] == "watched-machines"]  # others may have some
    streams, lines = json.loads(policy["policyDocument"])["Statement"]
    assert (streams["Action"], streams.get("Condition")) == ("logs:CreateLogStream", None)
    assert (lines["Action"], list(lines["Condition"])) == ("logs:PutLogEvents", ["ArnEquals"])
    terraform.run("destroy", "-input=false", "-auto-approve")
    assert not moto.client("cloudwatch").describe_alarms(AlarmNamePrefix="watched-")["MetricAlarms"]


def _rings_when_it_should(alarms: list[dict[str, Any]]) -> None:
    """Follow two alarms of a pool whose work may wait 900 s, and that sleeps, through some days."""
    named = {alarm["AlarmName"].removeprefix("watched-default-"): alarm for alarm in alarms}

    def rings(name: str, *spans: dict[str, int]) -> int | None:
        """Return after how many periods of five minutes it rings; each span says its `for`."""
        return _rung(named[name], [span for span in spans for _ in range(span["periods"])])

    waits = {"waiting": 3, "serving": 0, "most": 1}
    assert rings("nobody-works", {**waits, "periods": 100}) == 9 + 3, "45 minutes, and what it may wait"
    assert rings("nobody-works", {**waits, "periods": 11}, {**waits, "serving": 1, "periods": 50}) is None
    night = {**waits, "most": 0, "periods": 120}
    assert rings("nobody-works", night) is None
    assert rings("nobody-works", night, {**waits, "periods": 100}) == 120 + 12
    assert rings("oldest", {"age": 4600, "most": 1, "periods": 100}) == 12
    assert rings("oldest", {"age": 4400, "most": 1, "periods": 100}) is None, "an hour, and what it may wait"
    asleep = {"age": 36_000, "most": 0, "periods": 120}
    assert rings("oldest", asleep) is None
    assert (
        rings("oldest", asleep, {"age": 40_000, "most": 1, "periods": 11}, {"age": 60, "periods": 9}) is None
    )
    assert rings("oldest", asleep, {"age": 40_000, "most": 1, "periods": 20}) == 120 + 12


def _rung(alarm: dict[str, Any], periods: list[dict[str, int]]) -> int | None:
    """Return the period at which an alarm on metric maths rings; words mean what CloudWatch's guide says."""
    (asked,) = [query for query in alarm["Metrics"] if query.get("ReturnData")]
    named = {query["Id"] for query in alarm["Metrics"] if "MetricStat" in query}
    assert all(query["MetricStat"]["Period"] == 300 for query in alarm["Metrics"] if "MetricStat" in query)
    words = {
        "IF": lambda condition, then, otherwise: then if condition else otherwise,
        "FILL": lambda value, filling: filling if value is None else value,
        "__builtins__": {},
    }
    breaches = 0
    for number, period in enumerate(periods, 1):
        values = {name: period.get(name) for name in named}
        breaches = breaches + 1 if eval(asked["Expression"], words, values) > alarm["Threshold"] else 0
        if breaches == alarm["EvaluationPeriods"]:
            return number
    return None


@dataclass(frozen=True, kw_only=True)
class Watched:
    """One of bedside's own metrics, as a graph or an alarm names it."""

    name: str
    dimensions: dict[str, str]


def _graphs(resources: dict[str, dict[str, Any]]) -> list[Watched]:
    """Return what the dashboard shows of bedside's own metrics."""
    widgets = json.loads(resources["aws_cloudwatch_dashboard.this"]["dashboard_body"])["widgets"]
    found = []
    for widget in widgets:
        for namespace, name, *pairs, _ in widget["properties"].get("metrics", []):
            if namespace == "bedside":
                found.append(Watched(name=name, dimensions=dict(zip(pairs[::2], pairs[1::2], strict=True))))
    places = [(w["x"], w["y"]) for w in widgets]
    assert len(places) == len(set(places))
    return found


def _shown(resources: dict[str, dict[str, Any]]) -> set[str]:
    return {line.name for line in _graphs(resources)}


def _alarmed(alarms: list[dict[str, Any]]) -> list[Watched]:
    """Return what alarms look at of bedside's own metrics; there are some."""
    found = [
        Watched(name=alarm["MetricName"], dimensions={d["Name"]: d["Value"] for d in alarm["Dimensions"]})
        for alarm in alarms
        if alarm.get("Namespace") == "bedside"
    ]
    assert len(found) == 2
    return found


@pytest.mark.needs("terraform")
@pytest.mark.parametrize("name", ["workers", "observability"])
def test_each_module_is_formatted_and_valid_alone(tmp_path: Path, name: str) -> None:
    folder = copy_of_modules(tmp_path / "all") / "modules" / name
    terraform = Terraform(folder=folder, environment=environment(tmp_path, {"AWS_REGION": REGION}))
    terraform.run("fmt", "-check", "-recursive")
    terraform.run("init", "-input=false", "-backend=false")
    terraform.run("validate")
