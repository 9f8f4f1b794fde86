"""Dead letters in SQS: looked at without taking them, and sent back.

Owns how a queue is looked into that can only be received from: what is received is hidden from others for
a moment and then given back. All of a queue is sent back by SQS itself (StartMessageMoveTask), which
goes on when we are cut off; single messages, and those of servers that are not AWS, one at a time.
"""

import json
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from botocore import exceptions

from bedside.adapters.aws import presence
from bedside.adapters.aws.asked import asked
from bedside.adapters.aws.clients import LateClient, make_client
from bedside.adapters.aws.errors import code_of
from bedside.adapters.aws.events import Told, parse
from bedside.adapters.aws.places import Bucket
from bedside.domain.identity import short_id
from bedside.errors import InputRejected, NotFound, Unavailable
from bedside.ports.letters import Letter, LetterKind, Tell

#: SQS gives this many in one request.
_BATCH = 10
#: What is looked at is hidden for so long if we die while looking.
_HIDDEN_S = 30
#: Between two questions how far SQS is.
_POLL_S = 1.0
_RUNNING = frozenset({"RUNNING", "CANCELLING"})


class SqsDeadLetters:
    """The dead-letter queues of one deployment.

    Args:
        urls: Of the queues.
        bucket: Whose drop-boxes the events are of.
        region: Of the queues; empty is the environment's.
        wait_s: How long SQS may wait for a message; above 0 it asks all of its servers.
        sleep: Waits.
    """

    def __init__(
        self,
        urls: Sequence[str],
        bucket: Bucket,
        *,
        region: str = "",
        wait_s: int = 1,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._urls = list(urls)
        self._bucket = bucket
        self._wait_s = wait_s
        self._sleep = sleep
        self._client: Callable[[], Any] = LateClient(lambda: make_client("sqs", region=region))

    def count(self) -> int:
        """Return how many there are, about."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        total = 0
        for url in self._urls:
            found = self._attributes(url, names)
            total += sum(int(found[name]) for name in names)
        return total

    def look(self, *, limit: int) -> Sequence[Letter]:
        """Return some, oldest first; they stay where they are."""
        letters: list[Letter] = []
        for url in self._urls:
            with self._received(url, limit - len(letters)) as messages:
                letters += [self._read(url, message) for message in messages]
        return sorted(letters, key=lambda letter: (letter.sent_at, letter.id))

    def send_back(self, tell: Tell) -> int:
        """Send all back to the queues they came from; return how many, about."""
        by_aws = ".amazonaws." in self._client().meta.endpoint_url
        return sum((self._move if by_aws else self._move_by_hand)(url, tell) for url in self._urls)

    def send_back_these(self, ids: Collection[str]) -> int:
        """Send some back to the queues they came from; return how many of them were there."""
        wanted, done = set(ids), 0
        for url in self._urls:
            if done == len(wanted):
                break
            with self._received(url, None) as messages:
                for message in [message for message in messages if message["MessageId"] in wanted]:
                    self._send(url, message)
                    messages.remove(message)
                    done += 1
        return done

    # All of a queue

    def _move(self, url: str, tell: Tell) -> int:
        """Let SQS send all of a queue back, or go on watching where it already does."""
        arn = str(self._attributes(url, ["QueueArn"])["QueueArn"])
        if not self._holds_any(url):
            return 0
        if self._task(arn).get("Status") not in _RUNNING:
            with asked("sqs", "sending dead letters back"):
                self._client().start_message_move_task(SourceArn=arn)
        while True:
            task = self._task(arn)
            moved, of = int(task.get("ApproximateNumberOfMessagesMoved", 0)), _whole(task)
            tell(moved, of)
            status = str(task.get("Status", ""))
            if status == "COMPLETED":
                return moved
            if status not in _RUNNING:
                why = task.get("FailureReason") or status.lower() or "SQS knows of no such task"
                raise Unavailable(
                    f"sending dead letters back: {why}, after {moved} of {of if of is not None else 'some'}",
                    hint="bedside deploy dead redrive, once more",
                )
            self._sleep(_POLL_S)

    def _task(self, arn: str) -> dict[str, Any]:
        """Return SQS's newest task of sending back a queue's messages; empty where there was none."""
        with asked("sqs", "asking how many dead letters were sent back"):
            tasks = self._client().list_message_move_tasks(SourceArn=arn, MaxResults=1).get("Results", ())
        return dict(tasks[0]) if tasks else {}

    def _holds_any(self, url: str) -> bool:
        return int(self._attributes(url, ["ApproximateNumberOfMessages"])["ApproximateNumberOfMessages"]) > 0

    def _move_by_hand(self, url: str, tell: Tell) -> int:
        done = 0
        while True:
            with self._received(url, _BATCH) as messages:
                if not messages:
                    return done
                while messages:
                    self._send(url, messages[0])
                    del messages[0]
                    done += 1
                    tell(done, None)

    # Messages

    def _send(self, url: str, message: dict[str, Any]) -> None:
        """Send one back: first there and then gone here, so that a cut leaves it twice and never nowhere."""
        with asked("sqs", "sending a dead letter back"):
            self._client().send_message(QueueUrl=self._source(url), MessageBody=message["Body"])
            self._client().delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def _source(self, url: str) -> str:
        """Return the queue whose dead letters these are."""
        with self._asking(url):
            found = self._client().list_dead_letter_source_queues(QueueUrl=url)["queueUrls"]
        if not found:
            raise NotFound(
                f"dead-letter queue {_name(url)}: no queue buries its messages there any more",
                hint="bedside deploy apply",
            )
        return str(found[0])

    @contextmanager
    def _received(self, url: str, limit: int | None) -> Iterator[list[dict[str, Any]]]:
        """Receive up to so many messages, and give back those that are still in the list at the end."""
        left: list[dict[str, Any]] = []
        try:
            while limit is None or len(left) < limit:
                wanted = _BATCH if limit is None else min(_BATCH, limit - len(left))
                found = self._receive(url, wanted)
                known = {message["MessageId"] for message in left}
                new = [message for message in found if message["MessageId"] not in known]
                if not new:  # none, or the first ones come round again
                    break
                left += new
            yield left
        finally:
            self._give_back(url, left)

    def _receive(self, url: str, most: int) -> list[dict[str, Any]]:
        with self._asking(url):
            answer = self._client().receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=most,
                VisibilityTimeout=_HIDDEN_S,
                WaitTimeSeconds=self._wait_s,
                MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
            )
        return list(answer.get("Messages", ()))

    def _give_back(self, url: str, messages: Sequence[dict[str, Any]]) -> None:
        for begin in range(0, len(messages), _BATCH):
            entries = [
                {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
                for n, message in enumerate(messages[begin : begin + _BATCH])
            ]
            with self._asking(url):
                self._client().change_message_visibility_batch(QueueUrl=url, Entries=entries)

    def _read(self, url: str, message: dict[str, Any]) -> Letter:
        told = _told(message["Body"], self._bucket)
        job = told.job if told else None
        objects = told.objects if told else ()
        attributes = message["Attributes"]
        return Letter(
            id=message["MessageId"],
            queue=_name(url),
            kind=LetterKind.UNKNOWN if not told else LetterKind.HINT if job else LetterKind.ARRIVAL,
            sent_at=datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC),
            received=int(attributes["ApproximateReceiveCount"]),
            tenants=(job.tenant,) if job else tuple(sorted({tenant for tenant, _ in objects})),
            objects=tuple(short_id([tenant, key]) for tenant, key in objects),
            job=job.job if job else "",
            pool=job.pool if job else "",
        )

    def _attributes(self, url: str, names: Sequence[str]) -> dict[str, str]:
        with self._asking(url):
            found = self._client().get_queue_attributes(QueueUrl=url, AttributeNames=list(names))
        return dict(found["Attributes"])

    @contextmanager
    def _asking(self, url: str) -> Iterator[None]:
        with asked("sqs", "asking for dead letters"):
            try:
                yield
            except exceptions.ClientError as exc:
                if code_of(exc) in presence.GONE:
                    raise NotFound(
                        f"no dead-letter queue {_name(url)}", hint="bedside deploy status"
                    ) from exc
                raise


def dead_letter_queues(urls: Sequence[str], *, region: str = "") -> list[str]:
    """Return the URLs of the queues that bury the messages of some queues, each once."""
    sqs = make_client("sqs", region=region)
    found: dict[str, None] = {}
    for url in urls:
        with asked("sqs", "asking for the dead-letter queue"):
            answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
            policy = json.loads(answer.get("Attributes", {}).get("RedrivePolicy", "{}"))
            if arn := str(policy.get("deadLetterTargetArn", "")):
                name = arn.rpartition(":")[2]
                found[str(sqs.get_queue_url(QueueName=name)["QueueUrl"])] = None
    return list(found)


def _told(body: str, bucket: Bucket) -> Told | None:
    """Return what a message says, or None where that is of no form we know.

    Tenants may have buckets of their own, which only the ledger knows: here any that tells counts.
    """
    others: list[str] = []

    def note(name: str) -> str:
        others.append(name)
        return ""

    try:
        told = parse(body, bucket, note)
        if others and not told.objects:
            return parse(body, Bucket(name=others[0]))
    except InputRejected:
        return None
    return told


def _name(url: str) -> str:
    return url.rpartition("/")[2]


def _whole(task: dict[str, Any]) -> int | None:
    """Return how many messages a task is to move, which SQS knows only once it has begun."""
    whole = task.get("ApproximateNumberOfMessagesToMove")
    return None if whole is None else int(whole)
