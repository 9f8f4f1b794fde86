"""Stored bits become modality values: every sign, width and rescale, as pydicom computes them."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from bedside.dicom.frames import SeveralStacks
from bedside.dicom.scan import Series, scan
from bedside.dicom.volume import read_volume
from bedside.errors import InputRejected
from dicom_samples import assign, change, enhanced, ramp, rewritten, series


def only(paths: list[Path]) -> Series:
    (found,) = scan(paths).series
    return found


def store(path: Path, values: np.ndarray, *, stored: int, signed: bool, **others: object) -> None:
    """Replace one instance's pixels; ``values`` has the type of Bits Allocated."""

    def edit(dataset: Dataset) -> None:
        dataset.BitsAllocated = values.itemsize * 8
        dataset.BitsStored, dataset.HighBit = stored, stored - 1
        dataset.PixelRepresentation = int(signed)
        dataset.PixelData = values.tobytes() + b"\0" * (values.nbytes % 2)
        for keyword, value in others.items():
            setattr(dataset, keyword, value)

    change(path, edit)


def test_ct_comes_back_in_hounsfield_units(tmp_path: Path) -> None:
    volume = read_volume(only(series(tmp_path)))
    assert volume.array.dtype == np.int16
    assert (volume.array == ramp()).all()
    assert (volume.modality, volume.body_part) == ("CT", "ABDOMEN")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    width=st.sampled_from([8, 16, 32]),
    stored=st.integers(2, 32),
    signed=st.booleans(),
    slope=st.sampled_from(["1", "2", "-1", "0.5", "3.0", "1.00390625"]),
    intercept=st.sampled_from(["0", "-1024", "-1000.5", "32767", "-32768"]),
    seed=st.integers(0, 2**32 - 1),
    syntax=st.sampled_from(["", ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]),
)
def test_bits_and_rescale_are_those_of_pydicom(
    tmp_path: Path,
    width: int,
    stored: int,
    signed: bool,
    slope: str,
    intercept: str,
    seed: int,
    syntax: pydicom.uid.UID | str,
) -> None:
    stored = min(stored, width)
    kind = np.dtype(f"{'i' if signed else 'u'}{width // 8}")
    span = 2 ** min(stored, 14)  # so that whole values sometimes fit into 16 bits
    low = -span // 2 if signed else 0
    values = np.random.default_rng(seed).integers(low, low + span, (4, 6)).astype(kind)
    (path,) = series(tmp_path / "s", array=ramp((1, 4, 6)))
    store(path, values, stored=stored, signed=signed, RescaleSlope=slope, RescaleIntercept=intercept)
    if syntax:
        rewritten(path, syntax, path) if width != 32 else None
    expected = values.astype(np.float64) * float(slope) + float(intercept)
    volume = read_volume(only([path]))
    whole = float(slope).is_integer() and float(intercept).is_integer()
    fits = expected.min() >= -32768 and expected.max() <= 32767
    assert volume.array.dtype == (np.int16 if whole and fits else np.float32)
    np.testing.assert_array_equal(volume.array[0], expected.astype(volume.array.dtype))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("high", [11, 13, 15])
def test_unused_bits_are_removed(tmp_path: Path, signed: bool, high: int) -> None:
    """Old overlays lie in the high bits of Pixel Data (PS3.5 8.1.1)."""
    (path,) = series(tmp_path, array=ramp((1, 4, 6)))
    wanted = np.arange(24).reshape(4, 6) * 80 - (900 if signed else 0)
    raw = (wanted.astype(np.uint16) & 0x0FFF) << (high - 11)
    noise = np.uint16(0xFFFF) ^ np.uint16(0x0FFF << (high - 11))
    raw = (raw | (noise * (np.arange(24).reshape(4, 6) % 2).astype(np.uint16))).astype(np.uint16)

    def edit(dataset: Dataset) -> None:
        dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, high, int(signed)
        dataset.RescaleIntercept = 0
        dataset.PixelData = raw.tobytes()

    change(path, edit)
    assert (read_volume(only([path])).array[0] == wanted).all()


def test_padding_is_left_as_it_is(tmp_path: Path) -> None:
    array = ramp()
    array[:, :2, :2] = -3024
    paths = series(tmp_path, array=array)
    for path in paths:
        change(path, lambda d: d.add_new("PixelPaddingValue", "US", 0))
    assert (read_volume(only(paths)).array == array).all()


