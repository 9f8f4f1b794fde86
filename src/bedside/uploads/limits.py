"""What is too much: of one upload, of a tenant's uploads together, of the disk."""

from dataclasses import dataclass, field

from bedside.config.upload import UploadSettings
from bedside.domain.upload import LONGEST_FINGERPRINT
from bedside.errors import ErrorCode, Full, TooLarge, UsageError, told
from bedside.ports.parts import ReceivedParts, UploadParts

#: An archive of nothing has so many bytes, and anything shorter is none.
LEAST_BYTES = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants to send.

    Attributes:
        name: What they call it; only they see it.
        fingerprint: Of names, sizes and times of the files.
        files: How many.
        size_bytes: Of the ZIP.
    """

    name: str = field(repr=False)
    fingerprint: str = field(repr=False)
    files: int
    size_bytes: int


def check_wish(wish: Wish, limits: UploadSettings) -> None:
    """Refuse what is never taken.

    Raises:
        TooLarge: It is more than is taken at once.
        UsageError: It cannot be meant.
    """
    if wish.size_bytes < LEAST_BYTES or wish.files < 1:
        raise UsageError(
            f"upload of {wish.size_bytes} bytes: no ZIP is so short", told=told(ErrorCode.UPLOAD_TOO_SHORT)
        )
    if wish.size_bytes > limits.max_bytes:
        raise TooLarge(
            f"upload of {wish.size_bytes} bytes: at most {limits.max_bytes} are taken at once",
            hint="send the studies one by one, or raise upload.max_bytes",
            told=told(ErrorCode.UPLOAD_TOO_LARGE, size_bytes=wish.size_bytes, most_bytes=limits.max_bytes),
        )
    if not 0 < len(wish.fingerprint) <= LONGEST_FINGERPRINT:
        raise UsageError(f"fingerprint of {len(wish.fingerprint)} characters: 1 to {LONGEST_FINGERPRINT}")


def check_room(store: UploadParts, size_bytes: int, under_way_bytes: int, limits: UploadSettings) -> None:
    """Refuse what there is no room for now.

    Args:
        store: The tenant's.
        size_bytes: That are to come.
        under_way_bytes: Of the tenant's unfinished uploads.
        limits: What is too much.

    Raises:
        Full: There is none.
    """
    if under_way_bytes + size_bytes > limits.tenant_bytes:
        raise Full(
            f"unfinished uploads of this tenant have {under_way_bytes} bytes, and with {size_bytes} more "
            f"they would have over {limits.tenant_bytes}",
            hint="finish or cancel some, or raise upload.tenant_bytes",
            told=told(ErrorCode.UPLOADS_FULL, there_bytes=under_way_bytes, most_bytes=limits.tenant_bytes),
        )
    if isinstance(store, ReceivedParts):
        check_disk(store, size_bytes, limits)


def check_disk(store: ReceivedParts, size_bytes: int, limits: UploadSettings) -> None:
    """Refuse what would leave too little free disk.

    Raises:
        Full: It would.
    """
    free = store.free_bytes()
    if free - size_bytes < limits.min_free_bytes:
        raise Full(
            f"{free} bytes are free and {size_bytes} are to come, {limits.min_free_bytes} must stay free "
            "(upload.min_free_bytes); what was sent before stays",
            hint="free some disk, then go on",
            told=told(ErrorCode.DISK_FULL),
        )
