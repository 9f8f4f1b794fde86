"""Where results go that a viewer or a PACS shall have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bedside.domain.arrival import StoredFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """The DICOM instances of one job's result, to be archived, and of the study it was read from.

    Attributes:
        tenant: Who owns them.
        job_id: The job that wrote the result.
        prefix: Blob prefix below which every object is to be archived, e.g. ``results/A/J/dicom``.
        token: The same for every try of one sending; another where it shall be sent anew.
        study: Instances of the study that are to be archived too, in the store by their `StoredFile.key`.
    """

    tenant: str
    job_id: str
    prefix: str
    token: str
    study: tuple[StoredFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedInstance:
    """An instance that the archive would not take.

    Attributes:
        instance: Its file below the parcel's prefix, or its SOP Instance UID: whichever the archive named.
        reason: The kind of refusal in the archive's words; no patient data.
    """

    instance: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What an archive confirms of a parcel.

    Attributes:
        stored: Instances that it keeps from now on.
        refused: Those it would not take.
    """

    stored: int
    refused: tuple[RefusedInstance, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What became of a parcel that was sent: a receipt, or a ticket to ask for one with.

    Attributes:
        ticket: For `ImageArchive.check`; empty where the receipt is here.
        receipt: What was confirmed, or None while it is pending.
    """

    ticket: str = ""
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSet:
    """Instances that the archive keeps together.

    Attributes:
        id: The archive's name for them.
        study_uid: Study Instance UID.
        series_uid: Series Instance UID, or empty where the archive does not say it in lists.
        modality: Of the series, or empty.
    """

    id: str
    study_uid: str
    series_uid: str = ""
    modality: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedInstance:
    """One instance as the archive keeps it.

    Attributes:
        sop_instance_uid: SOP Instance UID.
        attributes: Values by DICOM keyword, those of its series, study and patient among them.
        frames: What `ImageArchive.frame` takes, in order.
    """

    sop_instance_uid: str
    attributes: Mapping[str, object] = field(repr=False)  # a patient's name is among them
    frames: tuple[str, ...] = ()


class ImageArchive(Protocol):
    """Keeps results for viewers. It gives no promise but its receipts: what is not in one is not kept.

    An archive that is out of reach or throttles raises `Unavailable`; sending again is
    then right, and never keeps an instance twice. It knows no tenants: whoever shows a study asks the
    ledger first whether the tenant has it.
    """

    def send(self, parcel: Parcel) -> Sending:
        """Send all instances of a parcel; one without any is confirmed at once.

        Twice with the same token is one sending.
        """
        ...

    def check(self, parcel: Parcel, ticket: str) -> Receipt | None:
        """Return what was confirmed of a pending sending, or None while it is still under way.

        Raises:
            Unavailable: The archive is out of reach now; ask again.
            NotFound: The sending failed as a whole or is forgotten: send anew with another token.
        """
        ...

    def image_sets(self, study_uid: str) -> Sequence[ImageSet]:
        """Return what is kept of a study, by id."""
        ...

    def instances(self, image_set: str) -> Sequence[ArchivedInstance]:
        """Return an image set's instances with their attributes, by UID, or raise `NotFound`."""
        ...

    def remove(self, image_set: str) -> None:
        """Begin to remove an image set, for good; `image_sets` names it until it is gone.

        One that is gone, or on its way out, is no error.
        """
        ...

    def frame(self, image_set: str, frame: str) -> bytes:
        """Return one frame's pixel data as the archive keeps it (HealthImaging: HTJ2K). Or `NotFound`."""
        ...
