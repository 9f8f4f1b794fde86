"""What is complete in the drop-boxes of a store in memory."""

from collections.abc import Sequence

from bedside.adapters.memory.blobs import MemoryBlobStore
from bedside.config import FileSetSettings
from bedside.ports import Clock, Dropped
from bedside.worker.dropbox import DropboxWatch


class MemoryFeed:
    """Watches the drop-boxes of all tenants of a `MemoryBlobStore`.

    Args:
        blobs: Any tenant's.
        quiet_s: An object is complete when unchanged this long.
        clock: Counts the quiet time.
        file_sets: Sets of other files than DICOM.
    """

    def __init__(
        self,
        blobs: MemoryBlobStore,
        quiet_s: float,
        clock: Clock,
        file_sets: Sequence[FileSetSettings] = (),
    ) -> None:
        self._watch = DropboxWatch(blobs, quiet_s, clock, file_sets)

    def ready(self, tenant: str) -> Sequence[Dropped]:
        """Return what is complete now and was not yet moved away; may repeat itself."""
        return self._watch.ready(tenant)

    def taken(self, tenant: str, dropped: Dropped) -> None:
        """Do nothing: looking again costs little, and the ledger knows what was taken."""

    def postponed(self, tenant: str, dropped: Dropped, wait_s: float) -> None:
        """Do nothing: what lies in the drop-box is told at every look."""

    def close(self) -> None:
        """Do nothing: nothing is held."""
