"""The fast equivalents are MONAI's results, bit for bit, and are really taken."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.networks.layers import AffineTransform
from monai.transforms import (
    Activationsd,
    AsDiscreted,
    Compose,
    CropForegroundd,
    EnsureChannelFirstd,
    EnsureTyped,
    Invertd,
    Orientationd,
    ScaleIntensityRanged,
    Spacingd,
)
from scipy.ndimage import gaussian_filter

from bedside.domain.volume import Volume
from bedside.model import fast_post, fast_pre
from bedside.model.capture import CaptureImaged
from bedside.model.grid import sampling_axes
from bedside.model.interpolation import IN_PLACE, lines, resampled, sampled_points
from bedside.model.loading import LoadVolumed


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def make_volume(*, kind: str = "axial", seed: int = 0, dtype: Any = np.int16) -> Volume:
    values = gaussian_filter(np.random.default_rng(seed).normal(0, 1, (27, 52, 61)), 2)
    array = (values / values.std() * 300).astype(dtype)
    directions = {
        "axial": ([0, 0, 2.5], [0, 0.8, 0], [0.9, 0, 0]),
        "sagittal": ([2.5, 0, 0], [0, 0, -0.8], [0, 0.9, 0]),
        "coronal": ([0, 2.5, 0], [0, 0, -0.8], [0.9, 0, 0]),
    }
    affine = np.eye(4)
    for axis, step in enumerate(directions[kind]):
        affine[:3, axis] = step
    affine[:3, 3] = [-21.3, 14.7, -40.2]
    return Volume(
        array=array,
        affine=affine,
        modality="CT",
        body_part="",
        frame_of_reference_uid="1.2",
        series_uid="1.2.3",
        source_spacing_mm=(2.5, 0.8, 0.9),
    )


def pipeline(*, axcodes: str = "RAS", pixdim: tuple[float, ...] = (1.5, 1.7, 2.1), **spacing: Any) -> Compose:
    return Compose(
        [
            LoadVolumed(keys="image"),
            EnsureChannelFirstd(keys="image"),
            Orientationd(keys="image", axcodes=axcodes),
            Spacingd(keys="image", pixdim=pixdim, **spacing),
            ScaleIntensityRanged(keys="image", a_min=-57, a_max=164, b_min=0, b_max=1, clip=True),
            EnsureTyped(keys="image"),
        ]
    )


def books(image: MetaTensor) -> list[dict[str, Any]]:
    """Return what inversion will look at, without object identities."""
    kept = []
    for operation in image.applied_operations:
        extra = {key: str(value) for key, value in operation["extra_info"].items()}
        kept.append(
            {"class": operation["class"], "id": operation["id"], "size": str(operation["orig_size"])} | extra
        )
    return kept


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(
    ("in_size", "out_size", "scale", "shift"),
    [
        ((50, 60, 40), (27, 32, 50), (1.875, 1.875, 0.8), 0.0),
        ((31, 29, 23), (60, 50, 33), (0.53, 0.61, 0.7), 0.37),
    ],
)
def test_grid_and_corners_are_torch_s(
    in_size: Any, out_size: Any, scale: Any, shift: float, align_corners: bool
) -> None:
    transform = torch.diag(torch.tensor([*scale, 1.0], dtype=torch.float64))
    transform[:3, 3] = shift
    source = torch.from_numpy(np.random.default_rng(1).normal(0, 500, in_size))
    layer = AffineTransform(
        normalized=False,
        mode="bilinear",
        padding_mode="border",
        align_corners=align_corners,
        reverse_indexing=True,
    )
    expected = layer(source[None, None], theta=transform, spatial_size=out_size)[0, 0]
    axes = sampling_axes(transform, in_size, out_size, align_corners=align_corners)
    assert axes is not None
    points = np.indices(out_size).reshape(3, -1)
    ours = sampled_points(
        [source.numpy()], lines(axes, IN_PLACE), (points[0], points[1], points[2]), (0, 1, 2)
    )
    assert np.array_equal(ours.reshape(out_size), expected.numpy())
    single = resampled(source.numpy().astype(np.float32), IN_PLACE, axes)
    wanted = layer(source.float().double()[None, None], theta=transform, spatial_size=out_size)[0, 0].float()
    assert torch.equal(single, wanted)


def test_oblique_grid_is_left_to_monai() -> None:
    transform = torch.eye(4, dtype=torch.float64)
    transform[0, 1] = 1e-6
    assert sampling_axes(transform, (9, 9, 9), (9, 9, 9), align_corners=False) is None


@pytest.mark.parametrize("kind", ["axial", "sagittal", "coronal"])
@pytest.mark.parametrize("axcodes", ["RAS", "LPS", "PLI", "SRA"])
def test_preparation_equals_monai(kind: str, axcodes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    volume, transforms = make_volume(kind=kind), pipeline(axcodes=axcodes)
    expected = transforms({"image": volume})["image"]
    # Spacingd must not be run by MONAI: the equivalent has to be taken.
    taken = []
    original = fast_pre._on_new_grid
    monkeypatch.setattr(fast_pre, "_on_new_grid", lambda *a: taken.append(original(*a)) or taken[-1])
    ours = fast_pre.prepared(transforms, {"image": volume})["image"]
    assert taken[0] is not None
    assert torch.equal(ours.as_tensor(), expected.as_tensor())
    assert torch.equal(ours.affine, expected.affine)
    assert ours.meta.keys() == expected.meta.keys()
    assert books(ours) == books(expected)


@pytest.mark.parametrize("case", ["zeros", "float", "constant", "same grid"])
def test_preparation_of_special_volumes_equals_monai(case: str) -> None:
    volume, transforms = make_volume(), pipeline()
    if case == "zeros":
        array = volume.array.copy()
        array[abs(array) < 200] = 0
        volume = dataclasses.replace(volume, array=array)
    elif case == "float":
        volume = dataclasses.replace(volume, array=(volume.array / 7).astype(np.float32))
    elif case == "constant":
        volume = dataclasses.replace(volume, array=np.full_like(volume.array, -1024))
    else:
        transforms = pipeline(pixdim=(0.9, 0.8, 2.5))
    expected = transforms({"image": volume})["image"]
    ours = fast_pre.prepared(transforms, {"image": volume})["image"]
    assert torch.equal(ours.as_tensor(), expected.as_tensor())
    assert torch.equal(ours.affine, expected.affine)


def test_what_is_not_known_is_run_by_monai() -> None:
    volume = make_volume()
    for transforms in (
        pipeline(mode="nearest"),
        pipeline(padding_mode="zeros"),
        pipeline(align_corners=True),
        pipeline(dtype=np.float32),
        Compose([*pipeline().transforms, CropForegroundd(keys="image", source_key="image")]),
    ):
        expected = transforms({"image": volume})["image"]
        ours = fast_pre.prepared(transforms, {"image": volume})["image"]
        assert torch.equal(ours.as_tensor(), expected.as_tensor())


POSTS: dict[str, tuple[int, list[Any]]] = {
    "softmax": (
        3,
        [Activationsd(keys="pred", softmax=True), "invert", AsDiscreted(keys="pred", argmax=True)],
    ),
    "late softmax": (
        4,
        ["invert", Activationsd(keys="pred", softmax=True), AsDiscreted(keys="pred", argmax=True)],
    ),
    "raw": (2, ["invert", AsDiscreted(keys="pred", argmax=True)]),
    "sigmoid": (
        2,
        [Activationsd(keys="pred", sigmoid=True), "invert", AsDiscreted(keys="pred", threshold=0.5)],
    ),
    "late sigmoid": (
        2,
        ["invert", Activationsd(keys="pred", sigmoid=True), AsDiscreted(keys="pred", threshold=0.3)],
    ),
    "one lesion": (
        1,
        [Activationsd(keys="pred", sigmoid=True), "invert", AsDiscreted(keys="pred", threshold=0.7)],
    ),
}


@pytest.mark.parametrize("roughness", [2.5, 0.0], ids=["smooth", "noise"])
@pytest.mark.parametrize("axcodes", ["RAS", "PLI"])
@pytest.mark.parametrize("name", POSTS)
def test_finishing_equals_monai(
    name: str, axcodes: str, roughness: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    channels, listed = POSTS[name]
    transforms = pipeline(axcodes=axcodes)
    image = transforms({"image": make_volume()})["image"]
    rng = np.random.default_rng(5)
    logits = np.stack(
        [gaussian_filter(rng.normal(0, 1, image.shape[1:]), roughness) for _ in range(channels)]
    )
    prediction = torch.from_numpy(logits / logits.std() * 3).float()
    invert = Invertd(
        keys="pred", transform=transforms, orig_keys="image", nearest_interp=False, to_tensor=True
    )
    post = Compose([*(invert if step == "invert" else step for step in listed), CaptureImaged(keys="pred")])

    def data() -> dict[str, Any]:
        return {"image": image, "label": None, "pred": MetaTensor(prediction.clone(), meta=image.meta)}

    expected = post(data())["bedside_captured:pred"]
    taken = []
    original = fast_post._inverted
    monkeypatch.setattr(fast_post, "_inverted", lambda *a: taken.append(original(*a)) or taken[-1])
    ours = fast_post.finished(post, data())["bedside_captured:pred"]
    assert taken
    assert taken[0] is not None
    assert ours.array.shape == expected.array.shape
    assert np.count_nonzero(ours.array != expected.array) == 0
    assert 0 < ours.array.astype(bool).mean() < 1
    assert np.array_equal(ours.affine, expected.affine)


def test_ties_and_not_a_number_are_decided_as_monai_does() -> None:
    transforms = pipeline()
    image = transforms({"image": make_volume()})["image"]
    prediction = torch.zeros((3, *image.shape[1:]))
    prediction[2, 5:9] = float("nan")
    invert = Invertd(keys="pred", transform=transforms, orig_keys="image", nearest_interp=False)
    post = Compose([invert, AsDiscreted(keys="pred", argmax=True), CaptureImaged(keys="pred")])
    data = {"image": image, "pred": MetaTensor(prediction, meta=image.meta)}
    expected = post(dict(data))["bedside_captured:pred"].array
    ours = fast_post.finished(post, dict(data))["bedside_captured:pred"].array
    assert np.array_equal(ours, expected)
    assert set(np.unique(ours)) == {0, 2}


def test_later_transforms_get_what_asdiscreted_gives() -> None:
    seen = []

    class Look:
        def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
            seen.append(data["pred"])
            return data

    transforms = pipeline()
    image = transforms({"image": make_volume()})["image"]
    prediction = torch.randn((2, *image.shape[1:]))
    invert = Invertd(keys="pred", transform=transforms, orig_keys="image", nearest_interp=False)
    post = Compose([invert, AsDiscreted(keys="pred", argmax=True), Look()])
    for run in (post, lambda data: fast_post.finished(post, data)):
        run({"image": image, "pred": MetaTensor(prediction.clone(), meta=image.meta)})
    expected, ours = seen
    assert ours.dtype == expected.dtype
    assert torch.equal(ours.as_tensor(), expected.as_tensor())
    assert ours.meta.keys() == expected.meta.keys()
