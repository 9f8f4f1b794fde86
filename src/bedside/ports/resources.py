"""What a tenant has besides rows in the ledger: a drop-box, perhaps its own buckets, groups of people."""

from collections.abc import Sequence
from typing import Protocol

from bedside.domain.tenant import Tenant, TenantBuckets


class TenantResources(Protocol):
    """Makes and removes what belongs to one tenant. Every call can be made again after it broke off."""

    def buckets(self, name: str) -> TenantBuckets:
        """Return the names of the buckets that a tenant would have for itself; nothing is made.

        Raises:
            UsageError: The store has no buckets of tenants.
        """
        ...

    def make(self, tenant: Tenant) -> Sequence[str]:
        """Make what is missing of a tenant's things, and return all of them in words.

        Raises:
            ConfigError: A name is taken by somebody else, or a permission is missing.
        """
        ...

    def named(self, tenant: Tenant) -> Sequence[str]:
        """Return in words what `remove` would remove besides objects; nothing is asked."""
        ...

    def remove(self, tenant: Tenant) -> Sequence[str]:
        """Remove all objects of a tenant in every version, and its things; return in words what is gone.

        What is gone already is no error.
        """
        ...
