"""What a tenant has on AWS: its part of the deployment's bucket or two buckets of its own, and its groups.

Owns names: ``DEPLOYMENT-t-DIGEST-input`` and ``-output``. The digest is of account, region, deployment and
tenant, because names of buckets are shared by all of AWS, and because a tenant's name is nobody's business
who sees a bucket's. Roles and the queue's policy know these buckets by that form (decision 120).
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from botocore import exceptions

from bedside.adapters.aws.asked import asked
from bedside.adapters.aws.clients import make_client
from bedside.adapters.aws.emptying import empty_bucket
from bedside.adapters.aws.errors import code_of
from bedside.adapters.aws.places import AREAS, Bucket
from bedside.adapters.aws.tenant_buckets import BucketWish, announce, make_bucket, remove_bucket
from bedside.domain.person import OF_A_TENANT, Post
from bedside.domain.tenant import Tenant, TenantBuckets
from bedside.errors import ConfigError, UsageError

_DIGEST = 12


class AwsResources:
    """Things of tenants in one account.

    Args:
        bucket: The deployment's.
        wish: Of tenants' own buckets; gets its account and region when first needed.
        queue_url: Queue that is told of what arrives; empty is none, and no bucket of its own then.
        pool: Region and id of the Cognito pool, or None.
        endpoint_url: Of an S3-compatible server that is not AWS.
    """

    def __init__(
        self,
        *,
        bucket: Bucket,
        wish: Callable[[str, str], BucketWish],
        queue_url: str = "",
        pool: tuple[str, str] | None = None,
        endpoint_url: str = "",
    ) -> None:
        self._bucket = bucket
        self._make_wish = wish
        self._queue_url = queue_url
        self._pool = pool
        self._endpoint_url = endpoint_url

    def buckets(self, name: str) -> TenantBuckets:
        """Return the names of the buckets that a tenant would have for itself; nothing is made."""
        if self._endpoint_url or not self._queue_url:
            raise UsageError(
                f"tenant {name}: buckets of its own need AWS's S3 and queue.url, whose queue they tell",
                hint="bedside config show",
            )
        wish = self._wish
        told = "/".join((wish.account, wish.region, wish.deployment, name))
        begin = f"{wish.deployment}-t-{hashlib.sha256(told.encode()).hexdigest()[:_DIGEST]}"
        return TenantBuckets(input=f"{begin}-input", output=f"{begin}-output")

    def make(self, tenant: Tenant) -> Sequence[str]:
        """Make what is missing of a tenant's things, and return all of them in words."""
        made = []
        if tenant.buckets:
            queue_arn = self._queue_arn()
            for name in (tenant.buckets.input, tenant.buckets.output):
                with asked("s3", f"making the bucket {name}"):
                    make_bucket(self._s3, name, tenant.name, self._wish)
                made.append(f"bucket {name}")
            with asked("s3", f"connecting the bucket {tenant.buckets.input} to the queue"):
                announce(self._s3, tenant.buckets.input, queue_arn)
            drop_box = Bucket(name=tenant.buckets.input)
        else:
            drop_box = self._bucket
        made.append(f"drop-box s3://{drop_box.name}/{drop_box.area('input', tenant.name)}")
        for post in self._posts(tenant):
            with asked("cognito-idp", f"making the group {post.group}"):
                self._make_group(post)
            made.append(f"group {post.group}")
        return made

    def named(self, tenant: Tenant) -> Sequence[str]:
        """Return in words what `remove` would remove besides objects; nothing is asked."""
        own = [tenant.buckets.input, tenant.buckets.output] if tenant.buckets else []
        return [*(f"bucket {name}" for name in own), *(f"group {post.group}" for post in self._posts(tenant))]

    def remove(self, tenant: Tenant) -> Sequence[str]:
        """Remove all objects of a tenant in every version, and its things; return in words what is gone."""
        gone = []
        for name in [tenant.buckets.input, tenant.buckets.output] if tenant.buckets else []:
            with asked("s3", f"removing the bucket {name}"):
                deleted = remove_bucket(self._s3, name, self._wish.account)
            gone.append(f"bucket {name} with {deleted} versions of objects")
        deleted = 0
        for area in AREAS:  # one that has buckets of its own may have begun without them
            with asked("s3", f"emptying the bucket {self._bucket.name} of a tenant"):
                deleted += empty_bucket(self._s3, self._bucket.name, self._bucket.area(area, tenant.name))
        gone.append(f"{deleted} versions of objects in {self._bucket}")
        for post in self._posts(tenant):
            with asked("cognito-idp", f"removing the group {post.group}"):
                self._remove_group(post)
            gone.append(f"group {post.group}")
        return gone

    def _posts(self, tenant: Tenant) -> list[Post]:
        return [Post(role=role, node=tenant.name) for role in OF_A_TENANT] if self._pool else []

    def _make_group(self, post: Post) -> None:
        assert self._pool
        try:
            self._cognito.create_group(
                UserPoolId=self._pool[1],
                GroupName=post.group,
                Description=f"bedside: {post.role} of a tenant",
            )
        except exceptions.ClientError as exc:
            if code_of(exc) == "ResourceNotFoundException":
                raise ConfigError(
                    f"identity.issuer: there is no Cognito pool {self._pool[1]} in {self._pool[0]}",
                    hint="bedside deploy status",
                ) from exc
            if code_of(exc) != "GroupExistsException":
                raise

    def _remove_group(self, post: Post) -> None:
        assert self._pool
        try:
            self._cognito.delete_group(UserPoolId=self._pool[1], GroupName=post.group)
        except exceptions.ClientError as exc:
            if code_of(exc) != "ResourceNotFoundException":
                raise

    def _queue_arn(self) -> str:
        with asked("sqs", "asking for the queue's ARN"):
            answer = make_client("sqs").get_queue_attributes(
                QueueUrl=self._queue_url, AttributeNames=["QueueArn"]
            )
        return str(answer["Attributes"]["QueueArn"])

    @cached_property
    def _wish(self) -> BucketWish:
        with asked("sts", "asking AWS whose credentials these are"):
            sts = make_client("sts")
            return self._make_wish(sts.get_caller_identity()["Account"], sts.meta.region_name)

    @cached_property
    def _s3(self) -> Any:
        return make_client("s3", endpoint_url=self._endpoint_url)

    @cached_property
    def _cognito(self) -> Any:
        assert self._pool
        return make_client("cognito-idp", region=self._pool[0])
