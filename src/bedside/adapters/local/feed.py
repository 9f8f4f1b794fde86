"""What is complete in a folder's drop-boxes: ``<root>/<tenant>/input/``, looked at again and again.

Looking costs a directory listing and works on every file system; notifications (inotify) do not come
from network shares, which is what hospital drop-boxes are.
"""

from collections.abc import Sequence
from pathlib import Path

from bedside.adapters.local.blobs import FolderBlobStore
from bedside.config import FileSetSettings
from bedside.ports import Clock, Dropped
from bedside.worker.dropbox import DropboxWatch


class FolderFeed:
    """Watches the drop-boxes of all tenants of a folder store.

    Args:
        root: The root of the folder store.
        quiet_s: A folder or file is complete when unchanged this long.
        clock: Counts the quiet time.
        file_sets: Sets of other files than DICOM.
    """

    def __init__(
        self, root: Path, quiet_s: float, clock: Clock, file_sets: Sequence[FileSetSettings] = ()
    ) -> None:
        self._watch = DropboxWatch(FolderBlobStore(root), quiet_s, clock, file_sets)

    def ready(self, tenant: str) -> Sequence[Dropped]:
        """Return what is complete now and was not yet moved away; may repeat itself."""
        return self._watch.ready(tenant)

    def taken(self, tenant: str, dropped: Dropped) -> None:
        """Do nothing: looking again costs little, and the ledger knows what was taken."""

    def postponed(self, tenant: str, dropped: Dropped, wait_s: float) -> None:
        """Do nothing: what lies in the drop-box is told at every look."""

    def close(self) -> None:
        """Do nothing: nothing is held."""
