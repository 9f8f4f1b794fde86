"""The expression language: meaning, reasons, types, mistakes; and that it never crashes or hangs."""

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedside.domain.expression import MAX_DEPTH, MAX_LENGTH, WITHHELD, identifies_a_patient, parse
from bedside.domain.expression.regex import Pattern
from bedside.errors import ConfigError

RULES = Path(__file__).parents[3] / "docs" / "rules.md"

CT = {
    "Modality": "CT",
    "BodyPartExamined": "ABDOMEN",
    "SliceThickness": 2.5,
    "Rows": 512,
    "ImageType": ("ORIGINAL", "PRIMARY", "AXIAL"),
    "PixelSpacing": (0.8, 0.7),
    "SeriesDescription": "Abd. venous 2.5",
    "StudyDate": "20260314",
    "BurnedInAnnotation": "NO",
    "PatientName": "DOE^JANE",
    "SeriesNumber": "",
}


@pytest.mark.parametrize(
    ("source", "matched"),
    [
        ("Modality == 'CT'", True),
        ('Modality == "CT"', True),
        ("Modality != 'CT'", False),
        ("Modality == 'ct'", False),
        ("SliceThickness <= 2.5", True),
        ("SliceThickness < 2.5", False),
        ("Rows == 512.0", True),
        ("Rows >= 256 and Rows <= 1024", True),
        ("Rows > 512 or Rows < 512", False),
        ("Modality in ['MR', 'CT']", True),
        ("Rows in [128, 256]", False),
        ("ImageType contains 'PRIMARY'", True),
        ("ImageType contains 'PRIM'", False),  # of several values, a member and not a piece
        ("SeriesDescription contains 'venous'", True),  # of a single text, a piece
        ("ImageType == 'PRIMARY'", True),
        ("ImageType != 'PRIMARY'", False),  # none may be equal
        ("ImageType != 'LOCALIZER'", True),
        ("PixelSpacing < 0.75", True),
        ("PixelSpacing contains 0.7", True),
        ("StudyDate >= '20260101'", True),
        ("BurnedInAnnotation == false", True),
        ("BurnedInAnnotation != true", True),
        ("SeriesDescription matches '(?i)^abd'", True),
        ("SeriesDescription matches '^abd'", False),
        (r"SeriesDescription matches '\d\.\d$'", True),
        ("exists Rows", True),
        ("exists ContrastBolusAgent", False),
        ("exists SeriesNumber", False),  # empty is missing (PS3.5 7.4.3)
        ("ContrastBolusAgent != 'X'", False),
        ("not ContrastBolusAgent != 'X'", True),
        ("not Modality == 'CT' or Rows == 512", True),  # (not …) or …
        ("not (Modality == 'CT' or Rows == 512)", False),
        ("Modality == 'MR' and Rows == 1 or Rows == 512", True),  # (… and …) or …
        ("Modality == 'MR' and (Rows == 1 or Rows == 512)", False),
        ("true and not false", True),
        ("Modality == 5", False),  # a number never equals text
        ("Modality != 5", False),
        ("Rows matches '512'", False),
    ],
)
def test_an_expression_means_what_it_says(source: str, matched: bool) -> None:
    assert parse(source).evaluate(CT).matched is matched


def test_the_reason_names_the_clauses_that_decided_and_their_values() -> None:
    expression = parse("Rows == 512 and Modality == 'MR' and SliceThickness < 1")
    assert expression.evaluate(CT).reason == "Modality == 'MR' is false: it is 'CT'"
    either = parse("Modality == 'MR' or SliceThickness < 1").evaluate(CT)
    assert either.reason == "Modality == 'MR' is false: it is 'CT'; SliceThickness < 1 is false: it is 2.5"
    assert parse("Columns > 1").evaluate(CT).reason == "Columns > 1 is false: Columns is missing"
    assert parse("Rows == 'x'").evaluate(CT).reason == "Rows == 'x' is false: it is 512, a number"


def test_a_long_value_does_not_make_a_long_reason() -> None:
    reason = parse("SeriesDescription == 'x'").evaluate({"SeriesDescription": "y" * 10_000}).reason
    assert len(reason) < 200
    many = parse(" or ".join(["Modality == 'MR'"] * 100)).evaluate(CT).reason
    assert len(many) <= 600


def test_what_says_who_somebody_is_decides_but_is_not_told() -> None:
    verdict = parse("PatientName contains 'JANE'").evaluate(CT)
    assert verdict.matched
    assert "DOE" not in verdict.reason
    assert WITHHELD in verdict.reason


