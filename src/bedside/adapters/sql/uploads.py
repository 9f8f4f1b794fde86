"""Uploads, in the ledger's database."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row as Found
from sqlalchemy import and_, func, or_, select, update

from bedside.adapters.sql.engine import Database
from bedside.adapters.sql.statements import add_once
from bedside.adapters.sql.types import Row
from bedside.adapters.sql.uploads_tables import uploads
from bedside.domain.upload import Upload, UploadState
from bedside.errors import Unavailable

#: Each failed try means that the open one was there, and was gone when it was to be read.
TRIES = 5


class SqlUploads:
    """A `bedside.ports.uploads.Uploads` on SQLite or PostgreSQL.

    Args:
        database: The ledger's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, upload: Upload) -> Upload:
        """Record an upload, or return the open one of the same tenant, person and fingerprint.

        The partial unique index decides between two that begin at once.
        """
        query = select(uploads).where(
            uploads.c.tenant == upload.tenant,
            uploads.c.person == upload.person,
            uploads.c.fingerprint == upload.fingerprint,
            uploads.c.state == UploadState.OPEN.value,
        )
        for _ in range(TRIES):
            with self._database.write() as connection:
                if add_once(connection, uploads, _row(upload)):
                    return upload
                row = connection.execute(query).one_or_none()
                if row is not None:
                    return _upload(row)
        raise Unavailable("upload: others begin and end the same one all the time", hint="try again")

    def upload(self, tenant: str, upload_id: str) -> Upload | None:
        """Return one, or None where there is none."""
        query = select(uploads).where(uploads.c.tenant == tenant, uploads.c.id == upload_id)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _upload(row)

    def move(self, before: Upload, after: Upload) -> bool:
        """Write an upload's next state, if it still stands where it was; return whether it did."""
        statement = update(uploads).where(
            uploads.c.tenant == before.tenant,
            uploads.c.id == before.id,
            uploads.c.state == before.state.value,
        )
        changes = {"state": after.state.value, "changed_at": after.changed_at, "entry": after.entry}
        with self._database.write() as connection:
            return connection.execute(statement.values(changes)).rowcount == 1

    def of_person(self, tenant: str, person: str, *, limit: int = 50) -> Sequence[Upload]:
        """Return a person's uploads, newest first."""
        query = (
            select(uploads)
            .where(uploads.c.tenant == tenant, uploads.c.person == person)
            .order_by(uploads.c.begun_at.desc(), uploads.c.seq.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            return [_upload(row) for row in connection.execute(query)]

    def open_bytes(self, tenant: str) -> int:
        """Return the bytes of all uploads of a tenant that are not complete yet and not given up."""
        under_way = (UploadState.OPEN.value, UploadState.COMPLETING.value)
        query = select(func.coalesce(func.sum(uploads.c.size_bytes), 0)).where(
            uploads.c.state.in_(under_way), uploads.c.tenant == tenant
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def stale(self, now: datetime, unchanged_since: datetime, *, limit: int = 100) -> Sequence[Upload]:
        """Return open ones past their time, and those whose completion did not end."""
        query = (
            select(uploads)
            .where(
                or_(
                    and_(uploads.c.state == UploadState.OPEN.value, uploads.c.expires_at <= now),
                    and_(
                        uploads.c.state == UploadState.COMPLETING.value,
                        uploads.c.changed_at < unchanged_since,
                    ),
                )
            )
            .order_by(uploads.c.expires_at)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [_upload(row) for row in connection.execute(query)]


def _row(upload: Upload) -> Row:
    return {
        "tenant": upload.tenant,
        "id": upload.id,
        "person": upload.person,
        "name": upload.name,
        "fingerprint": upload.fingerprint,
        "files": upload.files,
        "size_bytes": upload.size_bytes,
        "part_bytes": upload.part_bytes,
        "ticket": upload.ticket,
        "state": upload.state.value,
        "begun_at": upload.begun_at,
        "changed_at": upload.changed_at,
        "expires_at": upload.expires_at,
        "entry": upload.entry,
    }


def _upload(row: Found[Any]) -> Upload:
    return Upload(
        tenant=row.tenant,
        id=row.id,
        person=row.person,
        name=row.name,
        fingerprint=row.fingerprint,
        files=row.files,
        size_bytes=row.size_bytes,
        part_bytes=row.part_bytes,
        ticket=row.ticket,
        state=UploadState(row.state),
        begun_at=row.begun_at,
        changed_at=row.changed_at,
        expires_at=row.expires_at,
        entry=row.entry,
    )
