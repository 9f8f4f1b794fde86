"""From the drop-box to jobs: every complete entry becomes arrivals, decisions and queued jobs.

Owns the order of writing: files, manifest, arrival, decisions, jobs, and the entry's own record last.
Each step may be repeated and finds what an earlier try left, so a crash anywhere is repaired by
taking the entry again; nothing of the drop-box goes before all of it is in the ledger. File names stay
in the entry's key: no other key, message or log line holds one.
"""

import contextlib
import shutil
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from bedside.config import FileSetSettings, IntakeSettings
from bedside.dicom.attributes import series_attributes
from bedside.domain.arrival import Arrival, ArrivalKind, Entry, EntryState, StoredFile, arrival_id, entry_id
from bedside.domain.identity import canonical_json
from bedside.domain.job import LedgerEvent
from bedside.domain.pipeline import Decision, Pipeline, Rule
from bedside.domain.serial import files_to_json
from bedside.errors import ConfigError, InputRejected, NotFound, Unavailable
from bedside.log import Log, silent
from bedside.ports import ArrivalFeed, BlobStore, Clock, Dropped, JobFilter, Ledger
from bedside.worker.depart import REJECTED, begin, depart, departed, things_in
from bedside.worker.dropbox import Thing
from bedside.worker.receive import Contents, Received, extension, receive_file_set, receive_study
from bedside.worker.rules import RuleBook, Verdicts, new_job
from bedside.worker.settle import settle
from bedside.worker.sweep import hold
from bedside.worker.unpack import Limits

#: An entry that could not be taken is tried again after this long.
POSTPONED_S = 30.0
#: How far back `Intake.sweep` looks: longer than any stop of the system that nobody noticed.
SWEPT = timedelta(days=14)


