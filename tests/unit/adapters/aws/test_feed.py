"""Which messages go, which stay, and what is looked at, against a queue that S3 really announces to."""

import dataclasses
import json
import time
from dataclasses import dataclass, field

import pytest
from botocore.exceptions import EndpointConnectionError

from bedside.adapters.aws.blobs import S3BlobStore
from bedside.adapters.aws.events import JobHint
from bedside.adapters.aws.feed import FULL_LOOK_S, PATIENCE_S, FeedOptions, SqsFeed
from bedside.adapters.aws.places import Bucket
from bedside.adapters.aws.queue import SqsQueue
from bedside.adapters.memory.clock import ManualClock
from bedside.config import FileSetSettings
from bedside.errors import Unavailable
from bedside.ports import Dropped
from bedside.worker.dropbox import DropboxWatch, Look
from clouds import Cloud

QUIET_S = 5.0
RECORDING = FileSetSettings(name="recording", patterns=("*.mp4", "*.hpf"), pipeline="video")


class CountingWatch(DropboxWatch):
    """Counts listings, which cost money."""

    looks = 0

    def look(self, tenant: str) -> Look:
        self.looks += 1
        return super().look(tenant)


@dataclass
class Site:
    """A bucket, its queue, and feeds on it: one per machine."""

    cloud: Cloud
    clock: ManualClock = field(default_factory=ManualClock)
    lines: list[str] = field(default_factory=list)
    ended: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.bucket = Bucket(name=self.cloud.bucket())
        self.url = self.cloud.queue(announces=self.bucket.name)
        self.store = S3BlobStore(self.bucket)
        self.sqs = self.cloud.client("sqs")

    def machine(self) -> SqsFeed:
        return SqsFeed(
            queues=[SqsQueue(self.url, beats=False)],
            bucket=self.bucket,
            watch=CountingWatch(self.store, QUIET_S, self.clock, [RECORDING]),
            tenants=["default", "ward-3"],
            hint_done=lambda hint: (hint.tenant, hint.job) in self.ended,
            clock=self.clock,
            options=FeedOptions(poll_s=0, wait_s=0),
            log=lambda action, /, **fields: self.lines.append(f"{action} {fields}"),
        )

    def drop(self, *names: str, tenant: str = "default") -> None:
        for name in names:
            self.store.tenant(tenant).put(f"input/{name}", b"x")

    def send(self, body: str) -> None:
        self.sqs.send_message(QueueUrl=self.url, MessageBody=body)

    def after(self, feed: SqsFeed, seconds: float, tenant: str = "default") -> list[Dropped]:
        feed.ready(tenant)
        self.clock.advance(seconds)
        return list(feed.ready(tenant))

    @property
    def messages(self) -> dict[str, int]:
        return self.cloud.messages(self.url)

    @property
    def dead(self) -> int:
        return self.cloud.messages(f"{self.url}-dead")["visible"]


@pytest.fixture
def site(cloud: Cloud) -> Site:
    return Site(cloud)


NOTHING = {"visible": 0, "held": 0, "delayed": 0}


def test_messages_of_a_thing_are_held_until_it_is_taken(site: Site) -> None:
    site.drop(*(f"study/{n:03d}.dcm" for n in range(25)))
    site.drop("other/1.dcm")
    feed = site.machine()
    things = {d.key: d for d in site.after(feed, QUIET_S)}
    assert len(things["input/study"].parts) == 25
    assert site.messages == NOTHING | {"held": 26}
    feed.taken("default", things["input/study"])
    assert site.messages == NOTHING | {"held": 1}


def test_a_message_of_several_objects_goes_with_the_last_of_them(site: Site) -> None:
    site.drop("a/1.dcm", "b/1.dcm", tenant="ward-3")
    site.sqs.purge_queue(QueueUrl=site.url)
    found = [
        {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": site.bucket.name}, "object": {"key": f"input/ward-3/{n}/1.dcm"}},
        }
        for n in "ab"
    ]
    site.send(json.dumps({"Records": found}))
    feed = site.machine()
    first, second = site.after(feed, QUIET_S, "ward-3")
    feed.taken("ward-3", first)
    assert site.messages == NOTHING | {"held": 1}
    feed.taken("ward-3", second)
    assert site.messages == NOTHING


