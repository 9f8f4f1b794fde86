"""Puts into the catalogue what arrived and what was written, and takes out what was superseded.

Every step may be repeated and may run in several processes at once: the catalogue takes the same instance
twice and keeps one. What cannot be read is left out and told in numbers; it must not hide the rest.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bedside.catalogue.look import Refused, looked
from bedside.domain.catalogue import Catalogued, Source, SourceKind
from bedside.errors import NotFound
from bedside.log import Log
from bedside.ports import BlobStore, Clock, Ledger
from bedside.ports.catalogue import Catalogue, Head

#: Written in one transaction, so that what is asked meanwhile waits for a moment only.
CHUNK = 100
#: Where somebody waits: a store far away answers several requests at once. In the background one is enough,
#: or whoever asks the portal meanwhile would wait for all of them.
THREADS = 4
#: A study that was in step so recently is not looked at again when somebody asks for it.
FRESH_S = 2.0
_REMEMBERED = 1000
#: Two transactions may end in another order than they began; so many numbers are looked at again.
OVERLAP = 200
#: Studies of one round.
ROUND = 50
#: Where a result's DICOM lies below its prefix: the model's, and what reviewers corrected.
RESULT_FOLDERS = ("dicom", "corrections")


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file to be catalogued."""

    key: str
    size_bytes: int


class Cataloguer:
    """Brings the catalogue up to date. Called from several threads.

    Args:
        ledger: Tells which files an arrival has.
        catalogue: Filled.
        blobs: The store, of any tenant.
        clock: Its `monotonic` counts.
        log: Takes notes.
    """

    def __init__(
        self, *, ledger: Ledger, catalogue: Catalogue, blobs: BlobStore, clock: Clock, log: Log
    ) -> None:
        self._ledger = ledger
        self._catalogue = catalogue
        self._blobs = blobs
        self._clock = clock
        self._log = log
        self._guard = threading.Lock()
        self._locks: dict[tuple[str, str], threading.Lock] = {}
        self._fresh: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._since = Head()

    def step(self) -> int:
        """Look once for studies that lack something, and bring them up to date; return how many.

        Raises:
            Unavailable: The store or the ledger is out of reach; the next step goes on.
        """
        head = self._catalogue.head()
        since = Head(
            arrival=max(0, self._since.arrival - OVERLAP), result=max(0, self._since.result - OVERLAP)
        )
        behind = self._catalogue.behind(since, limit=ROUND)
        for tenant, study_uid in behind:
            self.bring(tenant, study_uid, anew=True)
        if len(behind) < ROUND:
            self._since = head
        return len(behind)

    def start_over(self) -> None:
        """Let the next steps look at everything, whenever it was recorded."""
        self._since = Head()

    def bring(self, tenant: str, study_uid: str, *, anew: bool = False) -> None:
        """Bring one study up to date before the call returns.

        Args:
            tenant: Whose.
            study_uid: Which.
            anew: Look also where it was in step a moment ago.

        Raises:
            Unavailable: The store or the ledger is out of reach.
        """
        place = (tenant, study_uid)
        with self._guard:
            if not anew and self._clock.monotonic() - self._fresh.get(place, float("-inf")) < FRESH_S:
                return
            lock = self._locks.setdefault(place, threading.Lock())
        with lock:
            lacking = self._catalogue.lacking(tenant, study_uid)
            for source in lacking.wanted:
                self._put(source, threads=1 if anew else THREADS)
            # Afterwards: whoever looks meanwhile sees the old result rather than none.
            for source in lacking.withdrawn:
                self._catalogue.withdraw(source)
                self._log("catalogue.withdrawn", tenant=tenant, job=source.id)
        with self._guard:
            self._locks.pop(place, None)
            self._fresh[place] = self._clock.monotonic()
            self._fresh.move_to_end(place)
            while len(self._fresh) > _REMEMBERED:
                self._fresh.popitem(last=False)

    def add_corrections(self, tenant: str, study_uid: str, job_id: str, prefix: str) -> None:
        """Put into the catalogue what reviewers added to a result since it was catalogued.

        Raises:
            Unavailable: The store or the ledger is out of reach.
        """
        self._put(
            Source(
                tenant=tenant,
                study_uid=study_uid,
                kind=SourceKind.RESULT,
                id=job_id,
                rank=0,  # as of every result: no version of one has the same instances
                prefix=prefix,
            )
        )

    def _put(self, source: Source, *, threads: int = THREADS) -> None:
        known = {one.key for one in self._catalogue.instances(source.tenant, source.study_uid)}
        files = [file for file in self._files(source) if file.key not in known]
        put, refused = 0, 0
        for chunk in _chunks(files):
            brought, problems = self._look(source, chunk, threads)
            refused += len(problems)
            put += len(brought)
            if not self._catalogue.put(source, brought, done=False):
                return  # its tenant, or the result, went away meanwhile
        problem = f"{refused} of {len(files)} files are no instance that can be catalogued" if refused else ""
        self._catalogue.put(source, (), done=True, problem=problem)
        self._log(
            "catalogue.filled",
            tenant=source.tenant,
            **{"arrival" if source.kind is SourceKind.ARRIVAL else "job": source.id},
            instances=put,
            refused=refused or "",
        )

    def _look(
        self, source: Source, files: Sequence[_File], threads: int
    ) -> tuple[list[Catalogued], list[Refused]]:
        store = self._blobs.tenant(source.tenant)

        def look(file: _File) -> Catalogued | Refused:
            return looked(store, file.key, file.size_bytes, source.study_uid)

        with ThreadPoolExecutor(min(threads, max(1, len(files)))) as pool:
            found = list(pool.map(look, files))
        return (
            [one for one in found if isinstance(one, Catalogued)],
            [one for one in found if isinstance(one, Refused)],
        )

    def _files(self, source: Source) -> list[_File]:
        if source.kind is SourceKind.ARRIVAL:
            try:
                arrival = self._ledger.arrival(source.tenant, source.id)
            except NotFound:
                return []
            return [_File(key=file.key, size_bytes=file.size_bytes) for file in arrival.files]
        store = self._blobs.tenant(source.tenant)
        return [
            _File(key=blob.key, size_bytes=blob.size_bytes)
            for folder in RESULT_FOLDERS
            for blob in store.list(f"{source.prefix}/{folder}/")
            if blob.key.endswith(".dcm")
        ]


def _chunks(files: Sequence[_File]) -> Iterator[Sequence[_File]]:
    for first in range(0, len(files), CHUNK):
        yield files[first : first + CHUNK]
