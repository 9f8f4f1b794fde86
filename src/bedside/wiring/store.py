"""Which store the tenants' objects lie in: a folder of this machine, or a bucket."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bedside.domain.tenant import TenantBuckets
from bedside.errors import ConfigError
from bedside.ports import BlobStore

if TYPE_CHECKING:
    from bedside.config import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A store, and what is done with it as a whole.

    Attributes:
        blobs: Choose a tenant with ``blobs.tenant(name)``.
        tidy: Removes what crashed writers left; returns how many things.
        check: Asks whether it answers, and returns in words what it is.
    """

    blobs: BlobStore
    tidy: Callable[[], int]
    check: Callable[[], str]


def open_store(settings: "Settings", buckets: Callable[[str], TenantBuckets | None] | None = None) -> Store:
    """Return the store of some settings; nothing is asked of it yet.

    Args:
        settings: What is in force.
        buckets: Returns the buckets that a tenant has for itself alone, or None.

    Raises:
        ConfigError: ``store.url`` names no bucket, ``store.endpoint_url`` no server, or boto3 is missing.
    """
    where = settings.store
    if not where.url:
        if where.endpoint_url:
            raise ConfigError(
                "store.endpoint_url: means nothing without a bucket in store.url", hint="bedside config show"
            )
        from bedside.adapters.local.blobs import FolderBlobStore

        root = settings.system.root
        folder = FolderBlobStore(root)
        return Store(blobs=folder, tidy=folder.sweep, check=lambda: f"folder {root}")
    from bedside.adapters.aws.places import Bucket

    bucket = Bucket.of(where.url)
    if where.endpoint_url and not where.endpoint_url.startswith(("http://", "https://")):
        raise ConfigError(
            f"store.endpoint_url: {where.endpoint_url!r} is not http:// or https://",
            hint="bedside config show",
        )
    try:
        from bedside.adapters.aws.blobs import S3BlobStore
        from bedside.adapters.aws.transfers import S3Options
    except ImportError as exc:
        raise ConfigError(
            f"store.url: a bucket needs the Python package {exc.name}", hint="pip install 'bedside[aws]'"
        ) from exc
    store = S3BlobStore(bucket, options=S3Options(endpoint_url=where.endpoint_url))
    if buckets is None:
        return Store(blobs=store, tidy=store.sweep, check=store.check)
    from bedside.adapters.aws.routes import RoutedBlobStore

    return Store(blobs=RoutedBlobStore(store, buckets), tidy=store.sweep, check=store.check)


def place_of(settings: "Settings", tenant: str, key: str, blobs: BlobStore | None = None) -> str:
    """Return where a person finds what lies under a tenant's key: a path here, or an ``s3://`` URL.

    Args:
        settings: What is in force.
        tenant: Whose.
        key: Which.
        blobs: The tenant's store, which knows whether it has buckets of its own.
    """
    if not settings.store.url:
        return str(settings.system.root / tenant / key)
    from bedside.adapters.aws.places import Bucket
    from bedside.adapters.aws.routes import RoutedBlobStore

    if isinstance(blobs, RoutedBlobStore):
        return blobs.url(key)
    return Bucket.of(settings.store.url).url(tenant, key)
