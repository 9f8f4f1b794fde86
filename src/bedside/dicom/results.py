"""Writes all that one run of a model gave: SEG, SR, surfaces, preview, NIfTI, and the list of them.

Owns names, order and listing of the files; how each is encoded is its writer's. It refuses outputs it
does not know. Masks are cut and measured once and shared by all writers. Nothing here reads the clock
for content: the same request and output give the same bytes.
"""

import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from bedside.dicom.derived import Reference, encode
from bedside.dicom.masks import Mask, cut_masks
from bedside.dicom.measure import Measurement, measure
from bedside.dicom.nifti import make_nifti
from bedside.dicom.preview import make_preview
from bedside.dicom.provenance import slice_sources
from bedside.dicom.scan import Series
from bedside.dicom.seg import make_seg
from bedside.dicom.sr import make_sr
from bedside.dicom.surface import make_surface
from bedside.domain.outputs import OUTPUTS
from bedside.domain.request import RunRequest
from bedside.domain.volume import ModelOutput, Volume
from bedside.errors import UsageError


@dataclass(slots=True, kw_only=True)
class _Writing:
    """The files and timings of one result, as they come to be."""

    folder: Path
    files: list[dict[str, object]] = field(default_factory=list)
    timings_s: dict[str, float] = field(default_factory=dict)

    def put(self, name: str, data: bytes, *, sop_instance_uid: str = "") -> None:
        """Write one file and list it."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        entry: dict[str, object] = {
            "path": name,
            "sha256": hashlib.sha256(data).hexdigest(),
            "size_bytes": len(data),
        }
        if sop_instance_uid:
            entry["sop_instance_uid"] = sop_instance_uid
        self.files.append(entry)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Note the wall seconds of one step."""
        begin = perf_counter()
        yield
        self.timings_s[step] = round(perf_counter() - begin, 4)


def write_results(
    folder: Path, *, request: RunRequest, series: Series, volume: Volume, output: ModelOutput
) -> dict[str, object]:
    """Write the outputs that the request asks for.

    Args:
        folder: Where; made if missing. Gets ``dicom/seg.dcm``, ``dicom/sr.dcm``, ``surfaces/<label>.stl``,
            ``preview.png`` and ``nifti/segmentation.nii.gz``.
        request: Identity, dates, release and outputs.
        series: What was read.
        volume: The series in patient space.
        output: Masks on the volume's grid, numbers, or both.

    Returns:
        A JSON value: ``files`` (path, sha256, size_bytes, and sop_instance_uid of DICOM), ``measurements``
        (one per label), ``numbers``, and ``timings_s`` per step.

    Raises:
        UsageError: An output that is not one of `OUTPUTS`.
    """
    unknown = sorted(set(request.outputs) - set(OUTPUTS))
    if unknown:
        raise UsageError(f"output {unknown[0]!r}: not one of {', '.join(OUTPUTS)}")
    writing = _Writing(folder=folder)
    folder.mkdir(parents=True, exist_ok=True)
    found = output.segmentation
    with writing.timed("measure"):
        masks = cut_masks(found) if found else ()
        measured = [measure(mask, volume) for mask in masks]
    _write_dicom(writing, request, series, volume, output, measured)
    if "surface" in request.outputs:
        with writing.timed("surface"):
            _write_surfaces(writing, masks, volume)
    if "preview" in request.outputs:
        with writing.timed("preview"):
            title = f"{request.release_name} {request.release_version}"
            writing.put("preview.png", make_preview(volume, measured, title=title))
    if found and "nifti" in request.outputs:
        with writing.timed("nifti"):
            writing.put("nifti/segmentation.nii.gz", make_nifti(found))
    return {
        "files": writing.files,
        "measurements": [item.report() for item in measured],
        "numbers": {name: value if math.isfinite(value) else None for name, value in output.numbers.items()},
        "timings_s": writing.timings_s,
    }


def _write_dicom(
    writing: _Writing,
    request: RunRequest,
    series: Series,
    volume: Volume,
    output: ModelOutput,
    measured: Sequence[Measurement],
) -> None:
    """Write SEG and SR; the SR points at the SEG where both are asked for."""
    wants_seg = "seg" in request.outputs and output.segmentation is not None
    if not wants_seg and "sr" not in request.outputs:
        return
    source, sources = series.reference(), slice_sources(series, volume)
    seg: Reference | None = None
    if wants_seg and output.segmentation is not None:
        with writing.timed("seg"):
            made = make_seg(
                [item.mask for item in measured],
                request=request,
                volume=volume,
                source=source,
                sources=sources,
                overlapping=output.segmentation.overlapping,
            )
            writing.put("dicom/seg.dcm", encode(made), sop_instance_uid=str(made.SOPInstanceUID))
        seg = Reference(
            sop_class_uid=str(made.SOPClassUID),
            sop_instance_uid=str(made.SOPInstanceUID),
            series_uid=str(made.SeriesInstanceUID),
        )
    if "sr" in request.outputs and (measured or output.numbers):
        with writing.timed("sr"):
            report = make_sr(
                measured,
                output.numbers,
                request=request,
                volume=volume,
                source=source,
                sources=sources,
                seg=seg,
            )
            writing.put("dicom/sr.dcm", encode(report), sop_instance_uid=str(report.SOPInstanceUID))


def _write_surfaces(writing: _Writing, masks: Sequence[Mask], volume: Volume) -> None:
    """Write one STL per label that has voxels, under a name made of letters and digits only."""
    names = [_file_name(mask) for mask in masks]
    for mask, name in zip(masks, names, strict=True):
        if mask.count:
            plain = name if names.count(name) == 1 else f"{name}-{mask.label.value}"
            writing.put(f"surfaces/{plain}.stl", make_surface(mask, volume.affine))


def _file_name(mask: Mask) -> str:
    """Return a label's name as a file name; labels come from strangers' bundles."""
    plain = re.sub(r"[^a-z0-9]+", "_", mask.label.name.lower()).strip("_")[:60]
    return plain or f"label_{mask.label.value}"
