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

from bedside.config import IntakeSettings
from bedside.domain.arrival import Entry, EntryState, entry_id
from bedside.domain.pipeline import Pipeline, Rule
from bedside.errors import ConfigError, InputRejected, NotFound, Unavailable
from bedside.log import Log, silent
from bedside.ports import ArrivalFeed, BlobStore, Clock, Dropped, Ledger
from bedside.worker.admit import Admission
from bedside.worker.depart import REJECTED, begin, things_in
from bedside.worker.dropbox import Thing
from bedside.worker.observe import Observer
from bedside.worker.receive import Contents, receive_file_set, receive_study
from bedside.worker.rules import RuleBook
from bedside.worker.settle import settle, settle_entry
from bedside.worker.sweep import hold
from bedside.worker.unpack import Limits

#: An entry that could not be taken is tried again after this long.
POSTPONED_S = 30.0
#: How far back `Intake.sweep` looks: longer than any stop of the system that nobody noticed.
SWEPT = timedelta(days=14)
#: Between two looks through them. The first repairs what a crash left; more are for other machines.
SWEEP_S = 3600.0


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
        observer: Tells people, and counts.
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
    observer: Observer = field(default_factory=Observer)
    _admission: Admission = field(init=False, repr=False)
    _begun: set[str] = field(init=False, repr=False, default_factory=set)
    _swept_at: dict[str, float] = field(init=False, repr=False, default_factory=dict)
    _postponed: dict[tuple[str, str], float] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Read the rules.

        Raises:
            ConfigError: A rule or a file set cannot be meant.
        """
        self._admission = Admission(
            ledger=self.ledger,
            blobs=self.blobs,
            clock=self.clock,
            pipelines=self.pipelines,
            rulebook=RuleBook(self.rules, self.pipelines),
            file_sets=self.limits.file_set,
            log=self.log,
        )
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
            if tenant not in self._begun:
                self._begun.add(tenant)
                self._clear(tenant)
                self.settle(tenant)  # goes on with torn moves, before what is left looks like another thing
            return sum(self._attempt(tenant, dropped) for dropped in self.feed.ready(tenant))

    def settle(self, tenant: str) -> int:
        """Move entries whose jobs all ended out of the drop-box; return how many."""
        settled = settle(
            tenant,
            ledger=self.ledger,
            blobs=self.blobs,
            file_sets=self.limits.file_set,
            stays=self._stays,
        )
        for entry in settled:
            self.log(f"entry.{entry.state.value}", tenant=tenant, entry=entry.id, reason=entry.reason)
        return len(settled)

    def _stays(self, entry: Entry, why: Unavailable) -> None:
        """Note that an entry could not be moved; now and then, not at every look."""
        if self._postponed.get((entry.tenant, entry.id), 0.0) <= self.clock.monotonic():
            self._postponed[entry.tenant, entry.id] = self.clock.monotonic() + POSTPONED_S
            self.log("entry.stays", tenant=entry.tenant, entry=entry.id, reason=why.message)

    def sweep(self, tenant: str) -> int:
        """Make the jobs that a crash kept from being made; return how many arrivals lacked some.

        Needed only where an entry was taken away from the drop-box between the recording of its
        arrival and of its jobs; all else `step` repairs. Looks at the last `SWEPT` of arrivals, once
        in `SWEEP_S` however often it is called.
        """
        now = self.clock.monotonic()
        if now < self._swept_at.get(tenant, float("-inf")) + SWEEP_S:
            return 0
        repaired = 0
        for found in self._recent_arrivals(tenant, self.clock.now() - SWEPT):
            with contextlib.suppress(NotFound):  # content without a record: the entry comes again
                arrival = self.ledger.arrival(tenant, found)
                if self._admission.lacks_jobs(arrival):
                    with self._folder(tenant, f"sweep-{found}") as folder:
                        self._admission.start(arrival, {}, None, folder, repairs=True)
                    self.log("arrival.repaired", tenant=tenant, arrival=found)
                    repaired += 1
        self._swept_at[tenant] = now
        return repaired

    # One entry

    def _attempt(self, tenant: str, dropped: Dropped) -> bool:
        identity = entry_id(tenant, dropped.key, dropped.fingerprint)
        known = self.ledger.entry(tenant, identity)
        if known and known.state is EntryState.TAKEN:  # perhaps by another machine
            self.feed.taken(tenant, dropped)
            return False
        if self._postponed.get((tenant, identity), 0.0) > self.clock.monotonic():
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
            taken = self._take(entry, dropped)
        except Unavailable as missing:
            self._postpone(entry, missing.message)
        except Exception as surprise:  # noqa: BLE001 - one entry's surprise must not keep the others waiting
            traceback.print_tb(surprise.__traceback__)  # without the message, which may hold a name
            where = traceback.extract_tb(surprise.__traceback__)[-1]
            self._postpone(entry, f"{type(surprise).__name__} at {Path(where.filename).name}:{where.lineno}")
        else:
            if taken:
                self.feed.taken(tenant, dropped)
            return taken
        self.feed.postponed(tenant, dropped, POSTPONED_S)
        return False

    def _postpone(self, entry: Entry, reason: str) -> None:
        self._postponed[entry.tenant, entry.id] = self.clock.monotonic() + POSTPONED_S
        self.log("entry.postponed", tenant=entry.tenant, entry=entry.id, reason=reason)

    def _take(self, entry: Entry, dropped: Dropped) -> bool:
        store = self.blobs.tenant(entry.tenant)
        thing = self._look(store, dropped)
        if thing is None:
            return False
        try:
            with self._folder(entry.tenant, entry.id) as folder:
                contents = self._receive(entry, dropped, thing, folder)
                if self._look(store, dropped) is None:
                    return False  # it changed while it was copied: what was copied is no version of it
                arrivals = [
                    self._admission.admit(entry.tenant, study, thing.file_set, folder)
                    for study in contents.received
                ]
        except InputRejected as refused:
            self._reject(entry, thing, refused)
            return True
        except NotFound:  # moved away meanwhile
            return False
        entry = replace(entry, arrivals=tuple(a.id for a in arrivals), reason=contents.left)
        self.ledger.put_entry(entry)
        self.observer.taken(entry)
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
        """Reject an entry.

        It counts as taken, with no arrivals, until it lies under ``rejected/``: so `settle` goes on
        with a move that a crash or a full disk tore.
        """
        store = self.blobs.tenant(entry.tenant)
        facts = {"state": "rejected", "reason": refused.message, "hint": refused.hint}
        begin(entry, thing, store, place=REJECTED, facts=facts)
        entry = replace(entry, reason=refused.message)
        self.ledger.put_entry(entry)
        self.ledger.put_entry(settle_entry(entry, [], thing, store))
        self.log("entry.rejected", tenant=entry.tenant, entry=entry.id, reason=refused.message)
        self.observer.rejected(entry)

    # Repair

    def _recent_arrivals(self, tenant: str, since: datetime) -> Iterable[str]:
        store = self.blobs.tenant(tenant)
        digits = "0123456789abcdef"
        # Ids are hexadecimal; the many files of arrivals lie under "files", which this passes by.
        for prefix in [*digits[:15], *(f"f{d}" for d in digits)]:
            for blob in store.list(f"arrivals/{prefix}"):
                if blob.modified_at >= since:
                    yield blob.key.split("/")[1]

    def _clear(self, tenant: str) -> None:
        """Remove what a killed process left under way; the lock says that no other is at work."""
        for left in (self.workspace / tenant).iterdir():
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)

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
