"""A tenant's folder below the root: made with its drop-box, removed with everything in it."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from bedside.adapters.local.paths import as_ours
from bedside.domain.keys import check_tenant
from bedside.domain.tenant import Tenant, TenantBuckets
from bedside.errors import UsageError


class FolderResources:
    """Folders of tenants.

    Args:
        root: Folder of all tenants.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def buckets(self, name: str) -> TenantBuckets:
        """Refuse: a folder has no buckets."""
        raise UsageError(
            f"tenant {name}: buckets of its own need a store in S3, and this one is a folder",
            hint="bedside tenant create --help",
        )

    def make(self, tenant: Tenant) -> Sequence[str]:
        """Make the drop-box."""
        place = self._folder(tenant) / "input"
        with as_ours("make a drop-box"):
            place.mkdir(parents=True, exist_ok=True)
        return [f"drop-box {place}"]

    def named(self, tenant: Tenant) -> Sequence[str]:
        """Return the folder."""
        return [f"folder {self._folder(tenant)}"]

    def remove(self, tenant: Tenant) -> Sequence[str]:
        """Remove the folder. Links in it are removed, and what they lead to stays."""
        place = self._folder(tenant)
        with as_ours("remove a tenant's folder"):
            if place.is_symlink():
                raise UsageError(f"tenant {tenant.name}: its folder is a link", hint=f"rm {place}")
            if place.exists():
                shutil.rmtree(place)
        return self.named(tenant)

    def _folder(self, tenant: Tenant) -> Path:
        return self._root / check_tenant(tenant.name)
