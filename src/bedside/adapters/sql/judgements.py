"""`SqlJudgements`: what people said of results, in the ledger's database."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy import Row as Found

from bedside.adapters.sql.engine import Database
from bedside.adapters.sql.judgements_tables import judgements
from bedside.adapters.sql.statements import add_once
from bedside.adapters.sql.types import Row
from bedside.domain.judgement import COUNTING, Correction, Judgement, RejectionReason, Verdict
from bedside.domain.release import LabelComparison
from bedside.ports.judgements import JudgementFilter

_NEWEST = (judgements.c.judged_at.desc(), judgements.c.seq.desc())


class SqlJudgements:
    """A `bedside.ports.judgements.Judgements` on SQLite or PostgreSQL; safe between threads and processes.

    Args:
        database: The ledger's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, judgement: Judgement) -> bool:
        """Record a judgement; False where one of this tenant and id is there, and nothing is written."""
        with self._database.write() as connection:
            return add_once(connection, judgements, _row(judgement))

    def find(
        self, tenant: str, where: JudgementFilter, *, limit: int = 100, offset: int = 0
    ) -> Sequence[Judgement]:
        """Return judgements, newest first."""
        query = select(judgements).where(judgements.c.tenant == tenant, *_matching(where))
        with self._database.read() as connection:
            return [
                _judgement(row)
                for row in connection.execute(query.order_by(*_NEWEST).limit(limit).offset(offset))
            ]

    def standing(self, tenant: str, where: JudgementFilter) -> Sequence[Judgement]:
        """Return, of each result that has one, the newest judgement that counts; newest first."""
        later = judgements.alias("later")
        counting = sorted(verdict.value for verdict in COUNTING)
        overtaken = exists().where(
            later.c.tenant == judgements.c.tenant,
            later.c.job_id == judgements.c.job_id,
            later.c.verdict.in_(counting),
            or_(
                later.c.judged_at > judgements.c.judged_at,
                and_(later.c.judged_at == judgements.c.judged_at, later.c.seq > judgements.c.seq),
            ),
        )
        query = (
            select(judgements)
            .where(judgements.c.tenant == tenant, judgements.c.verdict.in_(counting), ~overtaken)
            .where(*_matching(where))
            .order_by(*_NEWEST)
        )
        with self._database.read() as connection:
            return [_judgement(row) for row in connection.execute(query)]


def _matching(where: JudgementFilter) -> list[ColumnElement[bool]]:
    column = judgements.c
    wanted = {
        column.job_id: where.job_id,
        column.pipeline: where.pipeline,
        column.release: where.release,
        column.reviewer: where.reviewer,
    }
    conditions = [place == value for place, value in wanted.items() if value]
    if where.verdicts:
        conditions.append(column.verdict.in_(sorted(verdict.value for verdict in where.verdicts)))
    if where.since:
        conditions.append(column.judged_at >= where.since)
    if where.until:
        conditions.append(column.judged_at < where.until)
    return conditions


def _row(judgement: Judgement) -> Row:
    return {
        "tenant": judgement.tenant,
        "id": judgement.id,
        "job_id": judgement.job_id,
        "arrival_id": judgement.arrival_id,
        "pipeline": judgement.pipeline,
        "release": judgement.release,
        "verdict": judgement.verdict.value,
        "reason": judgement.reason.value if judgement.reason else "",
        "comment": judgement.comment,
        "reviewer": judgement.reviewer,
        "judged_at": judgement.judged_at,
        "correction": asdict(judgement.correction) if judgement.correction else None,
    }


def _judgement(row: Found[Any]) -> Judgement:
    return Judgement(
        tenant=row.tenant,
        id=row.id,
        job_id=row.job_id,
        arrival_id=row.arrival_id,
        pipeline=row.pipeline,
        release=row.release,
        verdict=Verdict(row.verdict),
        reason=RejectionReason(row.reason) if row.reason else None,
        comment=row.comment,
        reviewer=row.reviewer,
        judged_at=row.judged_at,
        correction=_correction(row.correction) if row.correction else None,
    )


def _correction(value: Mapping[str, Any]) -> Correction:
    labels = tuple(LabelComparison(**label) for label in value["labels"])
    return Correction(**{**value, "labels": labels})
