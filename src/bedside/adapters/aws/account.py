"""An AWS account in one region: `bedside.ports.cloud.Cloud` through boto3.

boto3 finds the credentials by its own rules (environment, profile, role of the machine), so that
whatever works for the ``aws`` command works here.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from botocore import exceptions

from bedside.adapters.aws import emptying, kinds, looking, presence, state_bucket
from bedside.adapters.aws.asked import asked
from bedside.adapters.aws.clients import limits, open_session
from bedside.adapters.aws.errors import code_of
from bedside.adapters.aws.medical_imaging import SERVICE, make_imaging_client
from bedside.adapters.aws.tenant_buckets import remove_bucket
from bedside.errors import ConfigError, NotFound
from bedside.ports import Blob
from bedside.ports.cloud import DEPLOYMENT_TAG, Alarm, Caller, Depth, Group, Pushed, Tagged

#: Service Quotas' codes of "running (on demand | spot) … instances" in vCPUs, by family of machine.
_QUOTAS = {
    "g": ("L-DB2E81BA", "L-3819A6DF"),
    "vt": ("L-DB2E81BA", "L-3819A6DF"),
    "p": ("L-417A185B", "L-7212CCBC"),
    "standard": ("L-1216C47A", "L-34B43A08"),
}
_FAMILY = re.compile(r"[a-z]+")
_STANDARD = frozenset("acdhimrtz")
_IMAGING = "/aws/service/global-infrastructure/services/medical-imaging/regions"


class AwsCloud:
    """One account in one region.

    Args:
        region: Its name; empty is that of the environment or profile.

    Raises:
        ConfigError: No region is named anywhere, or there is none of this name.
    """

    def __init__(self, region: str = "") -> None:
        with asked("sts", "reading the AWS profile"):
            self._session = open_session(region)
        if not self._session.region_name:
            raise ConfigError("no AWS region is set", hint="set deploy.region in bedside.toml, or AWS_REGION")
        self._region = str(self._session.region_name)
        partitions = self._session.get_available_partitions()
        known = [r for p in partitions for r in self._session.get_available_regions("ec2", p)]
        if self._region not in known:
            near = difflib.get_close_matches(self._region, known, n=1, cutoff=0.0)[0]
            raise ConfigError(
                f"no AWS region {self._region!r}: the nearest is {near}", hint=f"set deploy.region to {near}"
            )
        self._client = cache(self._make_client)

    @property
    def region(self) -> str:
        """The region that is spoken to."""
        return self._region

    def elsewhere(self, region: str) -> "AwsCloud":
        """Return the same account in another region."""
        return AwsCloud(region)

    def caller(self) -> Caller:
        """Return whose credentials are used."""
        return self._caller

    def regions(self) -> Sequence[str]:
        """Return the regions that this account may use, sorted."""
        with self._asking("ec2", "listing regions"):
            found = self._client("ec2").describe_regions(AllRegions=False)["Regions"]
        return sorted(region["RegionName"] for region in found)

    def vcpus(self, instance_types: Sequence[str]) -> Mapping[str, int]:
        """Return the vCPUs of those kinds of machine that the region has; others are left out."""
        with self._asking("ec2", "asking for kinds of machine"):
            return kinds.vcpus(self._client("ec2"), instance_types)

    def zones(self) -> Sequence[str]:
        """Return the region's zones that are open to everybody and at work, sorted: no local ones."""
        with self._asking("ec2", "listing zones"):
            return kinds.zones(self._client("ec2"))

    def zones_of(self, instance_type: str) -> Sequence[str]:
        """Return the zones that offer a kind of machine, sorted; none where the region lacks it."""
        with self._asking("ec2", "asking where a kind of machine is"):
            return kinds.zones_of(self._client("ec2"), instance_type)

    def quota_vcpus(self, instance_type: str, *, spot: bool) -> float | None:
        """Return how many vCPUs of a machine's family may run at a time; None where nobody says."""
        letters = _FAMILY.match(instance_type)
        family = letters[0] if letters else ""
        codes = _QUOTAS.get("standard" if family in _STANDARD else family)
        if codes is None:
            return None
        with self._asking("servicequotas", "asking for quotas"):
            try:
                answer = self._client("service-quotas").get_service_quota(
                    ServiceCode="ec2", QuotaCode=codes[spot]
                )
            except exceptions.ClientError as exc:
                if code_of(exc) == "NoSuchResourceException":
                    return None
                raise
        return float(answer["Quota"]["Value"])

    def has_imaging(self) -> bool:
        """Whether HealthImaging exists in the region."""
        with self._asking("ssm", "asking where HealthImaging is"):
            # AWS's own public list: botocore knows no regions of this service.
            pages = self._client("ssm").get_paginator("get_parameters_by_path").paginate(Path=_IMAGING)
            return any(item["Value"] == self._region for page in pages for item in page["Parameters"])

    def ensure_state_bucket(self, name: str) -> bool:
        """Make a private, versioned, encrypted bucket where there is none; return whether it was made."""
        with self._asking("s3", f"making the bucket {name}"):
            return state_bucket.ensure(self._client("s3"), name, self._region, self._caller.account)

    def remove_state(self, bucket: str, key: str) -> bool:
        """Remove a deployment's state with all versions, and the bucket when nothing else is in it."""
        with self._asking("s3", f"removing the state in {bucket}"):
            return state_bucket.remove(self._client("s3"), bucket, key)

    def tagged(self, deployment: str = "") -> Sequence[Tagged]:
        """Return what carries the tag in this region, of one deployment or of all, in order of ARN."""
        wanted = {"Key": DEPLOYMENT_TAG} | ({"Values": [deployment]} if deployment else {})
        with self._asking("tag", "looking for tagged resources"):
            pages = self._client("resourcegroupstaggingapi").get_paginator("get_resources")
            found = [
                Tagged(arn=item["ResourceARN"], deployment=_tag(item["Tags"]), region=self._region)
                for page in pages.paginate(TagFilters=[wanted])
                for item in page["ResourceTagMappingList"]
            ]
            there = [item for item in found if presence.present(self._client, item.arn) is not False]
        return sorted(there, key=lambda item: item.arn)

    def exists(self, arn: str) -> bool | None:
        """Whether a resource is still there; None where this kind of resource cannot be asked for."""
        with self._asking(arn.split(":")[2] if arn.count(":") > 1 else "", "asking what is left"):
            return presence.present(self._client, arn)

    def empty_bucket(self, name: str, prefix: str = "") -> int:
        """Delete every version below a prefix; return how many. A bucket that is gone is empty."""
        with self._asking("s3", f"emptying the bucket {name}"):
            return emptying.empty_bucket(self._client("s3"), name, prefix)

    def remove_bucket(self, name: str) -> int:
        """Remove a bucket with every version of every object; return how many. One that is gone had none."""
        with self._asking("s3", f"removing the bucket {name}"):
            return remove_bucket(self._client("s3"), name, self._caller.account)

    def empty_registry(self, name: str) -> int:
        """Delete every manifest of a repository; return how many. A repository that is gone is empty."""
        with self._asking("ecr", f"emptying the registry {name}"):
            return emptying.empty_registry(self._client("ecr"), name)

    def share_layers(self) -> bool:
        """Let the registry take layers over from one repository into another; return whether that is new."""
        name, on = "BLOB_MOUNTING", "ENABLED"
        ecr = self._client("ecr")
        with self._asking("ecr", "asking whether repositories share layers"):
            if ecr.get_account_setting(name=name)["value"] == on:
                return False
        with self._asking("ecr", "letting repositories share layers"):
            ecr.put_account_setting(name=name, value=on)
        return True

    def upload(self, bucket: str, key: str, source: Path) -> bool:
        """Write an object from a file unless there is one of this key; return whether it was written."""
        s3 = self._client("s3")
        with self._asking("s3", f"writing to the bucket {bucket}"):
            try:
                s3.head_object(Bucket=bucket, Key=key)
            except exceptions.ClientError as exc:
                # Who may not list the bucket is told 403 of what is not there; the write itself decides then.
                if code_of(exc) not in {"403", "404", "NoSuchKey"}:
                    raise
            else:
                return False
            try:
                with source.open("rb") as body:
                    s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*")
            except exceptions.ClientError as exc:
                if code_of(exc) == "PreconditionFailed":
                    return False
                raise
        return True

    def listed(self, bucket: str, prefix: str) -> Sequence[Blob]:
        """Return the objects whose keys begin so, in order of key."""
        with self._asking("s3", f"listing the bucket {bucket}"):
            return looking.listed(self._client("s3"), bucket, prefix)

    def count(self, bucket: str, most: int) -> int:
        """Count the objects of a bucket, no further than ``most``; one that is gone has none."""
        with self._asking("s3", f"listing the bucket {bucket}"):
            return looking.count(self._client("s3"), bucket, most)

    def read(self, bucket: str, key: str) -> bytes | None:
        """Return an object, or None where there is none."""
        with self._asking("s3", f"reading from the bucket {bucket}"):
            return looking.read(self._client("s3"), bucket, key)

    def write(self, bucket: str, key: str, data: bytes) -> None:
        """Write an object."""
        with self._asking("s3", f"writing to the bucket {bucket}"):
            self._client("s3").put_object(Bucket=bucket, Key=key, Body=data)

    def depth(self, queue_url: str) -> Depth:
        """Return how many messages are in a queue."""
        names = ("", "NotVisible", "Delayed")
        keys = [f"ApproximateNumberOfMessages{name}" for name in names]
        with self._asking("sqs", "asking a queue's depth"):
            try:
                answer = self._client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=keys)
            except exceptions.ClientError as exc:
                if code_of(exc) in presence.GONE:
                    raise NotFound(f"no queue {queue_url}", hint="bedside deploy apply") from exc
                raise
        visible, in_flight, delayed = (int(answer["Attributes"][key]) for key in keys)
        return Depth(visible=visible, in_flight=in_flight, delayed=delayed)

    def group(self, name: str) -> Group:
        """Return the size of a group of machines."""
        with self._asking("autoscaling", "asking a group's size"):
            found = self._client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        if not found["AutoScalingGroups"]:
            raise NotFound(f"no group of machines {name}", hint="bedside deploy apply")
        (group,) = found["AutoScalingGroups"]
        working = sum(machine["LifecycleState"] == "InService" for machine in group["Instances"])
        return Group(
            desired=group["DesiredCapacity"],
            in_service=working,
            max=group["MaxSize"],
            machines=len(group["Instances"]),
        )

    def rest_group(self, name: str) -> None:
        """Let a group have no machine any more; those that work are drained."""
        self.group(name)  # else AWS calls one that is missing a wrong request
        with self._asking("autoscaling", f"letting {name} have no machine"):
            self._client("autoscaling").update_auto_scaling_group(
                AutoScalingGroupName=name, MinSize=0, MaxSize=0, DesiredCapacity=0
            )

    def remove_logs(self, name: str) -> bool:
        """Remove a group of logs; return whether there was one."""
        with self._asking("logs", f"removing the logs {name}"):
            try:
                self._client("logs").delete_log_group(logGroupName=name)
            except exceptions.ClientError as exc:
                if code_of(exc) == "ResourceNotFoundException":
                    return False
                raise
        return True

    def alarms(self, deployment: str) -> Sequence[Alarm]:
        """Return a deployment's alarms in order of name."""
        with self._asking("cloudwatch", "asking for alarms"):
            return looking.alarms(self._client("cloudwatch"), deployment)

    def pushed(self, repository: str) -> Sequence[Pushed]:
        """Return what is in a registry, newest first."""
        with self._asking("ecr", f"listing the registry {repository}"):
            return looking.pushed(self._client("ecr"), repository)

    @cached_property
    def _caller(self) -> Caller:
        with asked("sts", "asking AWS whose credentials these are"):
            answer = self._client("sts").get_caller_identity()
        return Caller(account=answer["Account"], arn=answer["Arn"])

    @contextmanager
    def _asking(self, service: str, doing: str) -> Iterator[None]:
        # Asked first: without credentials each service words its refusal differently.
        with asked(service, doing, self._caller.arn):
            yield

    def _make_client(self, service: str) -> Any:
        if service == SERVICE:  # its hosts are its own
            return make_imaging_client(self._region)
        with asked(service, f"speaking to {service}"):
            return self._session.client(service, config=limits())


def _tag(tags: Sequence[Mapping[str, str]]) -> str:
    return next((tag["Value"] for tag in tags if tag["Key"] == DEPLOYMENT_TAG), "")
