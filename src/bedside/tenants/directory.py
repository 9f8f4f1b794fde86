"""Whom a deployment serves, by its configuration and its ledger, known anew every few seconds.

A tenant that is made is served at once by machines that run already, and one that is closed is served no
more. What the configuration names is served without a record, as before there were records.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import overload

from bedside.domain.tenant import Tenant, TenantBuckets, TenantState
from bedside.ports import Ledger

#: The ledger is asked at most this often.
FRESH_S = 5.0


class TenantDirectory(Sequence[str]):
    """The names of the tenants that are served: those of the configuration first.

    Threads may share it. What works through it sees one state from begin to end.

    Args:
        configured: ``system.tenants``.
        ledger: Records the others.
        monotonic: Seconds that only grow.
    """

    def __init__(
        self, configured: Sequence[str], ledger: Ledger, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._configured = tuple(configured)
        self._ledger = ledger
        self._monotonic = monotonic
        self._known: dict[str, Tenant] = {}
        self._asked_at = float("-inf")

    @property
    def served(self) -> tuple[str, ...]:
        """Who is served just now."""
        recorded = self._recorded()
        ended = {name for name, tenant in recorded.items() if tenant.state is not TenantState.ACTIVE}
        every = dict.fromkeys((*self._configured, *sorted(recorded)))
        return tuple(name for name in every if name not in ended)

    @property
    def known(self) -> tuple[str, ...]:
        """Who can be asked about: those that are served, and those that are closed."""
        return tuple(dict.fromkeys((*self._configured, *sorted(self._recorded()))))

    def buckets(self, tenant: str) -> TenantBuckets | None:
        """Return a tenant's own buckets, or None where it shares the deployment's store."""
        found = self._recorded().get(tenant)
        if tenant not in self._configured and (found is None or found.state is TenantState.MAKING):
            # Made since we asked, perhaps: what is written elsewhere by then would be missed for ever.
            found = self._ledger.tenant(tenant)
        return found.buckets if found else None

    def look_again(self) -> None:
        """Know at once what was just made or closed here; other processes do within seconds."""
        self._recorded(anew=True)

    def owner(self, bucket: str) -> str:
        """Return whose input bucket this is; empty where it is nobody's."""
        # What is nobody's may be a tenant's that was made since we asked, and its event comes once.
        for anew in (False, True):
            for name, tenant in self._recorded(anew=anew).items():
                if tenant.buckets and tenant.buckets.input == bucket:
                    return name
        return ""

    def _recorded(self, *, anew: bool = False) -> dict[str, Tenant]:
        now = self._monotonic()
        if anew or now - self._asked_at >= FRESH_S:
            self._known = {tenant.name: tenant for tenant in self._ledger.tenants()}
            self._asked_at = now
        return self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self.served)

    def __contains__(self, name: object) -> bool:
        return name in self.served

    def __len__(self) -> int:
        return len(self.served)

    @overload
    def __getitem__(self, which: int) -> str: ...
    @overload
    def __getitem__(self, which: slice) -> tuple[str, ...]: ...
    def __getitem__(self, which: int | slice) -> str | tuple[str, ...]:
        return self.served[which]
