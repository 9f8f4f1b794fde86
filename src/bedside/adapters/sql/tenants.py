"""Tenants; a change is written only over the state it was made from."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row as Found
from sqlalchemy import delete, func, select, union, update

from bedside.adapters.sql.accounts_tables import account_posts
from bedside.adapters.sql.catalogue_tables import (
    catalogue_instances,
    catalogue_series,
    catalogue_sources,
    catalogue_studies,
)
from bedside.adapters.sql.engine import Database
from bedside.adapters.sql.identities_tables import grants
from bedside.adapters.sql.judgements_tables import judgements
from bedside.adapters.sql.schema import (
    arrivals,
    comparisons,
    decisions,
    entries,
    events,
    exports,
    jobs,
    results,
    tenants,
)
from bedside.adapters.sql.statements import add_once
from bedside.adapters.sql.types import Row
from bedside.adapters.sql.uploads_tables import uploads
from bedside.domain.job import JobState
from bedside.domain.tenant import Ending, Tenant, TenantBuckets, TenantState, check_idle

#: What is kept of a tenant, each before what it points to.
_CATALOGUE = (catalogue_instances, catalogue_series, catalogue_studies, catalogue_sources)
_KEPT = (
    *_CATALOGUE,
    judgements,
    comparisons,
    exports,
    results,
    decisions,
    entries,
    events,
    arrivals,
    jobs,
    uploads,
    account_posts,
    grants,
)


class Tenants:
    """The part of the ledger that knows whom a deployment serves."""

    _database: Database

    def put_tenant(self, tenant: Tenant, *, over: TenantState | None) -> bool:
        """Record a tenant, if it is in that state, or if None is given and there is no record of it."""
        with self._database.write() as connection:
            if over is None:
                return add_once(connection, _TENANTS, _row(tenant))
            statement = update(_TENANTS).where(_TENANTS.c.name == tenant.name, _TENANTS.c.state == over.value)
            return connection.execute(statement.values(_row(tenant))).rowcount == 1

    def tenant(self, name: str) -> Tenant | None:
        """Return a tenant, or None where none is recorded."""
        with self._database.read() as connection:
            row = connection.execute(select(_TENANTS).where(_TENANTS.c.name == name)).one_or_none()
        return None if row is None else _tenant(row)

    def tenants(self) -> Sequence[Tenant]:
        """Return all recorded tenants by name, closed ones too."""
        with self._database.read() as connection:
            found = [_tenant(row) for row in connection.execute(select(_TENANTS))]
        # Here and not there: each database has an order of letters of its own.
        return sorted(found, key=lambda tenant: tenant.name)

    def tenants_with_data(self) -> Sequence[str]:
        """Return by name whose entries, arrivals or jobs are here."""
        query = union(*(select(table.c.tenant) for table in (entries, arrivals, jobs)))
        with self._database.read() as connection:
            return sorted(row.tenant for row in connection.execute(query))

    def forget_tenant(self, name: str) -> int:
        """Remove everything of a tenant but the record of it; return how many rows there were."""
        running = (
            select(func.count())
            .select_from(jobs)
            .where(jobs.c.tenant == name, jobs.c.state == JobState.RUNNING.value)
        )
        with self._database.write() as connection:
            check_idle(name, connection.execute(running).scalar_one())
            return sum(
                connection.execute(delete(table).where(table.c.tenant == name)).rowcount for table in _KEPT
            )


def _row(tenant: Tenant) -> Row:
    buckets = tenant.buckets
    return {
        "name": tenant.name,
        "state": tenant.state.value,
        "input_bucket": buckets.input if buckets else "",
        "output_bucket": buckets.output if buckets else "",
        "ending": tenant.ending.value if tenant.ending else "",
        "place": tenant.place,
        "made_at": tenant.made_at,
        "closed_at": tenant.closed_at,
    }


def _tenant(row: Found[Any]) -> Tenant:
    own = TenantBuckets(input=row.input_bucket, output=row.output_bucket) if row.input_bucket else None
    return Tenant(
        name=row.name,
        state=TenantState(row.state),
        buckets=own,
        ending=Ending(row.ending) if row.ending else None,
        place=row.place,
        made_at=row.made_at,
        closed_at=row.closed_at,
    )


#: The table, where a method of the port hides its name.
_TENANTS = tenants
