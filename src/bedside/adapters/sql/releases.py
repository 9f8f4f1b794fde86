"""Releases, their names, who promoted them to what, and how shadows compared.

Promotions are only ever appended: the newest of a pipeline, stage and role is in force because its
sequence number is the greatest, whatever the clocks of those who wrote them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import exists, func, insert, select

from bedside.adapters.sql import release_rows, rows
from bedside.adapters.sql.engine import Database
from bedside.adapters.sql.schema import comparisons, jobs, promotions, release_names, releases
from bedside.adapters.sql.statements import add_once, upsert
from bedside.domain.job import COMPARED, Job
from bedside.domain.pipeline import Release
from bedside.domain.release import Comparison, Promotion, Role


class Releases:
    """The part of the ledger that says which release works for whom."""

    _database: Database

    def add_release(self, release: Release) -> None:
        """Record a release; one recorded before under the same digest stays."""
        with self._database.write() as connection:
            add_once(connection, releases, release_rows.release_row(release))

    def releases(self) -> Sequence[Release]:
        """Return all releases, newest first."""
        query = select(releases).order_by(releases.c.added_at.desc(), releases.c.seq.desc())
        with self._database.read() as connection:
            return [release_rows.release(row) for row in connection.execute(query)]

    def name_release(self, name: str, digest: str, now: datetime) -> None:
        """Let a name mean a release from now on."""
        meaning = {"digest": digest, "named_at": now}
        with self._database.write() as connection:
            connection.execute(
                upsert(connection, release_names)
                .values({"name": name, **meaning})
                .on_conflict_do_update(index_elements=["name"], set_=meaning)
            )

    def release_names(self) -> Mapping[str, str]:
        """Return the digest of each name."""
        with self._database.read() as connection:
            return {row.name: row.digest for row in connection.execute(select(release_names))}

    def add_promotion(self, promotion: Promotion) -> None:
        """Append a promotion; it is in force at once."""
        with self._database.write() as connection:
            connection.execute(insert(promotions), release_rows.promotion_row(promotion))

    def promotions(self, *, pipeline: str = "", stage: str = "") -> Sequence[Promotion]:
        """Return promotions in every role, newest first."""
        table = _PROMOTIONS
        query = select(table).order_by(table.c.seq.desc())
        if pipeline:
            query = query.where(table.c.pipeline == pipeline)
        if stage:
            query = query.where(table.c.stage == stage)
        with self._database.read() as connection:
            return [release_rows.promotion(row) for row in connection.execute(query)]

    def standing(self) -> Sequence[Promotion]:
        """Return the newest promotion of each pipeline, stage and role, in order of recording."""
        table = _PROMOTIONS
        newest = select(func.max(table.c.seq)).group_by(table.c.pipeline, table.c.stage, table.c.role)
        query = select(table).where(table.c.seq.in_(newest)).order_by(table.c.seq)
        with self._database.read() as connection:
            return [release_rows.promotion(row) for row in connection.execute(query)]

    def put_comparison(self, comparison: Comparison) -> None:
        """Record how a shadow's result compares, or replace what was recorded of that shadow."""
        values = release_rows.comparison_row(comparison)
        key = ["tenant", "shadow_job"]
        with self._database.write() as connection:
            connection.execute(
                upsert(connection, comparisons)
                .values(values)
                .on_conflict_do_update(
                    index_elements=key, set_={name: v for name, v in values.items() if name not in key}
                )
            )

    def comparisons(self, tenant: str, *, pipeline: str = "", release: str = "") -> Sequence[Comparison]:
        """Return comparisons, newest first."""
        table = _COMPARISONS
        query = (
            select(table)
            .where(table.c.tenant == tenant)
            .order_by(table.c.compared_at.desc(), table.c.seq.desc())
        )
        if pipeline:
            query = query.where(table.c.pipeline == pipeline)
        if release:
            query = query.where(table.c.release == release)
        with self._database.read() as connection:
            return [release_rows.comparison(row) for row in connection.execute(query)]

    def uncompared(self, *, limit: int = 100) -> Sequence[Job]:
        """Return ended shadows that were not compared since, oldest first, cancelled ones left out."""
        table = _COMPARISONS
        done = exists().where(
            table.c.tenant == jobs.c.tenant,
            table.c.shadow_job == jobs.c.id,
            table.c.compared_at >= jobs.c.ended_at,
        )
        query = (
            select(jobs)
            .where(
                jobs.c.role == Role.SHADOW.value,
                jobs.c.state.in_(sorted(state.value for state in COMPARED)),
                ~done,
            )
            .order_by(jobs.c.created_at, jobs.c.seq)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [rows.job(row) for row in connection.execute(query)]


#: Tables, where a method of the port hides their names.
_PROMOTIONS = promotions
_COMPARISONS = comparisons
