"""An archive in this process's memory, for tests: lost at exit.

Takes what is DICOM and refuses the rest, at once or, as an import job does, when asked later.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from bedside.dicom.identify import Identified, identify
from bedside.errors import NotFound
from bedside.ports import BlobStore
from bedside.ports.archive import ArchivedInstance, ImageSet, Parcel, Receipt, RefusedInstance, Sending


class MemoryArchive:
    """A `bedside.ports.archive.ImageArchive` that lives as long as the object.

    Args:
        blobs: The store, of any tenant.
        at_once: Most instances that are confirmed at once; more are pending until asked for.
    """

    def __init__(self, blobs: BlobStore, *, at_once: int = 2) -> None:
        self._blobs = blobs
        self._at_once = at_once
        self._receipts: dict[str, Receipt] = {}
        self._kept: dict[str, Identified] = {}  # by SOP Instance UID

    def send(self, parcel: Parcel) -> Sending:
        """Send all instances of a parcel."""
        receipt = self._receipts.get(parcel.token)
        if receipt is None:
            receipt = self._receipts[parcel.token] = self._take(parcel)
        if receipt.stored + len(receipt.refused) <= self._at_once:
            return Sending(receipt=receipt)
        return Sending(ticket=parcel.token)

    def check(self, parcel: Parcel, ticket: str) -> Receipt | None:  # noqa: ARG002 - others look at the store
        """Return what was confirmed of a pending sending."""
        found = self._receipts.get(ticket)
        if found is None:
            raise NotFound("archive: no such sending")
        return found

    def image_sets(self, study_uid: str) -> Sequence[ImageSet]:
        """Return what is kept of a study: a series is an image set here."""
        series = {i.series_uid for i in self._kept.values() if i.study_uid == study_uid}
        return [ImageSet(id=uid, study_uid=study_uid, series_uid=uid) for uid in sorted(series)]

    def instances(self, image_set: str) -> Sequence[ArchivedInstance]:
        """Return an image set's instances."""
        found = [i for i in self._kept.values() if i.series_uid == image_set]
        if not found:
            raise NotFound("archive: no such image set")
        return [
            ArchivedInstance(
                sop_instance_uid=i.sop_instance_uid,
                attributes={
                    "SOPInstanceUID": i.sop_instance_uid,
                    "SeriesInstanceUID": i.series_uid,
                    "StudyInstanceUID": i.study_uid,
                },
                frames=(i.sop_instance_uid,),
            )
            for i in sorted(found, key=lambda i: i.sop_instance_uid)
        ]

    def remove(self, image_set: str) -> None:
        """Remove an image set."""
        self._kept = {uid: i for uid, i in self._kept.items() if i.series_uid != image_set}

    def frame(self, image_set: str, frame: str) -> bytes:
        """Return one frame; its bytes here are its name."""
        kept = self._kept.get(frame)
        if kept is None or kept.series_uid != image_set:
            raise NotFound("archive: no such frame")
        return frame.encode()

    def _take(self, parcel: Parcel) -> Receipt:
        blobs = self._blobs.tenant(parcel.tenant)
        stored, refused = 0, []
        with tempfile.TemporaryDirectory() as folder:
            found_below = [blob.key for blob in blobs.list(f"{parcel.prefix}/")]
            for number, key in enumerate([*found_below, *(file.key for file in parcel.study)]):
                path = Path(folder) / str(number)
                blobs.fetch(key, path)
                found = identify(path)
                if found is None:
                    name = key.removeprefix(f"{parcel.prefix}/")
                    refused.append(RefusedInstance(instance=name, reason="not DICOM"))
                    continue
                self._kept[found.sop_instance_uid] = found
                stored += 1
        return Receipt(stored=stored, refused=tuple(refused))
