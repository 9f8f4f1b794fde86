"""A test notice through a channel, as workers would send one: whether it is taken, and why not."""

from collections.abc import Callable
from datetime import datetime

from bedside.domain.notice import Bulletin, Notice, NoticeKind
from bedside.errors import BedsideError
from bedside.ports.notifier import Notifier


def test_bulletin(deployment: str, now: datetime) -> Bulletin:
    """Return a bulletin that says only that it is a test."""
    return Bulletin(
        kind=NoticeKind.TEST,
        deployment=deployment,
        count=1,
        first_at=now,
        last_at=now,
        notices=(Notice(kind=NoticeKind.TEST),),
    )


def sent(channel: Callable[[], Notifier], bulletin: Bulletin) -> BedsideError | None:
    """Send through one channel; return why it was not taken, or None."""
    try:
        channel().send(bulletin)
    except BedsideError as failed:
        return failed
    return None
