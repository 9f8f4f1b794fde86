"""Folders and settings of the application: environment, file, defaults, and who wins."""

import json
from pathlib import Path

import pytest

from bedside.domain.outputs import DEFAULT_OUTPUTS
from bedside.errors import BedsideError, ConfigError, UsageError
from bedside.oci.map import MapSpec
from bedside.oci.map.image import map_environment
from bedside.runtime.wishes import Wishes, read_wishes

SPEC = MapSpec(title="t", version="1", bedside_version="1", bundle_digest="d", models=("m",))


def wishes(*arguments: str, **variables: str) -> Wishes:
    return read_wishes(arguments, {**map_environment(SPEC), **variables})


def test_the_images_own_environment_gives_the_folders_of_the_contract() -> None:
    found = wishes()
    assert (str(found.input), str(found.output)) == ("/var/holoscan/input", "/var/holoscan/output")
    assert str(found.models) == "/opt/holoscan/models"
    assert (found.device, found.threads, found.flat, found.release) == ("auto", 0, False, "")


def test_settings_are_those_of_bedside_run() -> None:
    # Part of the identity of derived objects: another default would be another UID.
    assert wishes().stage == {
        "select": "",
        "outputs": DEFAULT_OUTPUTS,
        "engine": "torch",
        "precision": "fp32",
    }


@pytest.mark.parametrize("variable", ["HOLOSCAN_INPUT_PATH", "MONAI_INPUTPATH"])
def test_a_host_of_either_generation_is_understood(variable: str) -> None:
    assert str(wishes(**{variable: "/tmp/data"}).input) == "/tmp/data"


def test_relative_folders_lie_below_the_working_directory() -> None:
    assert str(wishes(HOLOSCAN_INPUT_PATH="input/").input) == "/var/holoscan/input"
    assert str(wishes(HOLOSCAN_OUTPUT_PATH="out", HOLOSCAN_WORKDIR="/work").output) == "/work/out"


def test_arguments_win_over_the_environment() -> None:
    assert str(wishes("-i", "/a", HOLOSCAN_INPUT_PATH="/b").input) == "/a"
    with pytest.raises(UsageError, match="--driver"):
        wishes("--driver")


def test_environment_wins_over_the_file(tmp_path: Path) -> None:
    config = tmp_path / "app.yaml"
    config.write_text(json.dumps({"bedside": {"outputs": ["seg"], "precision": "bf16", "threads": 2}}))
    found = wishes(
        HOLOSCAN_CONFIG_PATH=str(config), BEDSIDE_OUTPUTS="seg, sr", BEDSIDE_SELECT="Modality == 'CT'"
    )
    assert found.stage["outputs"] == ("seg", "sr")
    assert found.stage["precision"] == "bf16"
    assert found.stage["select"] == "Modality == 'CT'"
    assert found.threads == 2


def test_a_file_may_be_yaml_or_another_applications(tmp_path: Path) -> None:
    config = tmp_path / "app.yaml"
    config.write_text("bedside:\n  outputs: [nifti]\n")
    assert wishes("-c", str(config)).stage["outputs"] == ("nifti",)
    config.write_text("application:\n  title: other\n")
    assert wishes("-c", str(config)).stage["outputs"] == DEFAULT_OUTPUTS


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"output": ["seg"]}, "outputs"),
        ({"engine": "tf"}, "torch"),
        ({"threads": -1}, "threads"),
        ([], "table"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, section: object, said: str) -> None:
    config = tmp_path / "app.yaml"
    config.write_text(json.dumps({"bedside": section}))
    with pytest.raises(ConfigError, match=said):
        wishes("-c", str(config))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BEDSIDE_OUTPUTS", "masks"),
        ("BEDSIDE_PRECISION", "fp8"),
        ("BEDSIDE_THREADS", "many"),
        ("BEDSIDE_LABELS", "{"),
        ("BEDSIDE_SELECT", "Modality =="),
    ],
)
def test_a_wrong_variable_is_refused(name: str, value: str) -> None:
    with pytest.raises(BedsideError) as refused:
        wishes(**{name: value})
    assert refused.value.exit_code in (2, 3)


def test_an_unknown_variable_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    wishes(BEDSIDE_OUTPUTTS="seg", BEDSIDE_PORT_80_TCP="tcp://…", BEDSIDE_PARENT_PID="1")
    assert capsys.readouterr().err == (
        "warning: BEDSIDE_OUTPUTTS is no setting of bedside, did you mean BEDSIDE_OUTPUTS?\n"
    )


def test_mercure_gets_its_objects_where_it_looks() -> None:
    assert wishes(MERCURE_OUT_DIR="/tmp/output").flat
    assert not wishes(MERCURE_OUT_DIR="/tmp/output", BEDSIDE_LAYOUT="nested").flat
