"""Wild cards: what they mean, and that no search takes longer than it must."""

import fnmatch
import itertools
import re
import time

from bedside.domain.matching import Match, match_of, meets
from bedside.domain.searchable import FIELDS

NAME = next(field for field in FIELDS if field.keyword == "PatientName")
DESCRIPTION = next(field for field in FIELDS if field.keyword == "StudyDescription")


def pattern_of(text: str) -> Match:
    found = match_of(DESCRIPTION, text)
    assert found is not None
    return found


def test_stars_and_question_marks_mean_what_they_do_in_names_of_files() -> None:
    letters = ["", "a", "b", "ab", "ba", "aab", "aba", "abb", "bab", "abab", "a.b", "[^]*", "aaaa"]
    tried = 0
    for parts in itertools.product(["", "a", "b", "*", "?", "ab", "*a*"], repeat=3):
        wanted = "".join(parts)
        if "*" not in wanted.strip("*") and "?" not in wanted:
            continue
        for value in letters:
            expected = re.match(fnmatch.translate(re.sub(r"\*+", "*", wanted)), value) is not None
            assert meets(pattern_of(wanted), value) == expected, (wanted, value)
            tried += 1
    assert tried > 1000


def test_a_name_with_many_stars_is_looked_for_in_no_time() -> None:
    match = match_of(NAME, "*a" * 15 + "*b")
    assert match is not None
    began = time.perf_counter()
    assert not meets(match, "\n" + "a" * 2000 + "\n")
    assert meets(match, "\n" + "a" * 2000 + "b\n")
    assert not meets(match, "\n" + "a" * 10 + "\n" + "a" * 20 + "b" + "a\n")
    assert time.perf_counter() - began < 1
