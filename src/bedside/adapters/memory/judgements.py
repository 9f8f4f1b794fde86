"""Judgements in memory, for tests and as long as the process lives."""

import threading
from collections.abc import Sequence

from bedside.domain.judgement import COUNTING, Judgement
from bedside.ports.judgements import JudgementFilter


class MemoryJudgements:
    """A `bedside.ports.judgements.Judgements` in memory; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[Judgement] = []

    def add(self, judgement: Judgement) -> bool:
        """Record a judgement; False where one of this tenant and id is there, and nothing is written."""
        with self._lock:
            if any((j.tenant, j.id) == (judgement.tenant, judgement.id) for j in self._kept):
                return False
            self._kept.append(judgement)
            return True

    def find(
        self, tenant: str, where: JudgementFilter, *, limit: int = 100, offset: int = 0
    ) -> Sequence[Judgement]:
        """Return judgements, newest first."""
        found = [judgement for judgement in self._newest(tenant) if _fits(judgement, where)]
        return found[offset : offset + limit]

    def standing(self, tenant: str, where: JudgementFilter) -> Sequence[Judgement]:
        """Return, of each result that has one, the newest judgement that counts; newest first."""
        of_job: dict[str, Judgement] = {}
        for judgement in self._newest(tenant):
            if judgement.verdict in COUNTING:
                of_job.setdefault(judgement.job_id, judgement)
        return [judgement for judgement in of_job.values() if _fits(judgement, where)]

    def _newest(self, tenant: str) -> list[Judgement]:
        with self._lock:
            mine = [judgement for judgement in self._kept if judgement.tenant == tenant]
        return sorted(mine, key=lambda judgement: judgement.judged_at)[::-1]


def _fits(judgement: Judgement, where: JudgementFilter) -> bool:
    return (
        where.job_id in ("", judgement.job_id)
        and where.pipeline in ("", judgement.pipeline)
        and where.release in ("", judgement.release)
        and where.reviewer in ("", judgement.reviewer)
        and (not where.verdicts or judgement.verdict in where.verdicts)
        and (where.since is None or judgement.judged_at >= where.since)
        and (where.until is None or judgement.judged_at < where.until)
    )
