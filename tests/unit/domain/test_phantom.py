"""A phantom's study is known by its UID alone, and no other study is taken for one."""

import re
import uuid

import pytest

from bedside.domain.identity import derived_uid
from bedside.domain.phantom import is_phantom, phantom_study_uid


def test_a_phantoms_uid_is_a_uuid_of_ones_own_making_and_known_again() -> None:
    first, second = phantom_study_uid("1"), phantom_study_uid("2")
    assert first != second == phantom_study_uid("2") and is_phantom(first) and is_phantom(second)
    assert re.fullmatch(r"2\.25\.[1-9]\d*", first) and len(first) <= 64
    read = uuid.UUID(int=int(first.removeprefix("2.25.")))
    assert (read.version, read.variant) == (8, uuid.RFC_4122)


@pytest.mark.parametrize(
    "uid", ["", "2.25.", "2.25.1", "1.2.840.113619.2", derived_uid("study"), "ab12", f"3.{'9' * 30}"]
)
def test_no_other_study_is_one(uid: str) -> None:
    assert not is_phantom(uid)
    assert not is_phantom(phantom_study_uid("1").removeprefix("2.25."))
