"""What makes and ends tenants of a deployment, for the shell and for the portal alike."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from bedside.domain.tenant import Tenant, path_of
from bedside.errors import ConfigError
from bedside.tenants.end import Ender
from bedside.tenants.make import Maker
from bedside.wiring.tenants import open_keeping, open_resources

if TYPE_CHECKING:
    from bedside.tenants.archived import Archived
    from bedside.wiring.deployment import Deployment

#: Of exports that are looked at.
_MOST = 1_000_000


def open_maker(deployment: "Deployment") -> Maker:
    """Return what makes tenants.

    Raises:
        ConfigError: boto3 is missing.
    """
    return Maker(
        ledger=deployment.ledger,
        resources=open_resources(deployment.settings),
        clock=deployment.clock,
        configured=deployment.settings.system.tenants,
    )


def open_ender(deployment: "Deployment", name: str, *, unarchive: bool = False) -> Ender:
    """Return what counts and ends one tenant.

    Args:
        deployment: Whose.
        name: Of the tenant.
        unarchive: Remove from the image archive too what went there.

    Raises:
        ConfigError: Something went to an image archive, and nothing here says where that is.
    """
    return Ender(
        ledger=deployment.ledger,
        blobs=deployment.blobs.tenant(name),
        resources=open_resources(deployment.settings),
        clock=deployment.clock,
        archived=_archived(deployment, name) if unarchive else None,
    )


def archive_tenant(
    deployment: "Deployment",
    ender: Ender,
    tenant: Tenant,
    place: str,
    storage_class: str,
    tell: Callable[[str], None],
) -> int:
    """Copy a tenant to a place, close it, and return how many objects were copied.

    Raises:
        UsageError: The place is the store itself or has no classes of storage, or jobs wait or run.
        Unavailable: Something came while it was archived.
    """
    keeping = open_keeping(
        deployment.settings,
        ender.blobs,
        tenant.name,
        place,
        storage_class=storage_class,
        scratch=deployment.scratch / "archive",
    )
    return ender.archive(tenant, place, keeping, tell)


def _archived(deployment: "Deployment", name: str) -> "Archived | None":
    """Return what removes from the image archive; None where nothing went there."""
    from bedside.tenants.archived import Archived

    if archive := deployment.archive:
        from bedside.dicom.identify import identify

        return Archived(
            ledger=deployment.ledger,
            blobs=deployment.blobs,
            archive=archive,
            clock=deployment.clock,
            identify=identify,
        )
    sent = sum(1 for export in deployment.ledger.exports(name, limit=_MOST) if export.revision)
    if sent:
        raise ConfigError(
            f"archive.datastore: not set here, and {sent} results of tenant {name} were sent to an archive",
            hint=f"set it, or bedside tenant delete {path_of(name)} --remove --keep-archived",
        )
    return None
