"""From settings to the archive that results go to, if any."""

from typing import TYPE_CHECKING

from bedside.ports import BlobStore
from bedside.ports.archive import ImageArchive
from bedside.tenants.directory import TenantDirectory

if TYPE_CHECKING:
    from bedside.config import Settings


def open_archive(settings: "Settings", blobs: BlobStore, tenants: TenantDirectory) -> ImageArchive | None:
    """Return the archive of some settings, or None where nothing is archived; nothing is asked yet.

    Args:
        settings: What is in force.
        blobs: The store, of any tenant.
        tenants: Says whose objects lie in buckets of their own.

    Raises:
        ConfigError: The store is a bucket, and there is no role for import jobs to read it with.
    """
    if not settings.archive.datastore:
        return None
    from bedside.adapters.aws.healthimaging import HealthImaging, ImagingOptions
    from bedside.adapters.aws.places import Bucket

    store = settings.store
    # An import job reads buckets of AWS; from another server, or a folder, everything goes by STOW-RS.
    in_s3 = bool(store.url) and not store.endpoint_url
    return HealthImaging(
        ImagingOptions(
            datastore=settings.archive.datastore,
            role=settings.archive.role,
            bucket=Bucket.of(store.url) if in_s3 else None,
            buckets=tenants.buckets,
        ),
        blobs,
    )
