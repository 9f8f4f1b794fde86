"""Uploads in this process's memory."""

import threading
from collections.abc import Sequence
from datetime import datetime

from bedside.domain.upload import Upload, UploadState

_UNDER_WAY = frozenset({UploadState.OPEN, UploadState.COMPLETING})


class MemoryUploads:
    """A `bedside.ports.uploads.Uploads` in memory; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._uploads: dict[tuple[str, str], Upload] = {}

    def begin(self, upload: Upload) -> Upload:
        """Record an upload, or return the open one of the same tenant, person and fingerprint."""
        with self._lock:
            for known in self._uploads.values():
                if known.state is UploadState.OPEN and _same(known) == _same(upload):
                    return known
            self._uploads[upload.tenant, upload.id] = upload
            return upload

    def upload(self, tenant: str, upload_id: str) -> Upload | None:
        """Return one, or None where there is none."""
        with self._lock:
            return self._uploads.get((tenant, upload_id))

    def move(self, before: Upload, after: Upload) -> bool:
        """Write an upload's next state, if it still stands where it was; return whether it did."""
        with self._lock:
            known = self._uploads.get((before.tenant, before.id))
            if known is None or known.state is not before.state:
                return False
            self._uploads[before.tenant, before.id] = after
            return True

    def of_person(self, tenant: str, person: str, *, limit: int = 50) -> Sequence[Upload]:
        """Return a person's uploads, newest first."""
        with self._lock:
            mine = [u for u in self._uploads.values() if (u.tenant, u.person) == (tenant, person)]
        return sorted(mine, key=lambda u: u.begun_at, reverse=True)[:limit]

    def open_bytes(self, tenant: str) -> int:
        """Return the bytes of all uploads of a tenant that are not complete yet and not given up."""
        with self._lock:
            return sum(
                u.size_bytes for u in self._uploads.values() if u.tenant == tenant and u.state in _UNDER_WAY
            )

    def stale(self, now: datetime, unchanged_since: datetime, *, limit: int = 100) -> Sequence[Upload]:
        """Return open ones past their time, and those whose completion did not end."""
        with self._lock:
            found = [
                u
                for u in self._uploads.values()
                if u.is_stale(now) or (u.state is UploadState.COMPLETING and u.changed_at < unchanged_since)
            ]
        return sorted(found, key=lambda u: u.expires_at)[:limit]


def _same(upload: Upload) -> tuple[str, str, str]:
    return upload.tenant, upload.person, upload.fingerprint
