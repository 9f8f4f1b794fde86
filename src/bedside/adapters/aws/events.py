"""What a message of the queue says: objects that came, a job that waits, or nothing we know.

Owns every form in which S3's events come. Refuses to guess: a body of another form is malformed, and
stays for the queue's redrive policy, where a person sees it. Keys may hold names and are told to nobody.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from bedside.adapters.aws.places import Bucket
from bedside.domain.keys import check_key, check_tenant
from bedside.errors import InputRejected, UsageError

#: Of a message that tells of a job, the value of its key ``bedside``.
HINT = "hint/1"
_AREA = "input"
_CREATED = "ObjectCreated:"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHint:
    """Says that a job waits or will.

    Attributes:
        tenant: Whose.
        job: Its id.
        pool: Of the workers that can run it.
    """

    tenant: str
    job: str
    pool: str

    def body(self) -> str:
        """Return it as a message."""
        told = {"bedside": HINT, "tenant": self.tenant, "job": self.job, "pool": self.pool}
        return json.dumps(told, sort_keys=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one message says.

    Attributes:
        objects: Tenant and key (``input/…``) of each object that came to a drop-box; none where the
            message is a test, or tells of another bucket, another area, or of objects that went away.
        job: The job that waits, or None.
    """

    objects: tuple[tuple[str, str], ...] = ()
    job: JobHint | None = None


def parse(body: str, bucket: Bucket, owner: Callable[[str], str] = lambda _: "") -> Told:
    """Read a message.

    Forms: S3's notification with any number of records (keys are URL-encoded there), the same inside an
    SNS envelope, EventBridge's "Object Created" (keys are plain there), S3's test, and our own hint.

    Args:
        body: Of the message.
        bucket: Whose objects count.
        owner: Returns the tenant whose own input bucket one is, whose objects of that tenant count too;
            empty for any other bucket.

    Raises:
        InputRejected: It is of no form we know; the message quotes nothing of it.
    """
    try:
        return _told(json.loads(body), bucket, owner)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        # From None: such an error quotes what it could not read.
        raise InputRejected("queue: a message of no form we know") from None


def _told(said: Any, bucket: Bucket, owner: Callable[[str], str]) -> Told:
    if said.get("bedside") == HINT:
        hint = JobHint(tenant=str(said["tenant"]), job=str(said["job"]), pool=str(said["pool"]))
        return Told(job=hint)
    if said.get("Event") == "s3:TestEvent":  # S3 sends one when notifications are switched on
        return Told()
    if said.get("Type") == "Notification" and "TopicArn" in said:
        return _told(json.loads(said["Message"]), bucket, owner)
    if "Records" in said:
        return Told(objects=tuple(_in_drop_box(_of_records(said["Records"]), bucket, owner)))
    if said.get("detail-type") == "Object Created" and said.get("source") == "aws.s3":
        detail = said["detail"]
        found = (str(detail["bucket"]["name"]), str(detail["object"]["key"]))
        return Told(objects=tuple(_in_drop_box(iter([found]), bucket, owner)))
    raise KeyError("no form we know")


def _of_records(records: Any) -> Iterator[tuple[str, str]]:
    for record in records:
        if record["eventSource"] != "aws:s3":
            raise KeyError("no record of S3")
        if str(record["eventName"]).removeprefix("s3:").startswith(_CREATED):
            s3 = record["s3"]
            yield str(s3["bucket"]["name"]), unquote_plus(str(s3["object"]["key"]))


def _in_drop_box(
    found: Iterator[tuple[str, str]], bucket: Bucket, owner: Callable[[str], str]
) -> Iterator[tuple[str, str]]:
    for name, place in found:
        whose = "" if name == bucket.name else owner(name)
        start = f"{bucket.prefix if name == bucket.name else ''}{_AREA}/"
        if (name != bucket.name and not whose) or not place.startswith(start):
            continue
        tenant, slash, rest = place.removeprefix(start).partition("/")
        key = f"{_AREA}/{rest}"
        # Who may write to one tenant's bucket says nothing in the name of another.
        if slash and _can_be(tenant, key) and whose in ("", tenant):
            yield tenant, key


def _can_be(tenant: str, key: str) -> bool:
    """Whether the store would show this object at all: consoles leave ``folder/`` for each folder."""
    try:
        check_tenant(tenant)
        check_key(key)
    except UsageError:
        return False
    return True
