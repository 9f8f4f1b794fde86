"""Signs upload links: one ZIP into one tenant's drop-box, for whoever may send there and no one else.

Owns the order of the questions: rights come first, so that a stranger learns nothing of who is served.
The key is drawn and holds no file name, since a file may be called as a patient is.
"""

import secrets
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta

from bedside.domain.person import Person, Right
from bedside.domain.tenant import path_of
from bedside.errors import UsageError
from bedside.ports import BlobStore, Clock
from bedside.ports.signing import SignedUploads


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLink:
    """Where one ZIP can be sent.

    Attributes:
        url: To PUT it to; whoever has it may send, so it is a secret until it expires.
        key: Of the object under the tenant.
        expires_at: Until when.
    """

    url: str
    key: str
    expires_at: datetime


def sign_upload(
    tenant: str,
    person: Person | None,
    *,
    served: Container[str],
    blobs: BlobStore,
    clock: Clock,
    expires_s: int,
    size_bytes: int | None = None,
) -> UploadLink:
    """Return a link for one ZIP.

    Args:
        tenant: Whose drop-box.
        person: Who asks; None where nobody signs in and this machine is trusted.
        served: The tenants that are served.
        blobs: The store.
        clock: The time.
        expires_s: Seconds until it cannot be used any more.
        size_bytes: What must be sent exactly; None is any length.

    Raises:
        NotPermitted: The person may not send there.
        UsageError: The tenant is not served, or the store signs nothing.
    """
    if person is not None:
        person.must(Right.SEND, tenant)
    if tenant not in served:
        raise UsageError(
            f"tenant {path_of(tenant)} takes no studies: nobody made it, or it is closed",
            hint="bedside tenant list",
        )
    store = blobs.tenant(tenant)
    if not isinstance(store, SignedUploads):
        raise UsageError(
            "upload links need a store in S3, and this one is a folder", hint="bedside submit PATH"
        )
    key = f"input/{secrets.token_hex(8)}.zip"
    url = store.presign_put(key, expires_s, size_bytes)
    return UploadLink(url=url, key=key, expires_at=clock.now() + timedelta(seconds=expires_s))
