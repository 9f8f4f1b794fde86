"""Dead letters: looked at without taking them, told without what they say, sent back all or some."""

import inspect
import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.stub import Stubber

from bedside.adapters.aws.clients import make_client
from bedside.adapters.aws.events import JobHint
from bedside.adapters.aws.letters import SqsDeadLetters, dead_letter_queues
from bedside.adapters.aws.places import Bucket
from bedside.domain.identity import short_id
from bedside.errors import ConfigError, NotFound, Unavailable
from bedside.ports.letters import DeadLetters, LetterKind
from clouds import Cloud

NAME = "input/ward-3/Curie^Marie.zip"


class Post:
    """Two queues with their dead letters, and a bucket's name."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.sqs = cloud, cloud.client("sqs")
        self.events, self.gpu = cloud.queue(attempts=1), cloud.queue(attempts=1)
        self.dead = [f"{url}-dead" for url in (self.events, self.gpu)]
        self.letters = SqsDeadLetters(self.dead, Bucket(name="clinic"), wait_s=0)

    def bury(self, url: str, *bodies: str) -> None:
        """Send messages and receive them until they are dead."""
        for body in bodies:
            self.sqs.send_message(QueueUrl=url, MessageBody=body)
        for _ in range(2 + 2 * len(bodies) // 10):
            self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)

    def waiting(self, url: str) -> list[str]:
        got = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [message["Body"] for message in got.get("Messages", ())]


@pytest.fixture
def post(cloud: Cloud) -> Post:
    return Post(cloud)


def arrival(*keys: str, bucket: str = "clinic") -> str:
    found = [
        {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
         "s3": {"bucket": {"name": bucket}, "object": {"key": key}}}
        for key in keys
    ]  # fmt: skip
    return json.dumps({"Records": found})


HINT = JobHint(tenant="ward-3", job="3f2a81c0", pool="gpu").body()


def test_nothing_is_dead(post: Post) -> None:
    assert (post.letters.count(), list(post.letters.look(limit=10))) == (0, [])
    assert post.letters.send_back(lambda _done, _of: None) == 0
    assert post.letters.send_back_these(["no such"]) == 0


def test_a_letter_is_told_by_what_it_was_and_never_by_a_name(post: Post) -> None:
    post.bury(
        post.events,
        arrival(NAME, "input/ward-3/b/1.dcm"),
        "Curie^Marie",
        arrival("input/ward-7/x.zip", bucket="of-a-tenant"),
        arrival(NAME.replace("input", "results")),
    )
    post.bury(post.gpu, HINT)
    assert post.letters.count() == 5
    found = post.letters.look(limit=10)
    assert "Curie" not in repr(found)
    assert sorted(letter.kind for letter in found) == ["arrival", "arrival", "arrival", "hint", "unknown"]
    own = ("ward-7",)  # a bucket of the tenant's own
    by_kind = {letter.kind: letter for letter in found if letter.tenants not in ((), own)}
    assert [letter.objects for letter in found if letter.tenants == own] == [
        (short_id(["ward-7", "input/x.zip"]),)
    ]
    one = by_kind[LetterKind.ARRIVAL]
    assert one.objects == tuple(
        short_id(["ward-3", key]) for key in ("input/Curie^Marie.zip", "input/b/1.dcm")
    )
    assert (one.tenants, one.queue) == (("ward-3",), post.dead[0].rpartition("/")[2])
    assert datetime.now(UTC) - one.sent_at < timedelta(minutes=1)
    assert one.received >= 2
    hint = by_kind[LetterKind.HINT]
    assert (hint.job, hint.pool, hint.tenants) == ("3f2a81c0", "gpu", ("ward-3",))
    nothing = [letter for letter in found if not letter.tenants]
    assert sorted((letter.kind, letter.objects) for letter in nothing) == [("arrival", ()), ("unknown", ())]


def test_what_was_looked_at_stays_and_can_be_had_at_once(post: Post) -> None:
    post.bury(post.events, *(f"{n:02d}" for n in range(13)))
    assert len(post.letters.look(limit=100)) == 13
    assert len({letter.id for letter in post.letters.look(limit=12)}) == 12
    assert post.cloud.messages(post.dead[0]) == {"visible": 13, "held": 0, "delayed": 0}


def test_all_go_back_to_the_queues_they_came_from(post: Post) -> None:
    post.bury(post.events, "a", "b")
    post.bury(post.gpu, "c")
    told: list[tuple[int, int | None]] = []
    assert post.letters.send_back(lambda done, of: told.append((done, of))) == 3
    assert told == [(1, None), (2, None), (1, None)]
    assert sorted(post.waiting(post.events)) == ["a", "b"]
    assert post.waiting(post.gpu) == ["c"]
    assert post.letters.count() == 0


def test_some_go_back_and_the_rest_stays(post: Post) -> None:
    post.bury(post.events, "a", "b")
    post.bury(post.gpu, HINT)
    (chosen,) = [letter.id for letter in post.letters.look(limit=10) if letter.kind is LetterKind.HINT]
    assert post.letters.send_back_these([chosen, "no such"]) == 1
    assert post.waiting(post.gpu) == [HINT]
    assert post.cloud.messages(post.dead[0]) == {"visible": 2, "held": 0, "delayed": 0}


def test_the_queue_says_where_it_buries(post: Post) -> None:
    assert dead_letter_queues([post.events, post.gpu, post.events]) == post.dead
    assert dead_letter_queues(post.dead) == []


def test_a_queue_that_is_gone(post: Post) -> None:
    post.sqs.delete_queue(QueueUrl=post.dead[0])
    with pytest.raises(NotFound, match="no dead-letter queue"):
        post.letters.count()
    post.bury(post.gpu, "c")
    post.sqs.delete_queue(QueueUrl=post.gpu)
    alone = SqsDeadLetters([post.dead[1]], Bucket(name="clinic"), wait_s=0)
    with pytest.raises(NotFound, match="no queue buries its messages there"):
        alone.send_back(lambda _done, _of: None)
    assert post.cloud.messages(post.dead[1]) == {"visible": 1, "held": 0, "delayed": 0}


# What SQS itself does, which no emulator has: requests and answers as botocore's model of it has them.

ARN = "arn:aws:sqs:eu-central-1:123456789012:clinic-events-dead"
URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/clinic-events-dead"


def on_aws(monkeypatch: pytest.MonkeyPatch) -> tuple[SqsDeadLetters, Stubber]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")  # pragma: allowlist secret
    client = make_client("sqs", region="eu-central-1")
    letters = SqsDeadLetters([URL], Bucket(name="clinic"), sleep=lambda _s: None)
    monkeypatch.setattr(letters, "_client", lambda: client)
    stub = Stubber(client)
    stub.add_response("get_queue_attributes", {"Attributes": {"QueueArn": ARN}})
    stub.add_response("get_queue_attributes", {"Attributes": {"ApproximateNumberOfMessages": "40"}})
    return letters, stub


def task(status: str, moved: int, **more: object) -> dict[str, object]:
    of = {"ApproximateNumberOfMessagesToMove": 40, "ApproximateNumberOfMessagesMoved": moved}
    return {"Results": [{"Status": status, "SourceArn": ARN, **of, **more}]}


ASKED = {"SourceArn": ARN, "MaxResults": 1}


def test_aws_sends_a_queue_back_by_itself_and_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    letters, stub = on_aws(monkeypatch)
    stub.add_response("list_message_move_tasks", task("COMPLETED", 7), ASKED)  # of last week
    stub.add_response("start_message_move_task", {"TaskHandle": "x"}, {"SourceArn": ARN})
    for status, moved in (("RUNNING", 0), ("RUNNING", 25), ("COMPLETED", 40)):
        stub.add_response("list_message_move_tasks", task(status, moved), ASKED)
    told: list[tuple[int, int | None]] = []
    with stub:
        assert letters.send_back(lambda done, of: told.append((done, of))) == 40
    stub.assert_no_pending_responses()
    assert told == [(0, 40), (25, 40), (40, 40)]


def test_what_is_being_sent_back_already_is_not_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    letters, stub = on_aws(monkeypatch)
    stub.add_response("list_message_move_tasks", task("RUNNING", 10), ASKED)
    stub.add_response("list_message_move_tasks", task("COMPLETED", 40), ASKED)
    with stub:
        assert letters.send_back(lambda _done, _of: None) == 40
    stub.assert_no_pending_responses()


def test_sending_back_that_breaks_off_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    letters, stub = on_aws(monkeypatch)
    stub.add_response("list_message_move_tasks", {"Results": []}, ASKED)
    stub.add_response("start_message_move_task", {"TaskHandle": "x"}, {"SourceArn": ARN})
    failed = task("FAILED", 12, FailureReason="AccessDenied")
    stub.add_response("list_message_move_tasks", failed, ASKED)
    with stub, pytest.raises(Unavailable, match="AccessDenied, after 12 of 40"):
        letters.send_back(lambda _done, _of: None)


def test_a_refusal_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    letters, stub = on_aws(monkeypatch)
    stub.add_response("list_message_move_tasks", {"Results": []}, ASKED)
    stub.add_client_error("start_message_move_task", "AccessDenied", "is not authorized")
    with stub, pytest.raises(ConfigError, match="sqs:StartMessageMoveTask"):
        letters.send_back(lambda _done, _of: None)


@pytest.mark.parametrize("method", ["count", "look", "send_back", "send_back_these"])
def test_signatures_are_the_ports(method: str) -> None:
    assert inspect.signature(getattr(SqsDeadLetters, method)) == inspect.signature(
        getattr(DeadLetters, method)
    )
