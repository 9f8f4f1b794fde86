"""Compares what a shadow found with what was delivered, once both are there.

Owns the pairing: a shadow belongs to the delivered job of the same arrival and the same track. Works on
what lies in the store, so that it can be done by any worker at any time, and again: the last word
replaces the one before. Nothing of it reaches whoever waits for a result.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bedside.dicom.compare import compare_segs, is_seg
from bedside.domain.job import ENDED, Job, JobState
from bedside.domain.release import Comparison, LabelComparison
from bedside.domain.result import RESULT_FILE
from bedside.errors import BedsideError, InputRejected, NotFound, Unavailable
from bedside.log import Log, silent
from bedside.ports import BlobStore, Clock, JobFilter, Ledger
from bedside.worker.admit import BY_RULE

#: Shadows looked at in one go.
BATCH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparer:
    """Compares shadows with delivered results.

    Attributes:
        ledger: Knows both jobs and keeps what comes of it.
        blobs: The store, of any tenant.
        clock: The time.
        scratch: Folder for files under way.
        log: Takes notes.
    """

    ledger: Ledger
    blobs: BlobStore
    clock: Clock
    scratch: Path
    log: Log = silent

    def step(self) -> int:
        """Compare the shadows whose delivered job has ended; return how many.

        Raises:
            Unavailable: The ledger or the store is out of reach.
        """
        done = 0
        for shadow in self.ledger.uncompared(limit=BATCH):
            delivered = self._delivered(shadow)
            if delivered is None or delivered.state not in ENDED:
                continue
            found = self._compared(shadow, delivered)
            self.ledger.put_comparison(found)
            done += 1
            self.log(
                "shadow.compared",
                tenant=shadow.tenant,
                job=shadow.id,
                against=delivered.id,
                least_dice=found.least_dice,
                reason=found.problem,
            )
        return done

    def _delivered(self, shadow: Job) -> Job | None:
        """Return the newest delivered job of the same study version and pipeline under another release."""
        where = JobFilter(arrival_id=shadow.arrival_id, pipeline=shadow.pipeline.name, roles=BY_RULE)
        found = [
            job
            for job in self.ledger.jobs(shadow.tenant, where, limit=1000)
            if job.track == shadow.track and job.pipeline.version != shadow.pipeline.version
        ]
        return next((job for job in found if job.state is JobState.SUCCEEDED), found[0] if found else None)

    def _compared(self, shadow: Job, delivered: Job) -> Comparison:
        stage, release, against = _first_difference(shadow, delivered)
        labels: tuple[LabelComparison, ...] = ()
        numbers: dict[str, tuple[float, float]] = {}
        problem = _ended_badly("the shadow", shadow) or _ended_badly("the delivered job", delivered)
        if not problem:
            try:
                labels, numbers = self._results(shadow, delivered)
                if not labels and not numbers:
                    problem = "neither result has masks or numbers to compare"
            except Unavailable:
                raise
            except BedsideError as refused:
                problem = refused.message
        return Comparison(
            tenant=shadow.tenant,
            pipeline=shadow.pipeline.name,
            stage=stage,
            release=release,
            against=against,
            arrival_id=shadow.arrival_id,
            shadow_job=shadow.id,
            current_job=delivered.id,
            labels=labels,
            numbers=numbers,
            problem=problem,
            compared_at=self.clock.now(),
        )

    def _results(
        self, shadow: Job, delivered: Job
    ) -> tuple[tuple[LabelComparison, ...], dict[str, tuple[float, float]]]:
        store = self.blobs.tenant(shadow.tenant)
        documents = [_document(store, job) for job in (shadow, delivered)]
        read = [_series(document) for document in documents]
        if all(read) and read[0] != read[1]:
            raise InputRejected(f"they read two series, {read[0]} and {read[1]}")
        self.scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            segs = [
                self._seg(store, job, document, Path(folder) / str(number))
                for number, (job, document) in enumerate(zip((shadow, delivered), documents, strict=True))
            ]
            one, other = segs
            if (one is None) != (other is None):
                raise InputRejected(f"{'the shadow' if one is None else 'the delivered job'} wrote no SEG")
            labels = compare_segs(one, other) if one and other else ()
        return labels, _numbers(*documents)

    def _seg(self, store: BlobStore, job: Job, document: Mapping[str, Any], folder: Path) -> Path | None:
        """Bring a result's segmentation here; a stranger's may have any name."""
        folder.mkdir()
        names = [str(file.get("path", "")) for file in document.get("files", ())]
        for number, name in enumerate(n for n in sorted(names) if n.endswith(".dcm")):
            path = folder / f"{number}.dcm"
            store.fetch(f"{job.prefix}/{name}", path)
            if is_seg(path):
                return path
        return None


def _first_difference(shadow: Job, delivered: Job) -> tuple[str, str, str]:
    """Return the first stage in which two jobs run different releases, and the two."""
    for one, other in zip(shadow.pipeline.stages, delivered.pipeline.stages, strict=True):
        if one.release != other.release:
            return one.name, one.release, other.release
    return shadow.stage.name, shadow.stage.release, delivered.stage.release


def _ended_badly(who: str, job: Job) -> str:
    if job.state is JobState.SUCCEEDED:
        return ""
    why = f": {job.failure.message}" if job.failure else ""
    return f"{who} ended {job.state.value}{why}"


def _document(store: BlobStore, job: Job) -> Mapping[str, Any]:
    try:
        found: dict[str, Any] = json.loads(store.get(f"{job.prefix}/{RESULT_FILE}"))
    except NotFound as missing:
        raise InputRejected(f"the result of job {job.id} is not in the store any more") from missing
    return found


def _series(document: Mapping[str, Any]) -> str:
    inputs = document.get("inputs")
    return str(inputs.get("series_uid", "")) if isinstance(inputs, Mapping) else ""


def _numbers(shadow: Mapping[str, Any], delivered: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Return the outputs that both have, in the order of the delivered one."""
    one, other = (document.get("numbers") or {} for document in (shadow, delivered))
    names: Sequence[str] = [n for n in other if _is_number(other[n]) and _is_number(one.get(n))]
    return {name: (float(one[name]), float(other[name])) for name in names}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
