"""The desk at which people hand in studies, in parts, over as many connections as it takes.

Owns the order of steps, so that each may be repeated by another tab or after a crash: the ledger's state
first, then the store, then the ledger again. Refuses whatever is not the asker's own: another person's
upload is not found, and neither is another tenant's.
"""

import contextlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from bedside.config.upload import UploadSettings
from bedside.domain.arrival import Entry, entry_id, fingerprint
from bedside.domain.upload import LONGEST_NAME, PART_BYTES, Upload, UploadMove, UploadState
from bedside.errors import BedsideError, ErrorCode, NotFound, Overtaken, UsageError, told
from bedside.log import Log, silent
from bedside.ports import BlobStore, Clock, Ledger
from bedside.ports.parts import (
    Part,
    PartSink,
    ReceivedParts,
    SignedPart,
    SignedParts,
    StoredPart,
    UploadParts,
)
from bedside.ports.uploads import Uploads
from bedside.uploads.limits import Wish, check_disk, check_room, check_wish

#: Among so many newest entries of a drop-box is one looked for whose id was not seen.
LOOKED_THROUGH = 1000
#: A completion that did not end in this time is gone on with by the sweep.
HANGING = timedelta(minutes=10)
#: A signed URL of a part is good for so long; a slow line needs minutes for 8 MB.
SIGNED_S = 3600
#: Uploads of a person that are looked through for the same files.
MINE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadDesk:
    """Takes uploads.

    Attributes:
        uploads: Their records.
        ledger: Knows what became of them.
        blobs: The store, of any tenant.
        clock: The time.
        limits: What is too much, and too old.
        log: Takes notes.
    """

    uploads: Uploads
    ledger: Ledger
    blobs: BlobStore
    clock: Clock
    limits: UploadSettings
    log: Log = silent

    def begin(self, tenant: str, person: str, wish: Wish) -> Upload:
        """Begin an upload, or return the person's open one of the same files, to go on with.

        Raises:
            TooLarge: It is more than is taken at once.
            Full: There is no room for it now.
            UsageError: There is nothing to send, or the store takes no parts.
        """
        check_wish(wish, self.limits)
        known = self._same(tenant, person, wish)
        if known is not None:
            return known
        store = self._store(tenant)
        check_room(store, wish.size_bytes, self.uploads.open_bytes(tenant), self.limits)
        now = self.clock.now()
        drawn = secrets.token_hex(8)
        upload = Upload(
            tenant=tenant,
            id=drawn,
            person=person,
            name=wish.name[:LONGEST_NAME],
            fingerprint=wish.fingerprint,
            files=wish.files,
            size_bytes=wish.size_bytes,
            part_bytes=PART_BYTES,
            ticket="",
            begun_at=now,
            changed_at=now,
            expires_at=now + timedelta(days=self.limits.keep_days),
        )
        ticket = store.begin_parts(upload.key)
        begun = self.uploads.begin(replace(upload, ticket=ticket))
        if begun.id != drawn:  # another tab was faster
            store.abort_parts(upload.key, ticket)
        return begun

    def find(self, tenant: str, person: str, upload_id: str) -> Upload:
        """Return a person's upload.

        Raises:
            NotFound: There is none, or it is another's.
        """
        found = self.uploads.upload(tenant, upload_id)
        if found is None or found.person != person:
            raise NotFound("no such upload", told=told(ErrorCode.UPLOAD_MISSING))
        return self._expire(found) if found.is_stale(self.clock.now()) else found

    def mine(self, tenant: str, person: str, *, limit: int) -> Sequence[Upload]:
        """Return a person's uploads, newest first."""
        now = self.clock.now()
        found = self.uploads.of_person(tenant, person, limit=limit)
        return [self._expire(upload) if upload.is_stale(now) else upload for upload in found]

    def parts(self, upload: Upload) -> Sequence[StoredPart]:
        """Return the parts that need not be sent any more; none of an upload that is not open."""
        if upload.state is not UploadState.OPEN:
            return []
        try:
            found = self._store(upload.tenant).stored_parts(upload.key, upload.ticket)
        except NotFound:
            return []
        return [
            part
            for part in found
            if part.number <= upload.parts and part.size_bytes == upload.extent(part.number)[1]
        ]

    def part(self, upload: Upload, number: int, sha256: str) -> Part:
        """Return a part that somebody wants to send.

        Raises:
            UsageError: There is none of this number.
            Overtaken: The upload takes no parts any more.
        """
        if upload.state is not UploadState.OPEN:
            raise Overtaken(
                f"upload {upload.id}: it takes no parts, it is {upload.state.value}",
                told=told(ErrorCode.UPLOAD_NOT_OPEN, upload=upload.state.value),
            )
        offset, size_bytes = upload.extent(number)
        return Part(number=number, offset_bytes=offset, size_bytes=size_bytes, sha256=sha256)

    def place(self, upload: Upload, part: Part) -> SignedPart | None:
        """Return where a part is to be sent, or None where it comes through us."""
        store = self._store(upload.tenant)
        if isinstance(store, SignedParts):
            return store.presign_part(upload.key, upload.ticket, part, SIGNED_S)
        return None

    @contextlib.contextmanager
    def receive(self, upload: Upload, part: Part) -> Iterator[PartSink]:
        """Take a part that comes through us.

        Raises:
            UsageError: The store is sent parts directly.
            Full: There is no room for it.
        """
        store = self._store(upload.tenant)
        if not isinstance(store, ReceivedParts):
            raise UsageError("parts of this deployment go to its bucket", hint="ask where to send each part")
        check_disk(store, part.size_bytes, self.limits)
        with store.receive_part(upload.key, upload.ticket, part) as sink:
            yield sink

    def origin(self, tenant: str) -> str:
        """Return the origin that browsers send parts to, or empty where that is our own."""
        store = self._store(tenant)
        return store.origin("input/x.zip") if isinstance(store, SignedParts) else ""

    def complete(self, upload: Upload) -> Upload:
        """Put an upload into the drop-box; saying so twice, or in two tabs, does it once.

        Raises:
            Incomplete: Parts are missing or damaged.
            Overtaken: It was given up, or a part is still being written.
            NotFound: Its parts are gone.
        """
        if upload.state is UploadState.COMPLETE:
            return upload
        completing = upload.moved(UploadMove.COMPLETE, self.clock.now())
        if not self.uploads.move(upload, completing):
            raise _raced(upload)
        store = self._store(upload.tenant)
        extents = [
            Part(number=n, offset_bytes=offset, size_bytes=size_bytes)
            for n in range(1, upload.parts + 1)
            for offset, size_bytes in [upload.extent(n)]
        ]
        try:
            # Before the object, so that whoever sees it sees too that it is whole.
            store.put(upload.marker, b"")
            store.complete_parts(upload.key, upload.ticket, extents)
        except NotFound as gone:
            if store.stat(upload.key) is None and self._entry_by_key(upload) is None:
                store.delete(upload.marker)
                self.uploads.move(completing, completing.moved(UploadMove.EXPIRE, self.clock.now()))
                raise NotFound(
                    f"upload {upload.id}: its parts are gone",
                    hint="send the files again",
                    told=told(ErrorCode.PARTS_LOST),
                ) from gone
        except BedsideError:
            self.uploads.move(completing, completing.moved(UploadMove.REOPEN, self.clock.now()))
            raise
        blob = store.stat(upload.key)
        entry = ""
        if blob is not None:
            mark = fingerprint([(blob.key, blob.size_bytes, blob.modified_at)])
            entry = entry_id(upload.tenant, upload.key, mark)
        done = completing.moved(UploadMove.COMPLETED, self.clock.now(), entry=entry)
        self.uploads.move(completing, done)
        self.log("upload.completed", tenant=upload.tenant, upload=upload.id, bytes=upload.size_bytes)
        return done

    def cancel(self, upload: Upload) -> Upload:
        """Give an upload up and remove its parts.

        Raises:
            Overtaken: It is complete.
        """
        after = upload.moved(UploadMove.CANCEL, self.clock.now())
        if not self.uploads.move(upload, after):
            raise _raced(upload)
        self._store(upload.tenant).abort_parts(upload.key, upload.ticket)
        return after

    def sweep(self) -> int:
        """Remove what nobody went on with, and end completions that hang; return how many there were."""
        now = self.clock.now()
        done = 0
        for upload in self.uploads.stale(now, now - HANGING):
            try:
                if upload.state is UploadState.OPEN:
                    self._expire(upload)
                else:
                    self.complete(upload)
                done += 1
            except BedsideError as failed:
                self.log("upload.stays", tenant=upload.tenant, upload=upload.id, reason=failed.message)
        return done

    def entry(self, upload: Upload) -> Entry | None:
        """Return the drop-box entry that an upload became, or None before intake has seen it."""
        if upload.state is not UploadState.COMPLETE:
            return None
        found = self.ledger.entry(upload.tenant, upload.entry) if upload.entry else None
        return found or (None if upload.entry else self._entry_by_key(upload))

    def _entry_by_key(self, upload: Upload) -> Entry | None:
        newest = self.ledger.entries(upload.tenant, limit=LOOKED_THROUGH)
        return next((entry for entry in newest if entry.key == upload.key), None)

    def _same(self, tenant: str, person: str, wish: Wish) -> Upload | None:
        for upload in self.uploads.of_person(tenant, person, limit=MINE):
            if upload.state is not UploadState.OPEN or upload.fingerprint != wish.fingerprint:
                continue
            if upload.is_stale(self.clock.now()):
                self._expire(upload)
                continue
            if upload.size_bytes != wish.size_bytes:
                raise UsageError(
                    f"upload {upload.id} has this fingerprint and {upload.size_bytes} bytes,"
                    f" not {wish.size_bytes}",
                    hint="cancel it first",
                    told=told(ErrorCode.UPLOAD_OTHER_SIZE),
                )
            return upload
        return None

    def _expire(self, upload: Upload) -> Upload:
        after = upload.moved(UploadMove.EXPIRE, self.clock.now())
        if not self.uploads.move(upload, after):
            return self.uploads.upload(upload.tenant, upload.id) or after
        self._store(upload.tenant).abort_parts(upload.key, upload.ticket)
        self.log("upload.expired", tenant=upload.tenant, upload=upload.id)
        return after

    def _store(self, tenant: str) -> "_Store":
        store = self.blobs.tenant(tenant)
        if not isinstance(store, UploadParts):
            raise UsageError("the store of this deployment takes no uploads in parts")
        return store


class _Store(BlobStore, UploadParts, Protocol):
    """A store of objects that takes parts."""


def _raced(upload: Upload) -> Overtaken:
    return Overtaken(
        f"upload {upload.id}: another tab was faster",
        hint="look at it again",
        told=told(ErrorCode.UPLOAD_RACED),
    )
