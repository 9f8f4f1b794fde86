"""A queue of SQS: messages are received, kept from others while we work, deleted or given back.

Owns the heartbeat: while a message is held, nobody else gets it, however long its study takes to copy;
if this process dies, it comes back by itself. What a message means is not known here.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from bedside.adapters.aws.clients import LateClient, make_client
from bedside.adapters.aws.errors import as_ours
from bedside.errors import BedsideError
from bedside.log import Log, silent

#: SQS takes and gives this many in one request.
BATCH = 10
#: A message of a process that died comes back after this long.
INVISIBLE_S = 120
#: Three beats may fail before a message is lost to another.
_BEAT_S = INVISIBLE_S / 4
#: SQS delays and hides no longer.
MOST_DELAY_S, _MOST_INVISIBLE_S = 900, 12 * 3600
#: Batches of one look, so that a flood of events does not keep intake from its work.
_MOST_BATCHES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message in our hands.

    Attributes:
        id: The same each time it is received.
        receipt: What deletes it, of this receipt only.
        body: What it says.
    """

    id: str
    receipt: str
    body: str


class SqsQueue:
    """One queue. Its messages are held from `receive` until `delete` or `give_back`.

    Args:
        url: Of the queue.
        log: Takes notes.
        beats: Whether held messages are kept from others by a thread of their own.
        patient: Whether to try for minutes what does not answer, or for seconds.
    """

    def __init__(self, url: str, *, log: Log = silent, beats: bool = True, patient: bool = True) -> None:
        self.url = url
        self._log = log
        self._client: Callable[[], Any] = LateClient(lambda: make_client("sqs", patient=patient))
        self._held: dict[str, Message] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._beats = beats
        self._thread: threading.Thread | None = None

    def send(self, body: str, *, delay_s: float = 0.0) -> None:
        """Send a message that can be received after ``delay_s`` seconds, at most `MOST_DELAY_S`."""
        delay = min(MOST_DELAY_S, max(0, round(delay_s)))
        with as_ours("queue: cannot send"):
            self._client().send_message(QueueUrl=self.url, MessageBody=body, DelaySeconds=delay)

    def receive(self, *, wait_s: int = 0) -> list[Message]:
        """Receive what there is, and hold it.

        Args:
            wait_s: How long SQS may wait for the first message; above 0 it asks all of its servers.
        """
        received: list[Message] = []
        for batch in range(_MOST_BATCHES):
            try:
                with as_ours("queue: cannot receive"):
                    answer = self._client().receive_message(
                        QueueUrl=self.url,
                        MaxNumberOfMessages=BATCH,
                        WaitTimeSeconds=0 if batch else wait_s,
                        VisibilityTimeout=INVISIBLE_S,
                    )
            except BedsideError as missing:
                if not received:
                    raise
                # What we hold already is told, or we would keep it from others and not know of it.
                self._log("queue.waits", reason=missing.message)
                break
            found = [
                Message(id=m["MessageId"], receipt=m["ReceiptHandle"], body=m["Body"])
                for m in answer.get("Messages", ())
            ]
            with self._lock:
                self._held.update({message.id: message for message in found})
            received += found
            if not found:
                break
        if received and self._beats and self._thread is None:
            self._thread = threading.Thread(target=self._beat_on, name="queue heartbeat", daemon=True)
            self._thread.start()
        return received

    def delete(self, messages: Iterable[Message]) -> None:
        """Delete messages: what they tell of is in the ledger, or gone."""
        for batch in _batches(self.forget(messages)):
            with as_ours("queue: cannot delete"):
                self._client().delete_message_batch(
                    QueueUrl=self.url,
                    Entries=[{"Id": str(n), "ReceiptHandle": m.receipt} for n, m in enumerate(batch)],
                )

    def give_back(self, messages: Iterable[Message], *, delay_s: float = 0.0) -> None:
        """Let messages come again after a while; the queue counts, and buries what came too often."""
        self._hide(self.forget(messages), min(_MOST_INVISIBLE_S, max(0, round(delay_s))))

    def count(self) -> int:
        """Return how many messages there are: to be had, in hands, and delayed; about, says SQS."""
        states = ("", "NotVisible", "Delayed")
        names = [f"ApproximateNumberOfMessages{state}" for state in states]
        with as_ours("queue: cannot count"):
            answer = self._client().get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def forget(self, messages: Iterable[Message]) -> list[Message]:
        """Hold messages no longer; return the newest receipts of them."""
        with self._lock:
            return [self._held.pop(message.id, message) for message in messages]

    def beat(self) -> None:
        """Keep all held messages from others for another while."""
        with self._lock:
            held = list(self._held.values())
        self._hide(held, INVISIBLE_S)

    def close(self) -> None:
        """Stop the heartbeat and give back what is held; where that fails, it comes back by itself."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            held = list(self._held.values())
        try:
            self.give_back(held)
        except BedsideError as missing:
            self._log("queue.waits", reason=missing.message)

    def _hide(self, messages: Sequence[Message], seconds: int) -> None:
        for batch in _batches(messages):
            with as_ours("queue: cannot hide"):
                # Refusals of single messages come in the answer: their receipts are old, and somebody
                # else has them now. That costs a second look, and nothing else.
                self._client().change_message_visibility_batch(
                    QueueUrl=self.url,
                    Entries=[
                        {"Id": str(n), "ReceiptHandle": m.receipt, "VisibilityTimeout": seconds}
                        for n, m in enumerate(batch)
                    ],
                )

    def _beat_on(self) -> None:
        while not self._ended.wait(_BEAT_S):
            try:
                self.beat()
            except BedsideError as missing:
                self._log("queue.waits", reason=missing.message)


def _batches(messages: Iterable[Message]) -> Iterator[list[Message]]:
    rest = iter(messages)
    while batch := list(islice(rest, BATCH)):
        yield batch