@pytest.mark.parametrize(
    ("keyword", "withheld"),
    [
        ("PatientName", True),
        ("PatientID", True),
        ("OtherPatientIDs", True),
        ("PatientBirthDate", True),
        ("AccessionNumber", True),
        ("ReferringPhysicianName", True),
        ("InstitutionName", True),
        ("ImageComments", True),
        ("PatientAge", False),
        ("PatientSex", False),
        ("PatientPosition", False),
        ("Modality", False),
        ("ProtocolName", False),
        ("SeriesInstanceUID", False),
    ],
)
def test_which_attributes_are_withheld(keyword: str, withheld: bool) -> None:
    assert identifies_a_patient(keyword) is withheld


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "column 1: expected a condition, found the end"),
        ("Modality = 'CT'", "column 10: cannot read '='; did you mean '=='?"),
        ("Modality == CT", "text stands in quotes: 'CT'"),
        (
            "Modality == 'CT' AND Rows > 3",
            "column 18: expected 'and' or 'or', found 'AND'; did you mean 'and'?",
        ),
        ("Modality == 'CT' && Rows > 3", "did you mean 'and'?"),
        ("Modality containz 'C'", "did you mean 'contains'?"),
        ("Modality", 'write "exists Modality"'),
        ("Modality not in ['CT']", 'write "not Modality in [...]"'),
        ("(Modality == 'CT'", "expected 'and', 'or' or ')', found the end"),
        ("Modality == 'CT')", "')' without '('"),
        ("Modality == 'CT", "this quote is not closed"),
        ("'CT' == Modality", "begin with a keyword"),
        ("Rows in [1, 'a']", "Rows is compared with a number (1) and with text ('a')"),
        ("Rows > 3 and Rows != 'x'", "Rows is compared with a number (3) and with text ('x')"),
        ("Rows matches 5", "wants a regular expression in quotes"),
        ("Rows < true", "can be compared by == and != only"),
        ("Rows == 1e999", "too large"),
        ("Rows in []", "expected a text, a number, true or false"),
        ("Modality matches '(a'", "'(' without ')'"),
        (r"Modality matches '(a)\1'", "not supported"),
        ("exists 'CT'", "expected an attribute's keyword"),
        ("__import__('os')", "expected a comparison after __import__"),
        ("x" * (MAX_LENGTH + 1), f"at most {MAX_LENGTH}"),
        ("(" * (MAX_DEPTH + 1), f"nested deeper than {MAX_DEPTH}"),
        ("not " * (MAX_DEPTH + 1), f"nested deeper than {MAX_DEPTH}"),
    ],
)
def test_a_mistake_is_named(source: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        parse(source)


def test_the_caret_stands_under_the_place() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("Modality == 'CT'\n  and Rows ~ 3")
    _, line, caret = caught.value.message.split("\n")
    assert line[caret.index("^")] == "~"
    assert "line 2, column 12" in caught.value.message


def test_comparisons_are_there_for_type_checks() -> None:
    expression = parse("Modality in ['CT', 'MR'] and (Rows > 5 or not exists Foo)")
    assert expression.comparisons == (
        ("Modality", "in", ("CT", "MR")),
        ("Rows", ">", (5,)),
        ("Foo", "exists", ()),
    )
    assert expression.keywords == {"Modality", "Rows", "Foo"}


# Properties

KEYWORDS = st.sampled_from(["Modality", "Rows", "ImageType", "PatientName", "SeriesDescription"])
TEXTS = st.text(max_size=8)
NUMBERS = st.integers(-(10**15), 10**15) | st.floats(allow_nan=False, allow_infinity=False)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def clauses() -> st.SearchStrategy[str]:
    # One type per keyword, as the parser demands.
    text = st.builds(
        lambda op, v: f"Modality {op} {quoted(v)}",
        st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "contains"]),
        TEXTS,
    )
    number = st.builds(lambda op, v: f"Rows {op} {v!r}", st.sampled_from(["==", "!=", "<", ">="]), NUMBERS)
    member = st.builds(
        lambda vs: f"ImageType in [{', '.join(map(quoted, vs))}]", st.lists(TEXTS, min_size=1, max_size=3)
    )
    there = KEYWORDS.map(lambda k: f"exists {k}")
    return text | number | member | there | st.sampled_from(["true", "false"])


def conditions() -> st.SearchStrategy[str]:
    return st.recursive(
        clauses(),
        lambda inner: (
            st.builds(lambda a, w, b: f"({a}) {w} {b}", inner, st.sampled_from(["and", "or"]), inner)
            | inner.map(lambda a: f"not ({a})")
        ),
        max_leaves=8,
    )


