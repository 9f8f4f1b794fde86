"""Publishing where policies are checked: a machine's role reaches its own topic and no other."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from bedside.adapters.aws.topic import SnsTopic
from bedside.domain.notice import Bulletin, Notice, NoticeKind
from bedside.errors import Unavailable
from guarded_cloud import GuardedCloud, run_ministack

AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
ONE = Bulletin(
    kind=NoticeKind.JOB_DEAD,
    deployment="ward",
    count=1,
    first_at=AT,
    last_at=AT,
    notices=(Notice(kind=NoticeKind.JOB_DEAD, job="3f2a81c0"),),
)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedCloud]:
    with run_ministack(tmp_path_factory.mktemp("ministack")) as running:
        yield running


def test_a_role_publishes_to_its_topic_and_a_refusal_names_what_is_missing(
    guarded: GuardedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    sns = guarded.client("sns")
    own, other = (sns.create_topic(Name=name)["TopicArn"] for name in ("ward-alarms", "clinic-alarms"))
    for name, value in guarded.environment(guarded.user("machine")).items():
        monkeypatch.setenv(name, value)
    guarded.permit("machine", {own: ["sns:Publish"]})
    SnsTopic(own).send(ONE)
    with pytest.raises(Unavailable, match="AWS denies sns:Publish") as caught:
        SnsTopic(other).send(ONE)
    assert "then permit sns:Publish to that role" in caught.value.hint
    assert other not in caught.value.message
