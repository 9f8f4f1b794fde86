"""Takes verdicts on results, and segmentations that reviewers corrected.

Owns the order of writing: a correction's file first, then its record, which makes it exist; the same one
sent again is the one that is there. Results of shadows are delivered to nobody, so nobody judges them.
"""

import hashlib
import secrets
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bedside.dicom.correct import Reviewer, SegIdentity, correct, identify_seg
from bedside.domain.identity import short_id
from bedside.domain.job import Job
from bedside.domain.judgement import Correction, Judgement, RejectionReason, Verdict, checked
from bedside.domain.release import Role
from bedside.errors import ErrorCode, NotFound, told
from bedside.judging.segmentations import Segmentations
from bedside.log import Log, silent
from bedside.ports import BlobStore, Clock, Ledger
from bedside.ports.judgements import JudgementFilter, Judgements

#: Folder of corrections, below the prefix of the result that they belong to.
CORRECTIONS = "corrections"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What somebody says of a result.

    Attributes:
        verdict: What it is worth; a correction that is new comes by `Judge.correct`.
        reason: Of a rejection.
        comment: Free words.
        correction: With `Verdict.CORRECTED`, the id of one that is there and is stood by.
    """

    verdict: Verdict
    reason: RejectionReason | None = None
    comment: str = ""
    correction: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sent a corrected segmentation: subject of the person, and the name to write into the object."""

    subject: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Takes judgements. Called by several threads.

    Attributes:
        ledger: Knows jobs and results.
        judgements: Where they are kept.
        blobs: The store, of any tenant.
        clock: The time.
        scratch: Folder for files under way.
        log: Takes notes.
    """

    ledger: Ledger
    judgements: Judgements
    blobs: BlobStore
    clock: Clock
    scratch: Path
    log: Log = silent

    def judge(self, tenant: str, job_id: str, said: Said, reviewer: str) -> Judgement:
        """Record a verdict or a remark on a result.

        Raises:
            NotFound: There is no such result that was delivered, or no such correction of it.
            UsageError: See `bedside.domain.judgement.checked`.
        """
        job = self._delivered(tenant, job_id)
        kept = self._kept(tenant, job.id, said.correction) if said.correction else None
        judgement = checked(
            Judgement(
                tenant=tenant,
                id=secrets.token_hex(16),
                job_id=job.id,
                arrival_id=job.arrival_id,
                pipeline=job.pipeline.name,
                release=job.pipeline.stages[-1].release,
                verdict=said.verdict,
                reason=said.reason,
                comment=said.comment.strip(),
                reviewer=reviewer,
                judged_at=self.clock.now(),
                correction=kept,
            )
        )
        self.judgements.add(judgement)
        self.log("result.judged", tenant=tenant, job=job.id, verdict=said.verdict.value)
        return judgement

    def find(self, tenant: str, sent: Path) -> str | None:
        """Return the job whose result a segmentation corrects, or None where it corrects none of ours.

        One that names what it was made from belongs there; else the current result that was read from the
        same images and has most of its labels, the newest of those.
        """
        identity = identify_seg(sent)
        if identity is None:
            return None
        store = Segmentations(self.ledger, self.blobs.tenant(tenant), self.scratch)
        found: list[tuple[int, Job]] = []
        for job, one in store.of_study(tenant, identity.study_uid):
            ours = {one.sop_instance_uid, *self._corrections_of(tenant, job.id)}
            if identity.named & ours:
                return job.id
            if identity.series & one.series:
                found.append((_shared(identity, one), job))
        return max(found, key=lambda pair: pair[0])[1].id if found else None  # the first of equals is newest

    def correct(self, tenant: str, job_id: str, sent: Path, sender: Sender) -> Judgement:
        """Keep a corrected segmentation beside the model's, and record the judgement that it is.

        Args:
            tenant: Whose result.
            job_id: The job that wrote it.
            sent: A Segmentation as a viewer made it.
            sender: Who made it.

        Raises:
            NotFound: There is no such result that was delivered, or it has no segmentation.
            InputRejected: See `bedside.dicom.correct.correct`; nothing is kept.
            Unavailable: The store or the ledger is out of reach.
        """
        job = self._delivered(tenant, job_id)
        with sent.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        name = short_id([tenant, job.id, sha256, sender.subject])
        known = [
            j
            for j in self.judgements.find(tenant, JudgementFilter(job_id=job.id), limit=1000)
            if j.id == name
        ]
        if known:
            return known[0]
        now = self.clock.now()
        self.scratch.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self.scratch))
        try:
            store = Segmentations(self.ledger, self.blobs.tenant(tenant), self.scratch)
            original = store.fetch(job, folder)
            if original is None:
                raise NotFound(
                    f"result of job {job.id}: has no segmentation to correct",
                    told=told(ErrorCode.CORRECTION_NO_MASK),
                )
            made = correct(sent, original, Reviewer(name=sender.name, at=now, seed=name))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        key = f"{job.prefix}/{CORRECTIONS}/{name}/seg.dcm"
        self.blobs.tenant(tenant).put(key, made.data)
        judgement = checked(
            Judgement(
                tenant=tenant,
                id=name,
                job_id=job.id,
                arrival_id=job.arrival_id,
                pipeline=job.pipeline.name,
                release=job.pipeline.stages[-1].release,
                verdict=Verdict.CORRECTED,
                reviewer=sender.subject,
                judged_at=now,
                correction=Correction(
                    key=key,
                    sop_instance_uid=made.sop_instance_uid,
                    series_uid=made.series_uid,
                    predecessor_uid=made.predecessor_uid,
                    labels=made.labels,
                ),
            )
        )
        self.judgements.add(judgement)
        self.log("result.judged", tenant=tenant, job=job.id, verdict=Verdict.CORRECTED.value)
        return judgement

    def _delivered(self, tenant: str, job_id: str) -> Job:
        job = self.ledger.job(tenant, job_id)
        if job.role is Role.SHADOW or self.ledger.result(tenant, job_id) is None:
            raise NotFound(
                f"job {job_id}: no delivered result",
                hint=f"bedside job show {job_id}",
                told=told(ErrorCode.RESULT_MISSING),
            )
        return job

    def _corrected(self, tenant: str, job_id: str) -> Sequence[Judgement]:
        where = JudgementFilter(job_id=job_id, verdicts=frozenset({Verdict.CORRECTED}))
        return self.judgements.find(tenant, where, limit=1000)

    def _kept(self, tenant: str, job_id: str, name: str) -> Correction:
        kept = next((one.correction for one in self._corrected(tenant, job_id) if one.id == name), None)
        if kept is None:
            raise NotFound(
                f"result of job {job_id}: no such correction", told=told(ErrorCode.CORRECTION_MISSING)
            )
        return kept

    def _corrections_of(self, tenant: str, job_id: str) -> set[str]:
        found = self._corrected(tenant, job_id)
        return {judgement.correction.sop_instance_uid for judgement in found if judgement.correction}


def _shared(one: SegIdentity, other: SegIdentity) -> int:
    return len({label.casefold() for label in one.labels} & {label.casefold() for label in other.labels})
