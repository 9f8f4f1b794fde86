"""The head of a file for a data set that came over the network, which has none of its own.

Owns that the head depends on nothing but the instance: the same instance sent by another sender, or to
another version of bedside, must be the same file, since its hash is part of an arrival's identity.
"""

from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from bedside.dicom.header import DECODABLE, NATIVE
from bedside.domain.identity import derived_uid

IMPLEMENTATION_UID = derived_uid("bedside", "implementation", "receive")
#: Without a version, which would change the file. See PS3.7 D.3.3.2.
IMPLEMENTATION_VERSION_NAME = "BEDSIDE"

#: Transfer syntaxes that are taken: all that can be read.
TAKEN = (*sorted(DECODABLE), *sorted(NATIVE))


def file_head(*, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Return preamble, prefix and file meta information; the data set follows as it was sent.

    See PS3.10 7.1.
    """
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    written = DicomBytesIO(b"\0" * 128 + b"DICM")
    written.seek(0, 2)
    write_file_meta_info(written, meta)
    return written.getvalue()
