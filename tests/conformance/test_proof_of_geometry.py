"""The proof refuses each way in which a bundle can move its masks, and passes bundles that do not.

One bad bundle per defect, as people make them: each is refused with a message of its own, with the
millimetres and the patient's axis.
"""

from pathlib import Path
from typing import Any

import pytest

from bedside.errors import ConfigError
from bundles import build
from proof_samples import Change, lambdad, post, pre, proof_of, write_proof_bundle

#: A mask that is mirrored after everything was put back: a forgotten flip in a script.
_FLIPPED = "image = torch.flip(image, [1])"

#: The same with rows and columns: the data are transposed, what is said of them is not.
_SWAPPED = """d = (image.shape[1] - image.shape[2]) // 2
    turned = torch.nn.functional.pad(image.as_tensor().transpose(1, 2), (0, 0, 0, 0, d, d))
    image = image * 0 + turned[:, :, d:-d]"""


def in_post(config: dict[str, Any], _metadata: dict[str, Any]) -> None:
    """The bundle's own transform on the mask, before it is saved."""
    post(config).insert(len(post(config)) - 1, lambdad("pred"))


def in_pre(config: dict[str, Any], _metadata: dict[str, Any]) -> None:
    """The bundle's own transform on the study, after it was reoriented; the inversion does not know it."""
    pre(config).append(lambdad("image"))


def swap_channels(_config: dict[str, Any], metadata: dict[str, Any]) -> None:
    """Metadata that calls the background spleen."""
    output = metadata["network_data_format"]["outputs"]["pred"]
    output["channel_def"] = {"0": "everything else", "1": "spleen"}


def twice_as_big(config: dict[str, Any], _metadata: dict[str, Any]) -> None:
    """A mask saved on a grid of another size."""
    del post(config)[0]
    post(config).insert(
        1, {"_target_": "Zoomd", "keys": "pred", "zoom": 0.5, "mode": "nearest", "keep_size": False}
    )


def unknown_transform(config: dict[str, Any], _metadata: dict[str, Any]) -> None:
    """A transform that is not there."""
    pre(config).append({"_target_": "Sharpenedd", "keys": "image"})


#: By name: the change, the bundle's own statements, what else differs, and what the refusal must say.
DEFECTS: dict[str, tuple[Change | None, str, dict[str, bool], str]] = {
    "flip in the postprocessing": (in_post, _FLIPPED, {}, r"flipped along right–left"),
    "flip in the preprocessing": (in_pre, "image = torch.flip(image, [3])", {}, r"flipped along feet–head"),
    "axes swapped": (in_post, _SWAPPED, {}, r"axes swapped"),
    "missing Invertd": (None, "", {"invert": False}, r"another grid than its series.*voxels against"),
    "shift of voxels": (
        in_post,
        "image = torch.roll(image, 4, 3)",
        {},
        r"shifted by 10\.\d mm towards the head \(1\.0 allowed\)",
    ),
    "half a voxel": (
        in_pre,
        "image = (image + torch.roll(image, -1, 3)) / 2",
        {},
        r"shifted by 1\.\d mm towards the feet \(1\.0 allowed\)",
    ),
    "shifted affine": (
        in_post,
        "image.affine[0, 3] += 5.0",
        {},
        r"another grid.*corners [23]\.\d\d voxels apart",
    ),
    "another size": (twice_as_big, "", {}, r"another grid than its series"),
    "crash on a study": (in_pre, "raise ValueError('no such organ')", {}, r"ValueError"),
    "crash at loading": (unknown_transform, "", {}, r"cannot be evaluated"),
    "grown": (
        in_post,
        "image = torch.nn.functional.max_pool3d(image.as_tensor()[None], 15, 1, 7)[0] + 0 * image",
        {},
        r"times the solid's volume",
    ),
    "lost": (in_post, "image = image * 0", {}, r"nothing of the solid comes back"),
    "names shifted": (swap_channels, "", {}, r"'spleen'"),
}


def test_a_bundle_that_reorients_and_resamples_is_proved(tmp_path: Path) -> None:
    proof = proof_of(write_proof_bundle(tmp_path / "bundle"), tmp_path)
    assert len(proof.geometry) == 7
    assert all(one.dice > 0.9 for one in proof.geometry)
    assert proof.golden.voxels > 1000
    assert proof.warnings == ()


@pytest.mark.parametrize("defect", list(DEFECTS))
def test_each_defect_is_refused_with_its_own_message(defect: str, tmp_path: Path) -> None:
    change, own, more, expected = DEFECTS[defect]
    bundle = write_proof_bundle(tmp_path / "bundle", change=change, own=own, **more)
    with pytest.raises(ConfigError, match=expected) as refused:
        proof_of(bundle, tmp_path)
    assert refused.value.message.startswith("bundle nothing: ")
    assert refused.value.hint


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in build.BUILDERS if name != "classifier"])
def test_bundles_of_every_build_are_proved(name: str, tmp_path: Path) -> None:
    """Softmax and sigmoid, TorchScript, own code, cropping, no orientation: all come back in place."""
    proof = proof_of(build.BUILDERS[name](tmp_path / "bundle"), tmp_path)
    assert all(one.problem == "" for one in proof.geometry)


def test_a_classifier_has_no_geometry_but_a_golden_case(tmp_path: Path) -> None:
    proof = proof_of(build.classifier(tmp_path / "bundle"), tmp_path)
    assert proof.geometry == ()
    assert set(proof.golden.numbers) == {"normal", "nodule", "mass"}
