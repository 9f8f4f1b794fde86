"""Small studies for tests of results: two ellipsoids at known places in the patient, acquired any way.

The solids are found again by their HU in what was read back, never by the array they were made from: a
turn or shift anywhere between writing and reading shows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bedside.dicom.create import SeriesSpec, write_series
from bedside.dicom.scan import Series, scan
from bedside.dicom.volume import read_volume
from bedside.domain.codes import label_for
from bedside.domain.outputs import OUTPUTS
from bedside.domain.request import RunRequest
from bedside.domain.volume import ModelOutput, Segmentation, Volume

#: LPS millimetres; no two numbers alike, so that no swap or flip goes unseen.
LARGE_CENTRE = np.array([19.0, -41.0, 408.0])
LARGE_RADII = np.array([22.0, 15.0, 18.0])
SMALL_CENTRE = np.array([-22.0, -10.0, 391.0])
SMALL_RADII = np.array([11.0, 14.0, 12.5])
VOLUME_CENTRE = np.array([3.0, -29.0, 401.0])
LARGE_HU, SMALL_HU = 300, 700

LABELS = (label_for("spleen", 1), label_for("right kidney", 2), label_for("liver", 3))

REQUEST = RunRequest(
    job_identity="job-1",
    arrival_id="arrival-1",
    release="sha256:" + "ab" * 32,
    release_name="organs_ct",
    release_version="1.2.0",
    content_at=datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC),
    outputs=OUTPUTS,
)


def grid(
    shape: tuple[int, int, int],
    *,
    step: NDArray[np.float64],
    down: NDArray[np.float64],
    along: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the affine of a grid around `VOLUME_CENTRE`; vectors hold the spacing, mm."""
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = step, down, along
    middle = (np.array(shape) - 1) / 2
    affine[:3, 3] = VOLUME_CENTRE - affine[:3, :3] @ middle
    return affine


def rotation(axis: tuple[float, float, float], degrees: float) -> NDArray[np.float64]:
    """Return a rotation matrix (Rodrigues)."""
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    turned: NDArray[np.float64] = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
    return turned


X, Y, Z = np.eye(3)
_TURN = rotation((1, 2, 3), 25)


def acquisitions() -> Mapping[str, tuple[tuple[int, int, int], NDArray[np.float64]]]:
    """Return shape and affine of every acquisition, by name."""
    shape = (44, 72, 80)
    tall = (60, 56, 76)
    return {
        "axial": (shape, grid(shape, step=2.5 * Z, down=1.6 * Y, along=1.5 * X)),
        "axial feet last": (shape, grid(shape, step=-2.5 * Z, down=1.6 * Y, along=1.5 * X)),
        "axial prone": (shape, grid(shape, step=2.5 * Z, down=-1.6 * Y, along=-1.5 * X)),
        "sagittal": (tall, grid(tall, step=2.0 * X, down=-1.9 * Z, along=1.4 * Y)),
        "coronal": (tall, grid(tall, step=1.7 * Y, down=-1.9 * Z, along=1.6 * X)),
        "oblique": (
            shape,
            grid(shape, step=2.6 * _TURN @ Z, down=1.7 * _TURN @ Y, along=1.6 * _TURN @ X),
        ),
        "thick slices, long pixels": (
            (24, 110, 60),
            grid((24, 110, 60), step=5.0 * Z, down=0.9 * Y, along=2.1 * X),
        ),
    }


def place(shape: tuple[int, int, int], affine: NDArray[np.float64]) -> NDArray[np.int16]:
    """Return soft tissue with the two solids where they belong, HU."""
    index = np.stack(np.meshgrid(*(np.arange(size) for size in shape), indexing="ij"), axis=-1)
    points = index @ affine[:3, :3].T + affine[:3, 3]
    array = np.full(shape, 40, dtype=np.int16)
    for centre, radii, hounsfield in (
        (LARGE_CENTRE, LARGE_RADII, LARGE_HU),
        (SMALL_CENTRE, SMALL_RADII, SMALL_HU),
    ):
        array[(((points - centre) / radii) ** 2).sum(axis=-1) <= 1] = hounsfield
    return array


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A series as read, and what a perfect model finds in it."""

    paths: tuple[Path, ...]
    series: Series
    volume: Volume
    output: ModelOutput


def perfect_model(volume: Volume) -> ModelOutput:
    """Find the solids by their HU: 1 the large one, 2 the small one, 3 is never found."""
    found = np.zeros(volume.array.shape, dtype=np.uint8)
    found[volume.array == LARGE_HU] = 1
    found[volume.array == SMALL_HU] = 2
    return ModelOutput(segmentation=Segmentation(array=found, affine=volume.affine, labels=LABELS))


def read_back(paths: list[Path]) -> Case:
    """Scan and read files, as a worker does, and run the perfect model on them."""
    (series,) = scan(paths).series
    volume = read_volume(series)
    return Case(paths=tuple(paths), series=series, volume=volume, output=perfect_model(volume))


def make_case(folder: Path, acquisition: str = "axial", **attributes: object) -> Case:
    """Write one acquisition as a CT series and read it back.

    ``attributes`` are DICOM keywords of every instance, None to leave one out, or ``modality``.
    """
    shape, affine = acquisitions()[acquisition]
    modality = str(attributes.pop("modality", "CT"))
    spec = SeriesSpec(seed=acquisition, modality=modality, attributes=attributes)
    return read_back(write_series(folder, place(shape, affine), affine, spec=spec))
