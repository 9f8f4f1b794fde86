"""What tenants have besides rows, and where they can be archived."""

from pathlib import Path
from typing import TYPE_CHECKING

from bedside.errors import ConfigError, UsageError
from bedside.ports import BlobStore
from bedside.ports.keeping import Keeping
from bedside.ports.resources import TenantResources
from bedside.tenants.keeping import ThroughHere

if TYPE_CHECKING:
    from bedside.adapters.aws.places import Bucket
    from bedside.adapters.aws.tenant_buckets import BucketWish
    from bedside.config import Settings


def open_resources(settings: "Settings") -> TenantResources:
    """Return what makes and removes tenants' things; nothing is asked yet.

    Raises:
        ConfigError: boto3 is missing.
    """
    if not settings.store.url:
        from bedside.adapters.local.tenants import FolderResources

        return FolderResources(settings.system.root)
    try:
        from bedside.adapters.aws.places import Bucket
        from bedside.adapters.aws.tenant_buckets import BucketWish
        from bedside.adapters.aws.tenants import AwsResources
    except ImportError as exc:
        raise _no_boto(exc) from exc
    from bedside.adapters.oidc.issuer import pool_of

    deploy = settings.deploy

    def wish(account: str, region: str) -> "BucketWish":
        return BucketWish(
            deployment=deploy.name,
            region=region,
            account=account,
            key_arn=deploy.key_arn,
            cors_origins=settings.sending_origins,
            rejected_days=deploy.rejected_days,
        )

    return AwsResources(
        bucket=Bucket.of(settings.store.url),
        wish=wish,
        queue_url=settings.queue.url,
        pool=pool_of(settings.identity.issuer),
        endpoint_url=settings.store.endpoint_url,
    )


def open_keeping(
    settings: "Settings", blobs: BlobStore, tenant: str, place: str, *, storage_class: str, scratch: Path
) -> Keeping:
    """Return a place where a tenant's objects are kept; nothing is asked yet.

    Args:
        settings: What is in force.
        blobs: The tenant's store.
        tenant: Whose.
        place: A folder, or ``s3://BUCKET/PREFIX``.
        storage_class: Of S3; empty is its standard.
        scratch: Folder for an object on its way.

    Raises:
        UsageError: The place is the store itself, or has no classes of storage.
    """
    if not place.startswith("s3://"):
        from bedside.adapters.local.blobs import FolderBlobStore

        folder, root = Path(place).resolve(), settings.system.root.resolve()
        if storage_class:
            raise UsageError(
                "--storage-class: means something for s3://BUCKET/PREFIX only",
                hint="bedside tenant delete --help",
            )
        if folder == root or root in folder.parents:
            raise UsageError(
                f"--archive {place}: lies in the deployment itself", hint="bedside tenant delete --help"
            )
        return ThroughHere(source=blobs, target=FolderBlobStore(folder, tenant), scratch=scratch)
    try:
        from bedside.adapters.aws.blobs import S3BlobStore
        from bedside.adapters.aws.keeping import S3Keeping
        from bedside.adapters.aws.places import Bucket
        from bedside.adapters.aws.routes import RoutedBlobStore
        from bedside.adapters.aws.transfers import S3Options
    except ImportError as exc:
        raise _no_boto(exc) from exc
    target = Bucket.of(place.removesuffix("/"))
    if _is_within(target, settings, blobs):
        raise UsageError(
            f"--archive {place}: lies in the store itself, whose areas are watched and removed",
            hint="bedside tenant delete --help",
        )
    store = S3BlobStore(target, tenant, S3Options(endpoint_url=settings.store.endpoint_url))
    if isinstance(blobs, RoutedBlobStore):
        return S3Keeping(source=blobs, target=store, storage_class=storage_class or "STANDARD")
    if storage_class:
        raise UsageError(
            "--storage-class: needs a store in S3, whose objects S3 copies itself",
            hint="bedside tenant delete --help",
        )
    return ThroughHere(source=blobs, target=store, scratch=scratch)


def _is_within(target: "Bucket", settings: "Settings", blobs: BlobStore) -> bool:
    """Whether what is kept there would be read as the deployment's, or go with the tenant's own buckets."""
    from bedside.adapters.aws.places import AREAS, Bucket
    from bedside.adapters.aws.routes import RoutedBlobStore

    if not isinstance(blobs, RoutedBlobStore):
        return False
    shared = Bucket.of(settings.store.url)
    if target.name != shared.name:
        return any(blobs.url(f"{area}/x").startswith(f"s3://{target.name}/") for area in ("input", "results"))
    below = target.prefix.removeprefix(shared.prefix)
    inside = target.prefix.startswith(shared.prefix)
    return inside and (not below or below.partition("/")[0] in AREAS)


def _no_boto(exc: ImportError) -> ConfigError:
    return ConfigError(
        f"store.url: a bucket needs the Python package {exc.name}", hint="pip install 'bedside[aws]'"
    )
