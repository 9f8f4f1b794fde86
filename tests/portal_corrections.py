"""Corrections of a result, made as a reviewer's viewer would send them."""

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bedside.domain.job import Job
from bedside.domain.judgement import Judgement
from bedside.judging.judge import Sender
from bedside.wiring import Deployment
from portal_results import TENANT, ResultSite
from viewer_seg import Edit, as_a_viewer_sends

#: Voxels that `shifted` moves a mask by.
SHIFT = 6


def shifted(mask: NDArray[np.bool_], _frame: int, _segment: int) -> NDArray[np.bool_]:
    """Move a mask along its rows; those of an axial series grow to the patient's left."""
    return np.roll(mask, SHIFT, axis=1)


def correct_as(results: ResultSite, subject: str, name: str, *, edit: Edit) -> Judgement:
    """Correct the segmentation of a site's result, and let DICOMweb know it."""
    return corrected(results.deployment, results.job, Sender(subject=subject, name=name), edit=edit)


def corrected(deployment: Deployment, job: Job, sender: Sender, *, edit: Edit) -> Judgement:
    """Correct the segmentation of any result, as STOW-RS would."""
    with tempfile.TemporaryDirectory() as folder:
        original = Path(folder) / "model.dcm"
        original.write_bytes(deployment.blobs.tenant(TENANT).get(f"{job.prefix}/dicom/seg.dcm"))
        sent = as_a_viewer_sends(original, Path(folder) / "sent.dcm", edit=edit)
        judgement = deployment.judge.correct(TENANT, job.id, sent, sender)
    deployment.cataloguer.add_corrections(TENANT, job.subject, job.id, job.prefix)
    return judgement
