"""The table of names: every code is in the standard's dictionary, names are found in any spelling."""

import pytest
from pydicom.sr._concepts_dict import concepts

from bedside.domain import codes
from bedside.domain.codes import LEFT, PRIVATE_SCHEME, RIGHT, label_for

_MEANINGS = {
    (value, meaning) for by_code in concepts["SCT"].values() for value, (meaning, _) in by_code.items()
}


def test_every_concept_stands_in_the_dictionary_under_its_own_meaning() -> None:
    table = [*codes._KNOWN.values(), *codes._KNOWN_ABNORMAL.values()]
    assert len(table) > 100
    unknown = {(c.value, c.meaning) for c in table} - _MEANINGS
    assert not unknown
    for code in (codes.ANATOMY, codes.ABNORMAL, codes.TISSUE, codes.SUBSTANCE, LEFT, RIGHT):
        assert (code.value, code.meaning) in _MEANINGS


@pytest.mark.parametrize(
    ("name", "value", "side"),
    [
        ("spleen", "78961009", None),
        ("Spleen", "78961009", None),
        ("kidney_left", "64033007", LEFT),
        ("Right Kidney", "64033007", RIGHT),
        ("kidneys", "64033007", None),
        ("leftLung", "39607008", LEFT),
        ("lung_upper_lobe_right", "45653009", RIGHT),
        ("middle lobe of right lung", "72481006", None),
        ("heart_ventricle_left", "87878005", None),
        ("vertebrae_L1", "66794005", None),
        ("urinary_bladder", "89837001", None),
    ],
)
def test_spellings(name: str, value: str, side: object) -> None:
    label = label_for(name, 1)
    assert (label.code.scheme, label.code.value, label.modifier) == ("SCT", value, side)
    assert label.name == name


def test_a_tumour_keeps_its_organ_as_region() -> None:
    label = label_for("liver tumour", 2)
    assert label.code.meaning == "Neoplasm"
    assert label.category == codes.ABNORMAL
    assert label.region is not None and label.region.value == "10200004"
    assert label_for("tumor", 1).region is None


@pytest.mark.parametrize("name", ["zygodactyl thing", "x" * 200, "脾臓", "", "spleen-ish"])
def test_an_unknown_name_is_coded_privately_and_fits_its_value_representations(name: str) -> None:
    label = label_for(name, 3)
    assert label.code.scheme == PRIVATE_SCHEME
    assert 0 < len(label.code.value) <= 16
    assert 0 < len(label.code.meaning) <= 64
    assert label == label_for(name, 3)