def test_monochrome1_means_the_same_values(tmp_path: Path) -> None:
    paths = series(tmp_path, PhotometricInterpretation="MONOCHROME1")
    assert (read_volume(only(paths)).array == ramp()).all()


def test_each_slice_has_its_own_rescale(tmp_path: Path) -> None:
    paths = series(tmp_path, modality="MR", array=ramp(low=0))
    for k, path in enumerate(paths):
        assign(path, RescaleSlope=f"{1 + k / 4}", RescaleIntercept="0")
    volume = read_volume(only(paths))
    expected = ramp(low=0) * (1 + np.arange(6) / 4)[:, None, None]
    assert volume.array.dtype == np.float32
    np.testing.assert_array_equal(volume.array, expected.astype(np.float32))


@pytest.mark.parametrize("modality", ["CT", "MR"])
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [3, 0, 5, 1, 4, 2]])
def test_enhanced_multi_frame_is_the_same_volume(tmp_path: Path, modality: str, order: list[int]) -> None:
    paths = series(tmp_path / "single", modality=modality, array=ramp(low=-1000 if modality == "CT" else 0))
    expected = read_volume(only(paths))
    packed = enhanced(paths, tmp_path / "multi.dcm", order=order)
    volume = read_volume(only([packed]))
    assert (volume.array == expected.array).all()
    np.testing.assert_allclose(volume.affine, expected.affine)


def test_enhanced_with_a_rescale_per_frame(tmp_path: Path) -> None:
    paths = series(tmp_path / "single")
    packed = enhanced(paths, tmp_path / "multi.dcm")

    def edit(dataset: Dataset) -> None:
        for k, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
            group.PixelValueTransformationSequence[0].RescaleIntercept = -1024 - k

    change(packed, edit)
    assert (read_volume(only([packed])).array == ramp() - np.arange(6)[:, None, None]).all()


@pytest.mark.parametrize(
    ("keyword", "value", "words"),
    [("StackID", "2", "2 stacks"), ("TemporalPositionIndex", 2, "2 temporal positions")],
)
def test_several_stacks_in_one_object_are_refused(
    tmp_path: Path, keyword: str, value: object, words: str
) -> None:
    packed = enhanced(series(tmp_path / "single"), tmp_path / "multi.dcm")
    change(
        packed,
        lambda d: setattr(d.PerFrameFunctionalGroupsSequence[5].FrameContentSequence[0], keyword, value),
    )
    with pytest.raises(SeveralStacks, match=f"6 frames in {words}"):
        read_volume(only([packed]))


def test_functional_groups_must_match_the_frames(tmp_path: Path) -> None:
    packed = enhanced(series(tmp_path / "single"), tmp_path / "multi.dcm")
    change(packed, lambda d: d.PerFrameFunctionalGroupsSequence.pop())
    with pytest.raises(InputRejected, match="6 frames, 5 functional groups"):
        read_volume(only([packed]))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "RGB"),
        ({"Rows": 600}, "Pixel Data of 240 bytes, its image attributes need 14400"),
        ({"RescaleSlope": "0"}, "Rescale Slope is 0"),
        ({"PixelData": None}, "no Pixel Data"),
        ({"NumberOfFrames": 2}, "Pixel Data of 240 bytes"),
        ({"BitsStored": 17}, "17 bits"),
    ],
)
def test_one_bad_instance_refuses_its_series(tmp_path: Path, values: dict[str, object], words: str) -> None:
    paths = series(tmp_path)
    assign(paths[5], **values)  # the last one: left out, it would be missed by nobody
    with pytest.raises(InputRejected, match=words):
        read_volume(only(paths))


def test_a_file_cut_short_refuses_its_series(tmp_path: Path) -> None:
    paths = series(tmp_path)
    paths[5].write_bytes(paths[5].read_bytes()[:-40])
    with pytest.raises(InputRejected, match="truncated: 200 of 240 bytes"):
        read_volume(only(paths))


def test_a_file_cut_between_scan_and_read_is_refused(tmp_path: Path) -> None:
    paths = series(tmp_path)
    found = only(paths)
    paths[2].write_bytes(paths[2].read_bytes()[:-40])
    with pytest.raises(InputRejected, match="truncated"):
        read_volume(found)