def test_messages_of_what_is_gone_or_waits_for_others_go(site: Site) -> None:
    site.drop("gone.dcm", ".DS_Store", "study/.complete", "rec.mp4", "x.part", "stays.dcm")
    site.store.delete("input/gone.dcm")
    feed = site.machine()
    feed.ready("default")
    assert site.messages == NOTHING | {"held": 1}  # of what will be complete: else no worker could ever rest
    site.drop("rec.hpf")
    assert [d.key for d in site.after(feed, QUIET_S)] == ["input/*", "input/rec.*"]


def test_what_was_postponed_comes_again_and_is_buried_at_last(site: Site) -> None:
    site.drop("1.dcm")
    feed = site.machine()
    (thing,) = site.after(feed, QUIET_S)
    feed.postponed("default", thing, 30)
    assert site.messages == NOTHING | {"held": 1}  # hidden for 30 s
    site.drop("2.dcm")
    for _ in range(3):
        again = site.after(feed, QUIET_S)
        assert again
        feed.postponed("default", again[0], 0)
    feed.ready("default")
    assert site.dead == 1


def test_malformed_messages_and_those_of_other_tenants_stay_and_are_told_once(site: Site) -> None:
    site.send('{"patient": "DOE^JANE"}')
    site.drop("DOE_JANE.dcm", tenant="ward-9")
    site.send(JobHint(tenant="ward-9", job="1", pool="default").body())
    feed = site.machine()
    assert site.after(feed, QUIET_S) == []
    assert site.messages == NOTHING | {"held": 3}
    for message in ("malformed", "foreign", "foreign"):
        assert message in "".join(site.lines)
    assert len(site.lines) == 3
    assert "DOE" not in "".join(site.lines)


def test_a_hint_of_a_tenant_that_ended_with_its_jobs_is_no_dead_letter(site: Site) -> None:
    site.send(JobHint(tenant="ward-9", job="1", pool="default").body())
    site.ended = {("ward-9", "1")}
    site.machine().ready("default")
    assert site.messages == NOTHING
    assert site.lines == []


def test_messages_are_read_once_the_ledger_is_back(site: Site) -> None:
    out_of_reach = True

    def hint_done(hint: JobHint) -> bool:
        if out_of_reach:
            raise Unavailable("ledger: out of reach")
        return True

    feed = dataclasses.replace(site.machine(), hint_done=hint_done)
    for n in range(3):
        site.send(JobHint(tenant="default", job=str(n), pool="default").body())
    for _ in range(2):
        with pytest.raises(Unavailable):
            feed.ready("default")
    assert site.messages == NOTHING | {"held": 3}
    out_of_reach = False
    site.clock.advance(10)
    feed.ready("default")
    assert site.messages == NOTHING


def test_what_is_held_is_told_though_the_queue_breaks_off(site: Site) -> None:
    for n in range(12):
        site.send(json.dumps({"n": n}))
    queue = SqsQueue(site.url, beats=False)
    receive, asked = site.sqs.receive_message, []

    class BreaksOff:
        def receive_message(self, **request: object) -> object:
            asked.append(request)
            if len(asked) > 1:
                raise EndpointConnectionError(endpoint_url=site.url)
            return receive(**request)

    queue._client = BreaksOff
    assert len(queue.receive()) == 10
    with pytest.raises(Unavailable):
        queue.receive()