@dataclass(kw_only=True)
class Intake:
    """Takes what is complete in the drop-boxes. Not frozen: it remembers what it postponed.

    Attributes:
        ledger: Where arrivals, decisions and jobs are kept.
        blobs: The store, of any tenant.
        feed: Says what is complete.
        clock: The time.
        pipelines: By name.
        rules: In the order of the configuration.
        limits: What is too much, and which file sets there are.
        workspace: Folder for files under way; on the store's file system, so that they can be linked.
        log: Takes notes.
    """

    ledger: Ledger
    blobs: BlobStore
    feed: ArrivalFeed
    clock: Clock
    pipelines: Mapping[str, Pipeline]
    rules: Sequence[Rule]
    limits: IntakeSettings
    workspace: Path
    log: Log = silent
    _rulebook: RuleBook = field(init=False, repr=False)
    _postponed: dict[tuple[str, str], float] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Read the rules.

        Raises:
            ConfigError: A rule or a file set cannot be meant.
        """
        self._rulebook = RuleBook(self.rules, self.pipelines)
        for file_set in self.limits.file_set:
            if file_set.pipeline not in self.pipelines:
                raise ConfigError(
                    f"file set {file_set.name}: there is no pipeline {file_set.pipeline}",
                    hint="bedside config check",
                )

    def step(self, tenant: str) -> int:
        """Take or reject every complete entry of a tenant that was not yet; return how many.

        An entry that cannot be taken now (full disk, a fault of ours) is postponed and does not keep
        the others waiting.

        Raises:
            Unavailable: The ledger or the drop-box is out of reach, or another process does intake.
        """
        with hold(self.workspace / tenant / "intake.lock", f"intake of tenant {tenant}"):
            return sum(self._attempt(tenant, dropped) for dropped in self.feed.ready(tenant))

    def settle(self, tenant: str) -> int:
        """Move entries whose jobs all ended out of the drop-box; return how many."""
        settled = settle(tenant, ledger=self.ledger, blobs=self.blobs, file_sets=self.limits.file_set)
        for entry in settled:
            self.log(f"entry.{entry.state.value}", tenant=tenant, entry=entry.id, reason=entry.reason)
        return len(settled)

    def sweep(self, tenant: str) -> int:
        """Make the jobs that a crash kept from being made; return how many arrivals lacked some.

        Looks at the last `SWEPT` of arrivals. Needed only where an entry was taken away from the
        drop-box between the recording of its arrival and of its jobs; all else `step` repairs.
        """
        repaired = 0
        since = self.clock.now() - SWEPT
        for found in self._recent_arrivals(tenant, since):
            with contextlib.suppress(NotFound):  # content without a record: the entry comes again
                arrival = self.ledger.arrival(tenant, found)
                if self._lacks_jobs(arrival):
                    with self._folder(tenant, f"sweep-{found}") as folder:
                        self._start(arrival, {}, folder)
                    self.log("arrival.repaired", tenant=tenant, arrival=found)
                    repaired += 1
        return repaired

    # One entry

    def _attempt(self, tenant: str, dropped: Dropped) -> bool:
        identity = entry_id(tenant, dropped.key, dropped.fingerprint)
        known = self.ledger.entry(tenant, identity)
        until = self._postponed.get((tenant, identity), 0.0)
        if (known and known.state is EntryState.TAKEN) or until > self.clock.monotonic():
            return False
        entry = Entry(
            tenant=tenant,
            id=identity,
            key=dropped.key,
            fingerprint=dropped.fingerprint,
            state=EntryState.TAKEN,
            arrivals=(),
            reason="",
            seen_at=self.clock.now(),
        )
        try:
            return self._take(entry, dropped, known)
        except Unavailable as missing:
            self._postpone(entry, missing.message)
        except Exception as surprise:  # noqa: BLE001 - one entry's surprise must not keep the others waiting
            traceback.print_tb(surprise.__traceback__)  # without the message, which may hold a name
            where = traceback.extract_tb(surprise.__traceback__)[-1]
            self._postpone(entry, f"{type(surprise).__name__} at {Path(where.filename).name}:{where.lineno}")
        return False

    def _postpone(self, entry: Entry, reason: str) -> None:
        self._postponed[entry.tenant, entry.id] = self.clock.monotonic() + POSTPONED_S
        self.log("entry.postponed", tenant=entry.tenant, entry=entry.id, reason=reason)

    def _take(self, entry: Entry, dropped: Dropped, known: Entry | None) -> bool:
        store = self.blobs.tenant(entry.tenant)
        thing = self._look(store, dropped)
        if thing is None:
            return False
        if known and known.state is EntryState.REJECTED and not departed(known, store, REJECTED):
            depart(known, thing, store, place=REJECTED, facts={})  # a crash came between record and move
            return True
        try:
            with self._folder(entry.tenant, entry.id) as folder:
                contents = self._receive(entry, dropped, thing, folder)
                if self._look(store, dropped) is None:
                    return False  # it changed while it was copied: what was copied is no version of it
                arrivals = [self._accept(entry.tenant, study, thing, folder) for study in contents.received]
        except InputRejected as refused:
            self._reject(entry, thing, refused)
            return True
        except NotFound:  # moved away meanwhile
            return False
        self.ledger.put_entry(replace(entry, arrivals=tuple(a.id for a in arrivals), reason=contents.left))
        self.log(
            "entry.taken",
            tenant=entry.tenant,
            entry=entry.id,
            arrivals=",".join(a.id for a in arrivals),
            reason=contents.left,
        )
        return True

    def _look(self, store: BlobStore, dropped: Dropped) -> Thing | None:
        """Return what lies in the drop-box under this name, or None if it is not what was told."""
        thing = things_in(store, self.limits.file_set).get(dropped.key)
        return thing if thing and thing.dropped() == dropped else None

    def _receive(self, entry: Entry, dropped: Dropped, thing: Thing, folder: Path) -> Contents:
        store = self.blobs.tenant(entry.tenant)
        if thing.file_set:
            return receive_file_set(dropped, thing.file_set, thing.stem, entry.tenant, store, folder)
        limits = Limits(
            max_files=self.limits.max_files,
            max_bytes=self.limits.max_bytes,
            max_ratio=self.limits.max_ratio,
        )
        return receive_study(dropped, store, folder, limits)

    def _reject(self, entry: Entry, thing: Thing, refused: InputRejected) -> None:
        """Reject an entry: the record of the move first, so that it always can be gone on with."""
        store = self.blobs.tenant(entry.tenant)
        facts = {"state": "rejected", "reason": refused.message, "hint": refused.hint}
        begin(entry, thing, store, place=REJECTED, facts=facts)
        self.ledger.put_entry(replace(entry, state=EntryState.REJECTED, reason=refused.message))
        depart(entry, thing, store, place=REJECTED, facts=facts)
        self.log("entry.rejected", tenant=entry.tenant, entry=entry.id, reason=refused.message)

    # One arrival

    def _accept(self, tenant: str, received: Received, thing: Thing, folder: Path) -> Arrival:
        """Store and record what came of one study, joined with what came before."""
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
        store.put_files({f.key: path for f, path in received.files.items() if store.stat(f.key) is None})
        if store.stat(arrival.manifest_key) is None:
            store.put(arrival.manifest_key, canonical_json(files_to_json(files)))
        recorded = self.ledger.add_arrival(arrival)
        self._start(recorded, received.files, folder, thing.file_set)
        return recorded

    def _start(
        self,
        arrival: Arrival,
        local: Mapping[StoredFile, Path],
        folder: Path,
        file_set: FileSetSettings | None = None,
    ) -> None:
        """Record the decisions on an arrival and queue its jobs."""
        now = self.clock.now()
        if arrival.kind is ArrivalKind.FILES:
            verdicts = _verdict_of_set(arrival, file_set or self._set_of(arrival), now)
        else:
            attributes = series_attributes(self._at_hand(arrival, local, folder))
            verdicts = self._rulebook.judge(arrival, attributes, now)
        self.ledger.add_decisions(verdicts.decisions)
        for name, rule in verdicts.starts.items():
            job = new_job(arrival, self.pipelines[name], rule=rule.name, priority=rule.priority, now=now)
            job, new = self.ledger.enqueue(job)
            if new:
                self.log("job.queued", tenant=job.tenant, job=job.id, arrival=arrival.id, rule=rule.name)
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

    def _at_hand(self, arrival: Arrival, local: Mapping[StoredFile, Path], folder: Path) -> Iterable[Path]:
        """Return local files of all instances, those of earlier versions brought from the store."""
        store = self.blobs.tenant(arrival.tenant)
        older = folder / f"older-{arrival.id}"
        older.mkdir(exist_ok=True)
        for file in arrival.files:
            if file not in local:
                store.fetch(file.key, older / f"{file.sha256}{file.suffix}")
        return [*(local[f] for f in arrival.files if f in local), *older.iterdir()]

    # Repair

    def _recent_arrivals(self, tenant: str, since: datetime) -> Iterable[str]:
        store = self.blobs.tenant(tenant)
        digits = "0123456789abcdef"
        # Ids are hexadecimal; the many files of arrivals lie under "files", which this passes by.
        for prefix in [*digits[:15], *(f"f{d}" for d in digits)]:
            for blob in store.list(f"arrivals/{prefix}"):
                if blob.modified_at >= since:
                    yield blob.key.split("/")[1]

    def _lacks_jobs(self, arrival: Arrival) -> bool:
        """Whether a decision was not followed by its job, or none was made at all."""
        decisions = self.ledger.decisions(arrival.tenant, arrival.id)
        where = JobFilter(arrival_id=arrival.id)
        there = {job.pipeline.name for job in self.ledger.jobs(arrival.tenant, where, limit=1000)}
        if decisions:
            wanted = {d.pipeline for d in decisions if d.matched}
        elif arrival.kind is ArrivalKind.FILES:
            file_set = self._set_of(arrival)
            wanted = {file_set.pipeline} if file_set else set()
        else:
            wanted = {rule.pipeline for rule in self.rules} if not there else set()
        return bool((wanted & self.pipelines.keys()) - there)

    def _set_of(self, arrival: Arrival) -> FileSetSettings | None:
        """Return the file set that an arrival was, by its files' extensions."""
        suffixes = {file.suffix for file in arrival.files}
        return next((s for s in self.limits.file_set if {extension(p) for p in s.patterns} == suffixes), None)

    @contextlib.contextmanager
    def _folder(self, tenant: str, name: str) -> Iterator[Path]:
        """Give an empty work folder that is removed afterwards."""
        folder = self.workspace / tenant / name
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir(parents=True)
            yield folder
        except OSError as exc:
            raise Unavailable(f"intake: work folder: {exc.strerror}", hint="bedside doctor") from exc
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _joined(received: Received, base: Arrival | None) -> tuple[StoredFile, ...]:
    """Return the files of the next version: what came, and of the one before what was not sent again.

    A file set is sent as a whole, so nothing of an earlier one stays.
    """
    files = set(received.files)
    if base and received.kind is ArrivalKind.DICOM:
        again = {file.sop_instance_uid for file in files}
        files |= {file for file in base.files if file.sop_instance_uid not in again}
    return tuple(sorted(files))


def _verdict_of_set(arrival: Arrival, file_set: FileSetSettings | None, now: datetime) -> Verdicts:
    if file_set is None:
        return Verdicts(decisions=(), starts={})
    decision = Decision(
        tenant=arrival.tenant,
        arrival_id=arrival.id,
        rule=file_set.name,
        pipeline=file_set.pipeline,
        matched=True,
        reason=f"the file set is complete: {len(arrival.files)} files",
        values={},
        decided_at=now,
    )
    rule = Rule(name=file_set.name, pipeline=file_set.pipeline)
    return Verdicts(decisions=(decision,), starts={file_set.pipeline: rule})
