"""One instance that came over the network, into the drop-box: durable when the call returns.

Owns the key, so that what belongs together is one entry: a folder per study, whichever associations its
instances came by, complete when nothing came for `intake.quiet_s`. A key holds hashes alone. The data set
is kept as it was sent; that it is what the sender says it is, is looked at before anybody says "stored".
"""

import hashlib
import shutil
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from bedside.dicom.identify import Identified, identify
from bedside.dicom.received import file_head
from bedside.domain.identity import short_id
from bedside.errors import InputRejected, Unavailable
from bedside.ports import BlobStore
from bedside.worker.dropbox import INPUT

#: Hex digits of the hash of the content in a key: another content of the same instance is another object.
_CONTENT_DIGITS = 16


class Mismatched(InputRejected):
    """The data set is an instance, and another one than its sender says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentInstance:
    """What a sender sent.

    Attributes:
        sop_class_uid: Affected SOP Class UID (0000,0002).
        sop_instance_uid: Affected SOP Instance UID (0000,1000).
        transfer_syntax_uid: Of the presentation context that it came by.
        data: The encoded data set.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data: memoryview = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceKeeper:
    """Keeps instances in the tenants' drop-boxes. Called by several threads.

    Attributes:
        blobs: The store, of any tenant.
        scratch: Folder for files under way; on a folder store's file system, so that they can be linked.
        min_free_bytes: With less free disk nothing is taken.
    """

    blobs: BlobStore
    scratch: Path
    min_free_bytes: int = 0

    def clear(self) -> None:
        """Remove what a killed process left under way, which nobody was told to have been stored."""
        shutil.rmtree(self.scratch, ignore_errors=True)

    def keep(self, tenant: str, sent: SentInstance) -> bool:
        """Write an instance to a tenant's drop-box; return whether it was not there yet.

        Raises:
            InputRejected: It is no DICOM instance of a study.
            Mismatched: It is another instance than its sender says.
            Unavailable: The disk is full or the store out of reach; a retry may help.
        """
        path = self.scratch / f"{uuid.uuid4().hex}.dcm"
        try:
            sha256 = self._stage(path, sent)
            found = _checked(path, sent)
            study = short_id([tenant, found.study_uid])
            name = f"{short_id(found.sop_instance_uid)}-{sha256[:_CONTENT_DIGITS]}.dcm"
            key = f"{INPUT}/dicom-{study}/{name}"
            store = self.blobs.tenant(tenant)
            # Writing it again would be a change, and so begin the quiet time of the whole study again.
            if store.stat(key) is not None:
                return False
            store.put_file(key, path)
            return True
        except OSError as exc:
            raise Unavailable(f"DICOM receiver: work folder: {exc.strerror}", hint="bedside doctor") from exc
        finally:
            path.unlink(missing_ok=True)

    def _stage(self, path: Path, sent: SentInstance) -> str:
        """Write the file, and return its SHA-256."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.scratch).free
        if free - len(sent.data) < self.min_free_bytes:
            raise Unavailable(
                f"DICOM receiver: {free} bytes are free and {len(sent.data)} came, "
                f"{self.min_free_bytes} must stay free (dicom.min_free_bytes)",
                hint=f"df -h {self.scratch}",
            )
        head = file_head(
            sop_class_uid=sent.sop_class_uid,
            sop_instance_uid=sent.sop_instance_uid,
            transfer_syntax_uid=sent.transfer_syntax_uid,
        )
        hashed = hashlib.sha256(head)
        hashed.update(sent.data)
        with path.open("xb") as stream:
            stream.write(head)
            stream.write(sent.data)
        return hashed.hexdigest()


def _checked(path: Path, sent: SentInstance) -> Identified:
    found = identify(path)
    if found is None:
        raise InputRejected(f"data set of {len(sent.data)} bytes: no DICOM instance of a study")
    if (found.sop_class_uid, found.sop_instance_uid) != (sent.sop_class_uid, sent.sop_instance_uid):
        raise Mismatched("data set: SOP Class or SOP Instance UID is not the one that its sender says")
    return found
