"""Segmentations that come by STOW-RS: those of one of our results are corrections of it, and no new input."""

from dataclasses import replace
from pathlib import Path

from bedside.dicom.correct import SEGMENTATIONS
from bedside.dicom.identify import Identified
from bedside.domain.person import Right
from bedside.portal.access.need import Place
from bedside.portal.judging.judged import correct


def take_correction(place: Place, found: Identified, file: Path) -> Identified | None:
    """Keep a corrected segmentation; see `bedside.portal.dicomweb.takers.Taker`."""
    if found.sop_class_uid not in SEGMENTATIONS:
        return None
    job_id = place.here.deployment.judge.find(place.tenant, file)
    if job_id is None:
        return None
    place.caller.person.must(Right.JUDGE, place.tenant)
    kept = correct(place, job_id, file).correction
    assert kept is not None
    return replace(found, sop_instance_uid=kept.sop_instance_uid, series_uid=kept.series_uid)
