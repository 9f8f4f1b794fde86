"""Uploads that people have begun, and what became of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from bedside.domain.upload import Upload


class Uploads(Protocol):
    """Records of uploads; each is its person's alone, and callers look at whose it is."""

    def begin(self, upload: Upload) -> Upload:
        """Record an upload, or return the open one of the same tenant, person and fingerprint.

        Two that begin the same at once get the same.
        """
        ...

    def upload(self, tenant: str, upload_id: str) -> Upload | None:
        """Return one, or None where there is none."""
        ...

    def move(self, before: Upload, after: Upload) -> bool:
        """Write an upload's next state, if it still stands where it was; return whether it did."""
        ...

    def of_person(self, tenant: str, person: str, *, limit: int = 50) -> Sequence[Upload]:
        """Return a person's uploads, newest first."""
        ...

    def open_bytes(self, tenant: str) -> int:
        """Return the bytes of all uploads of a tenant that are not complete yet and not given up."""
        ...

    def stale(self, now: datetime, unchanged_since: datetime, *, limit: int = 100) -> Sequence[Upload]:
        """Return what somebody must look after, of all tenants.

        Open ones past their time, and those whose completion began before ``unchanged_since`` and did
        not end.
        """
        ...
