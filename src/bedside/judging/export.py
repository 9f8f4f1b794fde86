"""Judgements as labels to train and measure with: one row per result, and which segmentation is its truth.

Rows hold identifiers and what people wrote; they are for those who may see results.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO

from bedside.domain.judgement import Judgement, Verdict
from bedside.judging.segmentations import Segmentations
from bedside.ports import Ledger

#: Columns of the table, in order.
COLUMNS = (
    "job_id", "arrival_id", "study_uid", "pipeline", "release", "verdict", "reason", "comment", "reviewer",
    "judged_at", "sop_instance_uid", "predecessor_uid", "least_dice", "label_file",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A segmentation that a reviewer stands by.

    Attributes:
        key: In the store of the tenant.
        name: In an archive of labels.
        size_bytes: Its length.
    """

    key: str
    name: str
    size_bytes: int


def label_name(judgement: Judgement) -> str:
    """Return the name in an archive of the segmentation that a judgement makes a label, or empty."""
    usable = judgement.verdict in {Verdict.ACCEPTED, Verdict.CORRECTED}
    return f"labels/{judgement.job_id}.dcm" if usable else ""


def labels_of(
    judgements: Iterable[Judgement], segmentations: Segmentations, ledger: Ledger
) -> Iterator[Label]:
    """Give the segmentations that are labels: corrected as the reviewer left them, accepted as they are.

    Accepted results without a segmentation (numbers alone) give none.
    """
    for judgement in judgements:
        key: str | None = None
        if judgement.correction:
            key = judgement.correction.key
        elif judgement.verdict is Verdict.ACCEPTED:
            key = segmentations.key(ledger.job(judgement.tenant, judgement.job_id))
        kept = segmentations.store.stat(key) if key else None
        if kept is not None:
            yield Label(key=kept.key, name=label_name(judgement), size_bytes=kept.size_bytes)


def row_of(judgement: Judgement, study_uid: str) -> dict[str, object]:
    """Return a judgement as a row of `COLUMNS`."""
    correction = judgement.correction
    return {
        "job_id": judgement.job_id,
        "arrival_id": judgement.arrival_id,
        "study_uid": study_uid,
        "pipeline": judgement.pipeline,
        "release": judgement.release,
        "verdict": judgement.verdict.value,
        "reason": judgement.reason.value if judgement.reason else "",
        "comment": judgement.comment,
        "reviewer": judgement.reviewer,
        "judged_at": judgement.judged_at.isoformat(),
        "sop_instance_uid": correction.sop_instance_uid if correction else "",
        "predecessor_uid": correction.predecessor_uid if correction else "",
        "least_dice": min((label.dice for label in correction.labels), default="") if correction else "",
        "label_file": label_name(judgement),
    }


def lines(judgements: Sequence[Judgement], ledger: Ledger) -> Iterator[str]:
    """Give judgements as JSON Lines, labels of corrections included."""
    for judgement in judgements:
        row = row_of(judgement, _study(judgement, ledger))
        if judgement.correction:
            row["labels"] = [
                {
                    "label": label.label,
                    "dice": label.dice,
                    "reviewer_ml": label.volume_ml,
                    "model_ml": label.against_volume_ml,
                }
                for label in judgement.correction.labels
            ]
        yield json.dumps(row, ensure_ascii=False) + "\n"


def table(judgements: Sequence[Judgement], ledger: Ledger) -> Iterator[str]:
    """Give judgements as CSV (RFC 4180), its head first."""
    yield _written(COLUMNS)
    for judgement in judgements:
        row = row_of(judgement, _study(judgement, ledger))
        yield _written([_safe(row[column]) for column in COLUMNS])


def _study(judgement: Judgement, ledger: Ledger) -> str:
    return ledger.job(judgement.tenant, judgement.job_id).subject


def _written(cells: Sequence[object]) -> str:
    text = StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()


def _safe(cell: object) -> object:
    """Return a cell that no spreadsheet takes for a formula; comments are anybody's words."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell
