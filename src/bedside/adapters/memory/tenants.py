"""Tenants in this process's memory; a change is written only over the state it was made from."""

import threading
from collections.abc import Sequence
from typing import Any

from bedside.domain.arrival import Arrival, Entry
from bedside.domain.job import Job, JobState, LedgerEvent
from bedside.domain.tenant import Tenant, TenantState, check_idle

#: (tenant, id): the same id in two tenants is two things.
Key = tuple[str, str]


class MemoryTenants:
    """The part of the ledger that knows whom a deployment serves."""

    _lock: threading.RLock
    _tenants: dict[str, Tenant]
    _arrivals: dict[Key, Arrival]
    _entries: dict[Key, Entry]
    _jobs: dict[Key, Job]
    _events: dict[int, LedgerEvent]  # by number

    def put_tenant(self, tenant: Tenant, *, over: TenantState | None) -> bool:
        """Record a tenant, if it is in that state, or if None is given and there is no record of it."""
        with self._lock:
            known = self._tenants.get(tenant.name)
            if (known.state if known else None) is not over:
                return False
            self._tenants[tenant.name] = tenant
            return True

    def tenant(self, name: str) -> Tenant | None:
        """Return a tenant, or None where none is recorded."""
        with self._lock:
            return self._tenants.get(name)

    def tenants(self) -> Sequence[Tenant]:
        """Return all recorded tenants by name, closed ones too."""
        with self._lock:
            return sorted(self._tenants.values(), key=lambda tenant: tenant.name)

    def tenants_with_data(self) -> Sequence[str]:
        """Return by name whose entries, arrivals or jobs are here."""
        with self._lock:
            kept = (self._entries, self._arrivals, self._jobs)
            return sorted({name for table in kept for name, _ in table})

    def forget_tenant(self, name: str) -> int:
        """Remove everything of a tenant but the record of it; return how many rows there were."""
        with self._lock:
            running = [j for j in self._jobs.values() if j.tenant == name and j.state is JobState.RUNNING]
            check_idle(name, len(running))
            before = self._rows()
            for table in self._of_tenants():
                for key in [key for key in table if key[0] == name]:
                    del table[key]
            self._events = {n: event for n, event in self._events.items() if event.tenant != name}
            return before - self._rows()

    def _rows(self) -> int:
        return sum(len(table) for table in self._of_tenants()) + len(self._events)

    def _of_tenants(self) -> list[dict[Any, Any]]:
        """Return what is kept of tenants, by keys that begin with a tenant."""
        raise NotImplementedError