def test_s3s_test_event_goes(site: Site) -> None:
    site.send(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"}))
    site.machine().ready("default")
    assert site.messages == NOTHING


def test_a_hint_is_held_until_its_job_ended(site: Site) -> None:
    for job in ("1", "2"):
        site.send(JobHint(tenant="ward-3", job=job, pool="default").body())
    site.ended = {("ward-3", "1")}
    feed = site.machine()
    feed.ready("default")
    assert site.messages == NOTHING | {"held": 1}
    site.ended.add(("ward-3", "2"))
    site.clock.advance(10)
    feed.ready("default")
    assert site.messages == NOTHING


def test_only_what_has_messages_is_listed_and_all_of_it_now_and_then(site: Site) -> None:
    feed = site.machine()
    assert isinstance(feed.watch, CountingWatch)
    for _ in range(10):
        site.after(feed, 1)
    assert feed.watch.looks == 1  # at the start
    site.drop("1.dcm")
    (thing,) = site.after(feed, QUIET_S)
    assert feed.watch.looks == 3
    feed.taken("default", thing)
    site.after(feed, 20)
    assert feed.watch.looks == 3
    assert site.after(feed, FULL_LOOK_S) == [thing]  # nobody moved it away yet
    assert feed.watch.looks == 4


def test_what_no_message_tells_of_is_found_all_the_same(site: Site) -> None:
    site.drop("1.dcm")
    site.sqs.purge_queue(QueueUrl=site.url)
    feed = site.machine()
    assert site.after(feed, QUIET_S) == []
    assert [d.key for d in site.after(feed, FULL_LOOK_S)] == ["input/*"]


def test_of_two_machines_with_messages_of_a_series_one_takes_it(site: Site) -> None:
    machines = [site.machine(), site.machine()]
    names = [f"study/{n:03d}.dcm" for n in range(20)]
    for n, name in enumerate(names):
        site.drop(name)
        machines[n % 2].ready("default")
    for feed in machines:
        feed.ready("default")
    assert site.messages["held"] == 20
    site.clock.advance(QUIET_S)
    told = [feed.ready("default") for feed in machines]
    assert [len(t) for t in told] == [1, 0]
    machines[0].taken("default", told[0][0])
    assert site.messages["held"] == 10
    site.clock.advance(PATIENCE_S)
    (late,) = machines[1].ready("default")  # the ledger says that it was taken
    machines[1].taken("default", late)
    assert site.messages == NOTHING


def test_a_beating_queue_keeps_its_messages_from_others(site: Site) -> None:
    site.sqs.purge_queue(QueueUrl=site.url)
    site.send("{}")
    ours, theirs = SqsQueue(site.url), SqsQueue(site.url, beats=False)
    (message,) = ours.receive()
    # As if two minutes had passed and a beat came just in time.
    site.sqs.change_message_visibility(QueueUrl=site.url, ReceiptHandle=message.receipt, VisibilityTimeout=1)
    ours.beat()
    time.sleep(1.2)
    assert theirs.receive() == []
    ours.give_back([message])
    assert [m.id for m in theirs.receive()] == [message.id]
    ours.close()


def test_a_machine_of_another_pool_hears_of_jobs_and_takes_nothing_in(site: Site) -> None:
    site.drop("1.dcm")  # an event, as if somebody had named the wrong queue
    site.send(JobHint(tenant="default", job="j1", pool="gpu").body())
    woken: list[str] = []
    feed = dataclasses.replace(site.machine(), drop_boxes=False, woken=lambda: woken.append("now"))
    assert site.after(feed, FULL_LOOK_S + QUIET_S) == []
    assert feed.watch.looks == 0  # type: ignore[attr-defined]
    assert woken == ["now"]
    assert site.messages == NOTHING | {"held": 2}
    (line,) = site.lines
    assert "queue.foreign" in line and "1.dcm" not in line
    site.ended.add(("default", "j1"))
    site.after(feed, 11)
    feed.close()
    assert site.messages == NOTHING | {"held": 1}  # the event comes back by itself


def test_only_a_hint_of_a_job_that_waits_wakes(site: Site) -> None:
    woken: list[str] = []
    feed = dataclasses.replace(site.machine(), woken=lambda: woken.append("now"))
    site.drop("1.dcm")
    site.ended.add(("default", "j1"))
    site.send(JobHint(tenant="default", job="j1", pool="gpu").body())
    site.after(feed, 1)
    assert woken == []
    for job in ("j2", "j3"):
        site.send(JobHint(tenant="default", job=job, pool="gpu").body())
    site.after(feed, 1)
    assert woken == ["now"]
