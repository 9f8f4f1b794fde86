"""The first configuration, for bundles of any name."""

import tomllib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bedside.cli.init import configuration_text, short_name
from bedside.config import Settings
from bedside.domain.acceptance import Acceptance
from bedside.domain.codes import label_for
from bedside.domain.expression import parse
from bedside.model.bundle import Bundle

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


def bundle(name: str, modalities: frozenset[str] = frozenset({"CT"})) -> Bundle:
    return Bundle(
        path=Path("x"),
        name=name,
        version="1",
        digest="sha256:0",
        task="",
        labels=(label_for(name, 1), label_for("spleen", 2)),
        acceptance=Acceptance(modalities=modalities, spacing_mm=(0.5, 5.0)),
        inputs=("image",),
        channels=(),
        first_is_background=True,
        config="configs/inference.json",
        weights="",
    )


@given(TEXT, TEXT)
def test_any_name_and_path_give_a_file_that_can_be_read(name: str, path: str) -> None:
    document = tomllib.loads(configuration_text(bundle(name), path))
    assert document["pipeline"][0]["bundle"] == path
    assert document["rule"][0]["pipeline"] == document["pipeline"][0]["name"]
    Settings.model_validate(document)


@given(st.frozensets(st.sampled_from(["CT", "MR", "PT"])))
def test_the_first_rule_is_one_that_can_be_evaluated(modalities: frozenset[str]) -> None:
    (rule,) = tomllib.loads(configuration_text(bundle("x", modalities), "x"))["rule"]
    for modality in modalities:
        assert parse(rule["when"]).evaluate({"Modality": modality}).matched
    assert not parse(rule["when"]).evaluate({"Modality": "US"}).matched


def test_names_are_made_easy_to_type() -> None:
    assert short_name("Spleen CT segmentation (v2)") == "spleen-ct-segmentation-v2"
    assert short_name("脾臓") == "model"
