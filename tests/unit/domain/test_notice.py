"""Notices: what they can hold, and what they cannot."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside.config.notify import Kind
from bedside.domain.notice import WORDINGS, Bulletin, Notice, NoticeKind

AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
FIELDS = ("tenant", "job", "entry", "pipeline", "stage", "release", "worker", "cause")


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "text", ["Müller^Anna", "Müller, Anna.zip", "DOE^JOHN 1970-01-01", "a\nBcc: x@y", "../x"]
)
def test_no_field_takes_free_text(field: str, text: str) -> None:
    with pytest.raises(ValueError, match=field) as caught:
        Notice(kind=NoticeKind.JOB_DEAD, **{field: text})
    assert text not in str(caught.value)
    assert Notice.of(NoticeKind.JOB_DEAD, **{field: text}) == Notice(kind=NoticeKind.JOB_DEAD)


@given(st.sampled_from(FIELDS), st.text(min_size=1))
def test_what_is_said_has_no_character_of_prose(field: str, text: str) -> None:
    said = Notice.of(NoticeKind.JOB_DEAD, **{field: text}).to_json()
    assert not set("".join(said.values())) & set(" ^,\n\r\"'<>/\\@")


def test_all_that_a_notice_holds_is_held_to_a_grammar() -> None:
    assert set(Notice.__slots__) - {"kind"} == set(FIELDS)


def test_every_kind_has_words_and_can_be_chosen() -> None:
    assert set(WORDINGS) == set(NoticeKind)
    assert set(get_args(Kind)) == set(NoticeKind) - {NoticeKind.TEST}


def test_a_bulletin_is_the_same_however_often_it_is_sent_and_another_later() -> None:
    def bulletin(at: datetime) -> Bulletin:
        notices = (Notice(kind=NoticeKind.JOB_DEAD, job="3f"),)
        return Bulletin(
            kind=NoticeKind.JOB_DEAD, deployment="w", count=1, first_at=at, last_at=at, notices=notices
        )

    assert bulletin(AT).id == bulletin(AT).id
    assert bulletin(AT).id != bulletin(AT + timedelta(seconds=1)).id
