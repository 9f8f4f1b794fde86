"""A phantom as a DICOM study, named so that nobody takes it for a patient's."""

from pathlib import Path

from bedside.dicom.create import SeriesSpec, write_series
from bedside.phantom.make import Phantom


def write_study(folder: Path, phantom: Phantom, *, seed: int, study_uid: str = "") -> list[Path]:
    """Write a phantom as one CT series, one instance per slice.

    Args:
        folder: Made if missing.
        phantom: What to write.
        seed: Of the study's UIDs.
        study_uid: Its Study Instance UID; empty is one of the seed.

    Returns:
        Paths in slice order.
    """
    spec = SeriesSpec(
        seed=f"bedside phantom {seed}",
        description="SYNTHETIC ABDOMEN",
        study_description="SYNTHETIC CT ABDOMEN",
        patient_id=f"PHANTOM-{seed}",
        study_uid=study_uid,
    )
    return write_series(folder, phantom.array, phantom.affine, spec=spec)