VALUES = TEXTS | NUMBERS | st.lists(TEXTS, max_size=3).map(tuple) | st.lists(NUMBERS, max_size=3).map(tuple)
ATTRIBUTES = st.dictionaries(KEYWORDS, VALUES)


@given(conditions(), ATTRIBUTES)
@settings(max_examples=200, deadline=None)
def test_printed_and_parsed_again_it_is_the_same(source: str, attributes: dict) -> None:
    expression = parse(source)
    again = parse(str(expression))
    assert again == expression
    assert str(again) == str(expression)
    assert again.evaluate(attributes) == expression.evaluate(attributes)
    assert (
        parse(f"not ({source})").evaluate(attributes).matched is not expression.evaluate(attributes).matched
    )


WORDS = [
    "Modality",
    "and",
    "or",
    "not",
    "(",
    ")",
    "[",
    "]",
    ",",
    "==",
    "<",
    "in",
    "matches",
    "'a'",
    "'(a'",
    "5",
    "-",
]


@given(st.text(max_size=60) | st.lists(st.sampled_from(WORDS), max_size=20).map(" ".join), ATTRIBUTES)
@settings(max_examples=400, deadline=None)
def test_any_text_parses_or_is_a_config_error(source: str, attributes: dict) -> None:
    try:
        parse(source).evaluate(attributes)
    except ConfigError as error:
        assert error.message


PIECES = [
    "a",
    "b",
    ".",
    "[ab]",
    "[^a]",
    "\\d",
    "\\w",
    "a*",
    "(ab)+",
    "(a|b)?",
    "a{1,2}",
    "^",
    "$",
    "b+?",
    "(?:a|)",
]


@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join), st.text(alphabet="ab1\n-", max_size=10))
@settings(max_examples=400, deadline=None)
def test_the_pattern_finds_what_pythons_finds(pattern: str, text: str) -> None:
    # \Z: Python's $ also matches before a last newline, ours at the end only.
    assert Pattern(pattern).search(text) == bool(re.search(pattern.replace("$", r"\Z"), text))


@given(st.text(alphabet="ab()[]|*+?{}1,\\^$-.", max_size=24), st.text(max_size=20))
@settings(max_examples=400, deadline=None)
def test_any_pattern_compiles_or_is_a_config_error(pattern: str, text: str) -> None:
    try:
        Pattern(pattern).search(text)
    except ConfigError as error:
        assert error.message


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|aa)+$b", "(.*a){10}b", "(a?){64}(a?){64}x", "((a*)*)*b"])
def test_no_pattern_is_slow(pattern: str) -> None:
    begun = time.process_time()
    assert not Pattern(pattern).search("a" * 100_000)
    assert time.process_time() - begun < 2


@pytest.mark.parametrize(
    "pattern", ["((((){64}){64}){64}){64}", "(((a{64}){64}){64}){64}", "a" * 201, "(" * 100]
)
def test_no_pattern_is_large(pattern: str) -> None:
    with pytest.raises(ConfigError):
        Pattern(pattern)


# The documentation


def test_every_expression_in_the_documentation_parses() -> None:
    table = re.findall(r"^\| `([^`]+)` \|", RULES.read_text(), re.MULTILINE)
    assert len(table) >= 12
    for source in table:
        parse(source)
    for source in re.findall(r'^when = "(.*)"$', RULES.read_text(), re.MULTILINE):
        parse(source)


def test_the_reasons_in_the_documentation_are_the_real_ones() -> None:
    blocks = re.findall(r"```(\w+)\n(.*?)```", RULES.read_text(), re.DOTALL)
    attributes = json.loads(next(body for kind, body in blocks if kind == "json"))
    attributes = {k: tuple(v) if isinstance(v, list) else v for k, v in attributes.items()}
    reasons = next(body for kind, body in blocks if kind == "text" and "\n  false: " in body)
    pairs = list(zip(reasons.splitlines()[::2], reasons.splitlines()[1::2], strict=True))
    assert len(pairs) == 5
    for source, expected in pairs:
        verdict = parse(source).evaluate(attributes)
        assert f"  {str(verdict.matched).lower()}: {verdict.reason}" == expected
    mistake = next(body for kind, body in blocks if kind == "text" and "^\n" in body)
    with pytest.raises(ConfigError) as caught:
        parse("Modality = 'CT'")
    assert caught.value.message == mistake.rstrip("\n")
