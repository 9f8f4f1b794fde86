"""From what of one study came to an arrival with its jobs: stored, recorded, decided, queued.

Releases are looked up anew for each arrival, so that a promotion counts from the next study on.

Owns versions: what came is joined with the newest version of the same study, so that a late slice
makes a whole study and not a fragment, whichever machine takes it. Every step may be repeated; the
ledger and the store give the same answer to the same content.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bedside.config import FileSetSettings
from bedside.dicom.attributes import series_attributes
from bedside.domain.arrival import Arrival, ArrivalKind, StoredFile, arrival_id
from bedside.domain.because import Because, Cause
from bedside.domain.identity import canonical_json
from bedside.domain.job import Job, LedgerEvent
from bedside.domain.pipeline import Decision, Pipeline, Rule
from bedside.domain.release import Plan, Promotion, Role, plans
from bedside.domain.serial import files_to_json
from bedside.errors import Overtaken, Unavailable
from bedside.log import Log
from bedside.ports import BlobStore, Clock, JobFilter, Ledger
from bedside.worker.abreast import abreast
from bedside.worker.receive import Received, extension
from bedside.worker.rules import RuleBook, Verdicts, new_job

#: Roles of the one job that a rule starts and that somebody waits for.
BY_RULE = frozenset({Role.CURRENT, Role.CANARY})

#: Entries looked through for one that tells of an arrival; only where it has jobs already.
LOOKED_THROUGH = 1000

#: So often what came is joined anew when other machines recorded versions of the same study first.
JOINED = 20

#: Characters of a digest in a log line: ``sha256:`` and twelve digits.
SHOWN = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Admits studies and file sets.

    Attributes:
        ledger: Where arrivals, decisions and jobs are kept.
        blobs: The store, of any tenant.
        clock: The time.
        pipelines: By name, as configured; promotions say which releases they run.
        rulebook: What starts them.
        file_sets: Sets of other files than DICOM.
        log: Takes notes.
    """

    ledger: Ledger
    blobs: BlobStore
    clock: Clock
    pipelines: Mapping[str, Pipeline]
    rulebook: RuleBook
    file_sets: tuple[FileSetSettings, ...]
    log: Log

    def admit(
        self, tenant: str, received: Received, file_set: FileSetSettings | None, folder: Path
    ) -> Arrival:
        """Store and record what came of one study, joined with what came before, and start its jobs.

        Args:
            tenant: Whose.
            received: What came.
            file_set: What it is an instance of, or None for DICOM.
            folder: For files under way.
        """
        store = self.blobs.tenant(tenant)
        keys = {file.key: path for file, path in received.files.items()}
        there = dict(zip(keys, abreast(store.stat, keys), strict=True))
        store.put_files({key: path for key, path in keys.items() if there[key] is None})
        recorded = self._record(tenant, received)
        self.start(recorded, received.files, file_set, folder)
        return recorded

    def _record(self, tenant: str, received: Received) -> Arrival:
        """Record what came as the subject's next version.

        Another machine may record one of the same study between our look and our word: then what came
        is joined with that one, as if it had come later.
        """
        for _ in range(JOINED):
            base = self.ledger.newest_arrival(tenant, received.subject)
            files = _joined(received, base)
            arrival = Arrival(
                tenant=tenant,
                id=arrival_id(files),
                kind=received.kind,
                subject=received.subject,
                version=0,
                files=files,
                received_at=self.clock.now(),
            )
            store = self.blobs.tenant(tenant)
            if store.stat(arrival.manifest_key) is None:
                store.put(arrival.manifest_key, canonical_json(files_to_json(files)))
            try:
                return self.ledger.add_arrival(arrival, after=base.version if base else 0)
            except Overtaken as faster:
                self.log("arrival.overtaken", tenant=tenant, arrival=arrival.id, reason=faster.message)
        raise Unavailable(
            f"intake: {JOINED} times another machine recorded a version of the same study first",
            hint="bedside job list",
        )

    def start(
        self,
        arrival: Arrival,
        local: Mapping[StoredFile, Path],
        file_set: FileSetSettings | None,
        folder: Path,
        *,
        repairs: bool = False,
    ) -> None:
        """Record the decisions on an arrival and queue its jobs.

        Args:
            arrival: As recorded.
            local: Which of its files lie here; the others are brought from the store.
            file_set: What it is an instance of, where that is known.
            folder: For files under way.
            repairs: Whether only to make what an earlier call did not come to.
        """
        now = self.clock.now()
        if arrival.kind is ArrivalKind.FILES:
            verdicts = _verdict_of_set(arrival, file_set or self._set_of(arrival), now)
        else:
            attributes = series_attributes(self._at_hand(arrival, local, folder))
            verdicts = self.rulebook.judge(arrival, attributes, now)
        self.ledger.add_decisions(verdicts.decisions)
        standing = self.ledger.standing()
        for name, rule in verdicts.starts.items():
            for plan in self._plans(arrival, self.pipelines[name], standing, repairs=repairs):
                job = new_job(
                    arrival, plan.pipeline, rule=rule.name, priority=rule.priority, now=now, role=plan.role
                )
                self._enqueue(job)
        if not verdicts.starts:
            detail = f"none of {len(verdicts.decisions)} rules matched"
            self.ledger.add_event(
                LedgerEvent(
                    at=now,
                    tenant=arrival.tenant,
                    action="arrival.unmatched",
                    arrival_id=arrival.id,
                    detail=detail,
                )
            )

    def _plans(
        self, arrival: Arrival, pipeline: Pipeline, standing: Sequence[Promotion], *, repairs: bool
    ) -> Sequence[Plan]:
        """Return what a pipeline runs on an arrival, less what an unfinished earlier call queued.

        That call may have been before a promotion: what it queued keeps its release, and nothing is
        read twice. The same study sent again after a promotion is read by the new release.
        """
        found = plans(pipeline, standing, tenant=arrival.tenant, subject=arrival.subject)
        where = JobFilter(arrival_id=arrival.id, pipeline=pipeline.name)
        there = self.ledger.jobs(arrival.tenant, where, limit=1000)
        if not there or not (repairs or self._unfinished(arrival)):
            return found
        shadowed = any(job.role is Role.SHADOW for job in there)
        delivered = any(job.role in BY_RULE for job in there)
        return [p for p in found if not (shadowed if p.role is Role.SHADOW else delivered)]

    def _unfinished(self, arrival: Arrival) -> bool:
        """Whether no entry tells of an arrival: whoever took one before did not come to its end."""
        return not any(
            arrival.id in entry.arrivals
            for entry in self.ledger.entries(arrival.tenant, limit=LOOKED_THROUGH)
        )

    def _enqueue(self, job: Job) -> None:
        job, new = self.ledger.enqueue(job)
        if new:
            self.log(
                "job.queued",
                tenant=job.tenant,
                job=job.id,
                arrival=job.arrival_id,
                rule=job.rule,
                role=job.role.value if job.role is not Role.CURRENT else "",
                release=job.pipeline.stages[-1].release[:SHOWN],
            )

    def _at_hand(self, arrival: Arrival, local: Mapping[StoredFile, Path], folder: Path) -> Iterable[Path]:
        """Return local files of all instances, those of earlier versions brought from the store."""
        store = self.blobs.tenant(arrival.tenant)
        older = folder / f"older-{arrival.id}"
        older.mkdir(exist_ok=True)
        for file in arrival.files:
            if file not in local:
                store.fetch(file.key, older / f"{file.sha256}{file.suffix}")
        return [*(local[f] for f in arrival.files if f in local), *older.iterdir()]

    def lacks_jobs(self, arrival: Arrival) -> bool:
        """Whether a decision was not followed by its job, or none was made at all."""
        decisions = self.ledger.decisions(arrival.tenant, arrival.id)
        where = JobFilter(arrival_id=arrival.id, roles=BY_RULE)
        there = {job.pipeline.name for job in self.ledger.jobs(arrival.tenant, where, limit=1000)}
        if decisions:
            wanted = {d.pipeline for d in decisions if d.matched}
        elif arrival.kind is ArrivalKind.FILES:
            file_set = self._set_of(arrival)
            wanted = {file_set.pipeline} if file_set else set()
        else:
            wanted = {rule.pipeline for rule in self.rulebook.rules} if not there else set()
        return bool((wanted & self.pipelines.keys()) - there)

    def _set_of(self, arrival: Arrival) -> FileSetSettings | None:
        """Return the file set that an arrival was, by its files' extensions."""
        suffixes = {file.suffix for file in arrival.files}
        return next((s for s in self.file_sets if {extension(p) for p in s.patterns} == suffixes), None)


def _joined(received: Received, base: Arrival | None) -> tuple[StoredFile, ...]:
    """Return the files of the next version: what came, and of the one before what was not sent again.

    Files of a set all have the empty UID, so nothing of an earlier set stays: it is sent as a whole.
    """
    files = set(received.files)
    if base:
        again = {file.sop_instance_uid for file in files}
        files |= {file for file in base.files if file.sop_instance_uid not in again}
    return tuple(sorted(files))


def _verdict_of_set(arrival: Arrival, file_set: FileSetSettings | None, now: datetime) -> Verdicts:
    if file_set is None:
        return Verdicts(decisions=(), starts={})
    because = Because(cause=Cause.COMPLETE, files=len(arrival.files))
    decision = Decision(
        tenant=arrival.tenant,
        arrival_id=arrival.id,
        rule=file_set.name,
        pipeline=file_set.pipeline,
        matched=True,
        reason=str(because),
        values={},
        decided_at=now,
        because=because,
    )
    rule = Rule(name=file_set.name, pipeline=file_set.pipeline)
    return Verdicts(decisions=(decision,), starts={file_set.pipeline: rule})
