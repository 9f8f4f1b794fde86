"""Pipelines and rules from settings."""

from pathlib import Path

import pytest

from bedside.config import PipelineSettings, RuleSettings
from bedside.domain.pipeline import Release, StageKind
from bedside.errors import ConfigError
from bedside.worker.plans import pipelines_of, rules_of
from unit.worker.workshop import RELEASE, T0


def register(bundle: Path) -> Release:
    return Release(digest=RELEASE, name=bundle.name, version="1", added_at=T0)


def pipelines(*given: dict[str, object]) -> list[PipelineSettings]:
    return [PipelineSettings.model_validate(one) for one in given]


def test_a_pipeline_of_one_stage_has_its_keys_at_the_top() -> None:
    made = pipelines_of(
        pipelines({"name": "spleen", "bundle": "b", "select": "SliceThickness <= 3", "pool": "gpu"}), register
    )["spleen"]
    (stage,) = made.stages
    assert (stage.name, stage.kind, stage.release, stage.pool) == ("infer", StageKind.BUNDLE, RELEASE, "gpu")
    assert stage.settings == {"select": "SliceThickness <= 3"}


def test_defaults_are_no_part_of_a_jobs_identity() -> None:
    plain = pipelines_of(pipelines({"name": "p", "bundle": "b"}), register)["p"]
    spelt = pipelines_of(
        pipelines(
            {"name": "p", "bundle": "b", "precision": "fp32", "outputs": ["seg", "sr", "surface", "preview"]}
        ),
        register,
    )["p"]
    other = pipelines_of(pipelines({"name": "p", "bundle": "b", "precision": "bf16"}), register)["p"]
    assert plain.version == spelt.version != other.version


def test_several_stages_keep_their_order() -> None:
    made = pipelines_of(
        pipelines(
            {
                "name": "video",
                "stage": [{"command": ["prepare"], "timeout_s": 5}, {"name": "read", "bundle": "b"}],
            }
        ),
        register,
    )["video"]
    assert [(stage.name, stage.kind.value) for stage in made.stages] == [
        ("stage1", "command"),
        ("read", "bundle"),
    ]
    assert made.stages[0].timeout_s == 5


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([{"name": "p"}], "needs either a bundle or a command"),
        ([{"name": "p", "bundle": "b", "command": ["c"]}], "needs either a bundle or a command"),
        ([{"name": "p", "bundle": "b"}, {"name": "p", "bundle": "b"}], "two of this name"),
        ([{"name": "p", "bundle": "b", "stage": [{"bundle": "b"}]}], "has stages, and a bundle"),
        ([{"name": "p", "stage": [{"name": "a/b", "bundle": "b"}]}], "more than letters"),
        ([{"name": "p", "stage": [{"name": "a", "bundle": "b"}] * 2}], "two stages have the same name"),
        ([{"name": "p", "bundle": "b", "select": "Modalty == 'CT'"}], "Modality"),
        ([{"name": "p", "bundle": "b", "select": "Modality =="}], "Modality =="),
    ],
)
def test_what_cannot_be_meant_is_refused(given: list[dict[str, object]], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        pipelines_of(pipelines(*given), register)


def test_rules_name_pipelines_that_are_there() -> None:
    made = pipelines_of(pipelines({"name": "p", "bundle": "b"}), register)
    rule = RuleSettings(
        name="r", pipeline="p", when='Modality == "CT"', requires=("SliceThickness < 5",), priority=3
    )
    (found,) = rules_of([rule], made)
    assert (found.when, found.requires, found.priority) == ('Modality == "CT"', ("SliceThickness < 5",), 3)
    with pytest.raises(ConfigError, match="there is no pipeline 'q'; configured: p"):
        rules_of([RuleSettings(name="r", pipeline="q")], made)
    with pytest.raises(ConfigError, match="two of this name"):
        rules_of([rule, rule], made)
    with pytest.raises(ConfigError, match="Modality"):
        rules_of([RuleSettings(name="r", pipeline="p", when="Modalty == 'CT'")], made)
