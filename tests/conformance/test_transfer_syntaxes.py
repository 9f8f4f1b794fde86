"""Every transfer syntax gives the voxels that went in, or what an independent decoder gives."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from bedside.dicom.codec import PAYING_MS, Encoded, cost_ms, decode_all, encoded_frames
from bedside.dicom.header import DECODABLE, NATIVE, read_header
from bedside.dicom.pixels import stored_frames
from bedside.dicom.scan import scan
from bedside.dicom.volume import read_volume
from bedside.errors import InputRejected
from dicom_samples import change, compress, enhanced, ramp, series

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
CODESTREAMS = Path(__file__).parent / "htj2k"
NATIVE_SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]
LOSSLESS = [RLELossless, JPEGLSLossless, JPEG2000Lossless, JPEGLossless, JPEGLosslessSV1]


def read(paths: list[Path]) -> NDArray[np.generic]:
    (found,) = scan(paths).series
    return read_volume(found).array


def test_all_of_them_are_tested() -> None:
    lossy = {JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000}
    htj2k = {HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K}
    assert {*NATIVE_SYNTAXES} == NATIVE
    assert {*LOSSLESS, *lossy, *htj2k} == DECODABLE


def unsigned12() -> tuple[NDArray[np.int16], str]:
    return ramp((3, 40, 56)), "CT"  # stored 12 bits unsigned with an intercept


def signed16() -> tuple[NDArray[np.int16], str]:
    array = (np.random.default_rng(7).integers(-20000, 20000, (3, 40, 56))).astype(np.int16)
    array[0, 0, :2] = -32768, 32767
    return array, "MR"


@pytest.mark.parametrize("content", [unsigned12, signed16])
@pytest.mark.parametrize("syntax", [*NATIVE_SYNTAXES, *LOSSLESS], ids=lambda s: s.name)
def test_lossless_series(
    tmp_path: Path, syntax: UID, content: Callable[[], tuple[NDArray[np.int16], str]]
) -> None:
    array, modality = content()
    paths = series(tmp_path, array=array, modality=modality)
    for path in paths:
        compress(path, syntax)
    np.testing.assert_array_equal(read(paths), array)


@pytest.mark.parametrize("syntax", [*NATIVE_SYNTAXES[:1], *LOSSLESS], ids=lambda s: s.name)
def test_lossless_eight_bits(tmp_path: Path, syntax: UID) -> None:
    values = np.random.default_rng(3).integers(0, 256, (40, 56)).astype(np.uint8)
    (path,) = series(tmp_path, array=ramp((1, 40, 56)), modality="MR")
    change(path, eight_bits(values))
    compress(path, syntax)
    np.testing.assert_array_equal(read([path])[0], values)


def eight_bits(values: NDArray[np.uint8]) -> Callable[[Dataset], None]:
    def edit(dataset: Dataset) -> None:
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
        dataset.PixelRepresentation = 0
        dataset.PixelData = values.tobytes()

    return edit


def smooth(low: int, high: int) -> NDArray[np.int16]:
    i, j = np.mgrid[:64, :80]
    wave = np.sin(i / 9) * np.cos(j / 13) + i / 64
    scaled = low + (high - low) * (wave - wave.min()) / np.ptp(wave)
    return scaled.astype(np.int16)[None]


@pytest.mark.parametrize(
    ("syntax", "high", "error", "options"),
    [
        (JPEGLSNearLossless, 4095, 3, {"jls_error": 3}),
        (JPEG2000, 4095, 40, {"j2k_cr": [10]}),
        (JPEGExtended12Bit, 4095, 60, {}),
        (JPEGBaseline8Bit, 255, 8, {}),
    ],
)
def test_lossy_series_are_near_and_noted(
    tmp_path: Path, syntax: UID, high: int, error: int, options: dict[str, float]
) -> None:
    array = smooth(0, high)
    (path,) = series(tmp_path, array=array, modality="MR")
    if high == 255:
        change(path, eight_bits(array[0].astype(np.uint8)))
    compress(path, syntax, **options)
    assert np.abs(read([path]).astype(int) - array).max() <= error
    header = read_header(path)
    assert header is not None
    assert header.lossy or syntax in (JPEGLSNearLossless, JPEG2000), "these say so by their attribute only"


@pytest.mark.needs("dcmdjpeg")
@pytest.mark.parametrize("name", ["JPGExtended.dcm", "JPEG-lossy.dcm"])
def test_twelve_bit_jpeg_is_what_dcmtk_decodes(tmp_path: Path, name: str) -> None:
    subprocess.run(["dcmdjpeg", FILES / name, tmp_path / "plain.dcm"], check=True, capture_output=True)
    one, other = read_header(FILES / name), read_header(tmp_path / "plain.dcm")
    assert one is not None and other is not None
    np.testing.assert_array_equal(next(stored_frames(one)), next(stored_frames(other)))


@pytest.mark.needs("dcmcjpeg")
@pytest.mark.parametrize(
    ("option", "syntax"),
    [("+e1", JPEGLosslessSV1), ("+el", JPEGLossless), ("+ee", JPEGExtended12Bit), ("+eb", JPEGBaseline8Bit)],
)
def test_what_dcmtk_wrote_is_what_dcmtk_reads(tmp_path: Path, option: str, syntax: UID) -> None:
    eight = syntax == JPEGBaseline8Bit
    (path,) = series(tmp_path, array=smooth(0, 255 if eight else 4095), modality="MR")
    if eight:
        change(path, eight_bits(smooth(0, 255)[0].astype(np.uint8)))
    packed, plain = tmp_path / "packed.dcm", tmp_path / "plain.dcm"
    subprocess.run(["dcmcjpeg", option, "+un", path, packed], check=True, capture_output=True)
    subprocess.run(["dcmdjpeg", packed, plain], check=True, capture_output=True)
    assert pydicom.dcmread(packed).file_meta.TransferSyntaxUID == syntax
    np.testing.assert_array_equal(read([packed]), read([plain]))


@pytest.mark.parametrize(
    "name",
    [
        "MR_small_RLE.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_expb.dcm",
        "MR_small_implicit.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_padded.dcm",
    ],
)
def test_the_same_scanner_image_in_every_syntax(name: str) -> None:
    np.testing.assert_array_equal(read([FILES / name]), read([FILES / "MR_small.dcm"]))


@pytest.mark.parametrize("name", ["693_J2KI.dcm", "J2K_pixelrep_mismatch.dcm"])
def test_full_size_jpeg2000_is_what_gdcm_decodes(name: str) -> None:
    dataset = pydicom.dcmread(FILES / name)
    dataset.pixel_array_options(decoding_plugin="gdcm")
    header = read_header(FILES / name)
    assert header is not None
    assert (header.rows, header.columns) == (512, 512)
    np.testing.assert_array_equal(next(stored_frames(header)), dataset.pixel_array)


def htj2k_image() -> NDArray[np.int16]:
    """The image in ``htj2k/*.j2c``, written by OpenJPH; see the README there."""
    i, j = np.mgrid[:72, :96]
    values = (i * 7 + j * 13) % 311 + ((i - 40) ** 2 + (j - 30) ** 2) // 9 - 1000
    return values.astype(np.int16)


@pytest.mark.parametrize(
    ("name", "syntax", "offset", "error"),
    [
        ("lossless", HTJ2KLossless, 0, 0),
        ("lossless_rpcl", HTJ2KLosslessRPCL, 0, 0),
        ("lossless_unsigned", HTJ2KLossless, 1024, 0),
        ("lossy", HTJ2K, 0, 4),
    ],
)
def test_high_throughput_jpeg2000(tmp_path: Path, name: str, syntax: UID, offset: int, error: int) -> None:
    (path,) = series(tmp_path, array=ramp((1, 72, 96)), modality="MR")

    def edit(dataset: Dataset) -> None:
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.BitsStored, dataset.HighBit = 16, 15
        dataset.PixelRepresentation = int(offset == 0)
        dataset.PixelData = encapsulate([(CODESTREAMS / f"{name}.j2c").read_bytes()])
        dataset["PixelData"].VR = "OB"

    change(path, edit)
    difference = read([path])[0].astype(int) - offset - htj2k_image()
    assert np.abs(difference).max() <= error


@pytest.mark.parametrize("layout", ["one each", "fragments with table", "extended table", "no table"])
def test_multi_frame_encapsulation(tmp_path: Path, layout: str) -> None:
    array = ramp((5, 64, 80))
    paths = series(tmp_path / "single", array=array)
    packed = enhanced(paths, tmp_path / "multi.dcm", order=[4, 0, 3, 1, 2])

    def edit(dataset: Dataset) -> None:
        dataset.compress(JPEGLSLossless, generate_instance_uid=False)
        frames = list(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=5))
        if layout == "fragments with table":
            dataset.PixelData = encapsulate(frames, fragments_per_frame=3, has_bot=True)
        elif layout == "no table":
            dataset.PixelData = encapsulate(frames, has_bot=False)
        elif layout == "extended table":
            dataset.PixelData, offsets, lengths = encapsulate_extended(frames)
            dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = offsets, lengths

    change(packed, edit)
    np.testing.assert_array_equal(read([packed]), array)


def test_fragments_that_belong_to_no_frame_are_refused(tmp_path: Path) -> None:
    packed = enhanced(series(tmp_path / "single"), tmp_path / "multi.dcm")

    def edit(dataset: Dataset) -> None:
        dataset.compress(RLELossless, generate_instance_uid=False)
        frames = list(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=6))
        dataset.PixelData = encapsulate(frames, fragments_per_frame=2, has_bot=False)

    change(packed, edit)
    with pytest.raises(InputRejected, match="12 fragments for 6 frames"):
        read([packed])


@pytest.mark.parametrize(
    "name", ["JPEG2000-embedded-sequence-delimiter.dcm", "SC_rgb_small_odd_jpeg.dcm", "MR_small_RLE.dcm"]
)
def test_a_codestream_of_another_size_is_not_decoded(tmp_path: Path, name: str) -> None:
    def edit(dataset: Dataset) -> None:
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.Rows = dataset.Rows + 1

    header = read_header(change(FILES / name, edit, to=tmp_path / "x.dcm"))
    assert header is not None
    with pytest.raises(InputRejected, match=r"codestream of|cannot be decoded"):
        next(stored_frames(header))


def test_many_slow_frames_are_decoded_in_processes(tmp_path: Path) -> None:
    (path,) = series(tmp_path, array=ramp((1, 512, 512)))
    compress(path, JPEG2000Lossless)
    header = read_header(path)
    assert header is not None
    (one,) = encoded_frames(header)
    frames: list[Encoded] = [one] * (int(PAYING_MS / cost_ms([one])) + 2)
    assert cost_ms(frames) > PAYING_MS
    count = 0
    expected = pydicom.dcmread(path).pixel_array
    for array in decode_all(frames):
        assert (array == expected).all()
        count += 1
    assert count == len(frames)
