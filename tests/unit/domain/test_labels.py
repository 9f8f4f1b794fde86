"""Labels and input guard, as the deployment changes them."""

from typing import Any

import pytest

from bedside.domain.acceptance import Acceptance
from bedside.domain.codes import label_for
from bedside.domain.labels import accept, override
from bedside.domain.volume import Code
from bedside.errors import ConfigError

LABELS = (label_for("liver", 1), label_for("thing", 2))


def test_nothing_said_changes_nothing() -> None:
    assert override(LABELS, {}) == LABELS
    assert override(LABELS, {"1": {"name": "", "code": None, "colour": None}}) == LABELS


def test_name_brings_its_own_code_and_colour() -> None:
    (_, renamed) = override(LABELS, {"2": {"name": "spleen"}})
    assert (renamed.value, renamed.name, renamed.code.value) == (2, "spleen", "78961009")


def test_code_category_and_colour_are_taken_as_written() -> None:
    changed = override(
        LABELS,
        {"2": {"code": ["1", "99X", "Thing"], "category": ("2", "SCT", "Kind"), "colour": [1, 2, 3]}},
    )[1]
    assert changed.name == "thing"
    assert changed.code == Code(value="1", scheme="99X", meaning="Thing")
    assert changed.category == Code(value="2", scheme="SCT", meaning="Kind")
    assert changed.colour == (1, 2, 3)


def test_value_that_the_bundle_does_not_name_adds_a_label() -> None:
    assert [label.value for label in override(LABELS, {"7": {"name": "aorta"}})] == [1, 2, 7]


@pytest.mark.parametrize(
    "overrides",
    [
        {"0": {}},
        {"spleen": {}},
        {"1": {"code": ["1", "2"]}},
        {"1": {"colour": [1, 2]}},
        {"1": {"colour": [1, 2, 300]}},
    ],
)
def test_what_is_not_of_its_form_is_refused(overrides: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="labels"):
        override(LABELS, overrides)


def test_limits_override_one_by_one() -> None:
    bundle = Acceptance(modalities=frozenset({"CT"}), min_slices=20)
    changed = accept(bundle, {"modality": ["mr"], "body_part": None, "spacing_mm": [0.5, 5]})
    assert changed == Acceptance(modalities=frozenset({"MR"}), min_slices=20, spacing_mm=(0.5, 5.0))
    assert accept(bundle, {"modality": [], "min_slices": 3}) == Acceptance(min_slices=3)


@pytest.mark.parametrize(
    "overrides", [{"modality": 3}, {"min_slices": "many"}, {"spacing_mm": [5]}, {"spacing_mm": [5, 1]}]
)
def test_limits_not_of_their_form_are_refused(overrides: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="accept"):
        accept(Acceptance(), overrides)
