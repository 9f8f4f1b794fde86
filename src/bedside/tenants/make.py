"""Makes a tenant: a record first, then its things, then it is served.

The record comes first, so that what broke off is known and finished by the same command. What has data
from before there were records is adopted, with its data where they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bedside.domain.job import LedgerEvent
from bedside.domain.tenant import Tenant, TenantState, check_new, path_of
from bedside.errors import ErrorCode, Unavailable, UsageError, told
from bedside.ports import Clock, Ledger
from bedside.ports.resources import TenantResources


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A tenant that is served now.

    Attributes:
        tenant: Its record.
        things: What it has, in words.
        adopted: It was there before, without a record.
    """

    tenant: Tenant
    things: Sequence[str]
    adopted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Makes tenants.

    Attributes:
        ledger: Of all tenants.
        resources: Makes their things.
        clock: The time.
        configured: Tenants that the configuration names.
    """

    ledger: Ledger
    resources: TenantResources
    clock: Clock
    configured: Sequence[str] = ()

    def create(self, name: str, *, own_buckets: bool = False) -> Made:
        """Make a tenant, or finish what broke off.

        Raises:
            UsageError: It exists, was closed, or has data that own buckets would not hold.
            ConfigError: A bucket's name is taken, or a permission is missing.
        """
        found = self.ledger.tenant(check_new(name))
        if found is None:
            found, adopted = self._record(name, own_buckets=own_buckets)
        else:
            found, adopted = self._begun(found, own_buckets=own_buckets), False
        things = self.resources.make(found)
        if not self.ledger.put_tenant(found.active(), over=TenantState.MAKING):
            raise Unavailable(
                f"tenant {found.path}: somebody else changed it meanwhile",
                hint=f"bedside tenant show {found.path}",
            )
        action = "tenant.adopted" if adopted else "tenant.made"
        self.ledger.add_event(LedgerEvent(at=self.clock.now(), tenant=name, action=action))
        return Made(tenant=found.active(), things=things, adopted=adopted)

    def _record(self, name: str, *, own_buckets: bool) -> tuple[Tenant, bool]:
        adopted = name in self.configured or name in self.ledger.tenants_with_data()
        if adopted and own_buckets:
            raise UsageError(
                f"tenant {path_of(name)} is there already, with its data in the shared store: buckets of its "
                "own would not hold them",
                hint=f"bedside tenant create {path_of(name)}, which records it as it is",
            )
        buckets = self.resources.buckets(name) if own_buckets else None
        made = Tenant(name=name, state=TenantState.MAKING, made_at=self.clock.now(), buckets=buckets)
        if not self.ledger.put_tenant(made, over=None):
            raise Unavailable(
                f"tenant {made.path}: somebody else is making it",
                hint=f"bedside tenant show {made.path}",
            )
        return made, adopted

    def _begun(self, found: Tenant, *, own_buckets: bool) -> Tenant:
        if found.state is not TenantState.MAKING:
            closed = f"closed on {found.closed_at:%Y-%m-%d}" if found.closed_at else found.state.value
            raise UsageError(
                f"tenant {found.path} exists already: it is {closed}; a name is used once",
                hint=f"bedside tenant show {found.path}",
                told=told(ErrorCode.NAME_TAKEN, path=found.path),
            )
        if own_buckets and found.buckets is None:
            found = replace(found, buckets=self.resources.buckets(found.name))
            self.ledger.put_tenant(found, over=TenantState.MAKING)
        return found
