"""Versions, sizes and names in the forms that the MAP specification wants."""

import pytest

from bedside.errors import ConfigError
from bedside.oci.map import MapSpec
from bedside.oci.map.spec import memory_text, model_folder, semantic_version, tenths


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("1.2.3", "1.2.3"),
        ("0.5.0-rc.1+build", "0.5.0-rc.1+build"),
        ("1.0", "1.0.0"),
        ("v2", "2.0.0"),
        ("0.1", "0.1.0"),
        ("1.2.3.4", "1.2.3-4"),
        ("1.2.3.04", "1.2.3-4"),
        ("01.2.3", "1.2.3"),
        ("2024.11.05", "2024.11.5"),
        ("1.0 beta", "1.0.0-beta"),
        ("1.0-", "1.0.0"),
        ("", "0.0.0"),
        ("latest", "0.0.0"),
    ],
)
def test_versions_become_semantic(given: str, written: str) -> None:
    assert semantic_version(given) == written


@pytest.mark.parametrize(
    ("size_bytes", "written"),
    [(1, "1Mi"), (64 * 2**20, "64Mi"), (2**30, "1Gi"), (2**30 + 1, "1.1Gi"), (1_600_000_000, "1.5Gi")],
)
def test_sizes_are_rounded_up_to_a_tenth(size_bytes: int, written: str) -> None:
    assert memory_text(size_bytes) == written


def test_counts_have_one_digit_after_the_point_at_most() -> None:
    assert [tenths(value) for value in (1, 2.0, 0.5, 1.01, 0.1 + 0.2)] == [1, 2, 0.5, 1.1, 0.3]
    assert isinstance(tenths(2.0), int)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("Spleen CT segmentation", "spleen-ct-segmentation"),
        ("a/../b", "a-..-b"),
        ("..", "model"),
        ("Müller\n\t", "m-ller"),
        ("x" * 200, "x" * 128),
    ],
)
def test_models_get_folders_without_spaces(name: str, folder: str) -> None:
    assert model_folder(name) == folder
    assert model_folder(folder) == folder


@pytest.mark.parametrize("wrong", [{"models": ()}, {"models": ("Two words",)}, {"timeout_s": -1}])
def test_what_cannot_be_a_map_is_refused(wrong: dict[str, object]) -> None:
    right = {"title": "t", "version": "1", "bedside_version": "1", "bundle_digest": "d", "models": ("m",)}
    MapSpec(**right)  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        MapSpec(**{**right, **wrong})  # type: ignore[arg-type]
