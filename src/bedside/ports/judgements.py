"""What people said of results."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bedside.domain.judgement import Judgement, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgementFilter:
    """Which judgements; empty means any.

    Attributes:
        job_id: Of this job's result.
        pipeline: Name of a pipeline.
        release: Digest of a release.
        verdicts: These.
        reviewer: Subject of a person.
        since: From then on.
        until: Before then.
    """

    job_id: str = ""
    pipeline: str = ""
    release: str = ""
    verdicts: frozenset[Verdict] = frozenset()
    reviewer: str = ""
    since: datetime | None = None
    until: datetime | None = None


class Judgements(Protocol):
    """Judgements of all tenants: added, and never changed. A call sees one tenant only."""

    def add(self, judgement: Judgement) -> bool:
        """Record a judgement; False where one of this tenant and id is there, and nothing is written."""
        ...

    def find(
        self, tenant: str, where: JudgementFilter, *, limit: int = 100, offset: int = 0
    ) -> Sequence[Judgement]:
        """Return judgements, newest first."""
        ...

    def standing(self, tenant: str, where: JudgementFilter) -> Sequence[Judgement]:
        """Return, of each result that has one, the newest judgement that counts; newest first.

        ``where`` chooses among those: a result that was rejected and then accepted is no rejected one.
        """
        ...
