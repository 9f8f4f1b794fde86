"""Promoting releases and taking promotions back: what a person, or a changed file, says.

Owns what may be said: only of a stage that the configuration has and that runs a release, only of a
release that is registered. Writes one line to the ledger and nothing else; intake reads it with the
next study and workers within seconds, so nothing is restarted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bedside.domain.pipeline import Pipeline, Release, ReleaseKind, StageKind
from bedside.domain.release import How, Promotion, Role, checked_share, one_before
from bedside.errors import UsageError
from bedside.ports import Clock, Ledger

#: Who promotes where a file says so.
THE_FILE = "bedside.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A stage that runs a release.

    Attributes:
        pipeline: Name of the pipeline.
        stage: Name of its stage.
    """

    pipeline: str
    stage: str

    def __str__(self) -> str:
        return f"{self.pipeline}/{self.stage}"


class Ours(StrEnum):
    """Reasons that bedside itself gives, where no person did."""

    FIRST = "names its first release"
    ANOTHER = "names another release"
    PROMOTED = "promoted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Who says something, and why."""

    by: str
    reason: str = ""


def adopt(
    pipelines: Iterable[Pipeline],
    *,
    ledger: Ledger,
    clock: Clock,
    kinds: Mapping[str, ReleaseKind],
    only_first: bool = False,
) -> Sequence[Promotion]:
    """Take what the configuration names as promoted, where it names another release than before.

    Args:
        pipelines: As configured, their releases registered.
        ledger: Where promotions are kept.
        clock: The time.
        kinds: Of releases, by digest.
        only_first: Whether only for stages that have no promotion by the file yet.

    Returns:
        What was promoted.
    """
    made = []
    for pipeline in pipelines:
        for stage in pipeline.stages:
            if stage.kind is StageKind.COMMAND:
                continue
            history = ledger.promotions(pipeline=pipeline.name, stage=stage.name)
            before = next((p.digest for p in history if p.how is How.FILE), "")
            if before == stage.release or (before and only_first):
                continue
            made.append(
                Promotion(
                    pipeline=pipeline.name,
                    stage=stage.name,
                    digest=stage.release,
                    kind=kinds.get(stage.release, ReleaseKind(stage.kind.value)),
                    how=How.FILE,
                    by=THE_FILE,
                    reason=(Ours.ANOTHER if before else Ours.FIRST).value,
                    at=clock.now(),
                )
            )
            ledger.add_promotion(made[-1])
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoter:
    """Says which release works for whom.

    Attributes:
        ledger: Where promotions are kept.
        clock: The time.
    """

    ledger: Ledger
    clock: Clock

    def promote(self, place: Place, release: Release, said: Said) -> Promotion | None:
        """Make a release the current one, and end its trials there.

        Returns:
            The promotion, or None where it was current already.
        """
        current = self.standing(place).get(Role.CURRENT)
        made = None
        if current is None or current.digest != release.digest:
            made = self._add(self._line(place, Role.CURRENT, release, said))
        for role in (Role.CANARY, Role.SHADOW):
            trial = self.standing(place).get(role)
            if trial is not None and trial.digest == release.digest:
                self.end_trial(place, role, replace(said, reason=Ours.PROMOTED.value))
        return made

    def before(self, place: Place) -> Promotion:
        """Return the promotion that a rollback would bring back.

        Raises:
            UsageError: There was none before.
        """
        return one_before(reversed(self._currents(place)))

    def roll_back(self, place: Place, said: Said) -> Promotion:
        """Make the release before the current one current again.

        Raises:
            UsageError: There was none before.
        """
        return self._add(
            replace(self.before(place), how=How.ROLLBACK, by=said.by, reason=said.reason, at=self.clock.now())
        )

    def begin_trial(self, place: Place, role: Role, release: Release, share: float, said: Said) -> Promotion:
        """Let a release run beside the current one (shadow) or for a share of the studies (canary).

        Raises:
            UsageError: It is the current one, or the share is none.
        """
        current = self.standing(place).get(Role.CURRENT)
        if current is not None and current.digest == release.digest:
            raise UsageError(
                f"{place}: {release.name} {release.version} is the current release already",
                hint="bedside release list",
            )
        return self._add(replace(self._line(place, role, release, said), share=checked_share(share)))

    def end_trial(self, place: Place, role: Role, said: Said) -> Promotion | None:
        """End a trial; return its end, or None where there was no trial."""
        trial = self.standing(place).get(role)
        if trial is None:
            return None
        return self._add(
            replace(
                trial,
                digest="",
                share=1.0,
                how=How.PERSON,
                by=said.by,
                reason=said.reason,
                at=self.clock.now(),
            )
        )

    def standing(self, place: Place) -> Mapping[Role, Promotion]:
        """Return what is in force in one place, by role."""
        return {
            p.role: p for p in self.ledger.standing() if p.place == (place.pipeline, place.stage) and p.digest
        }

    def _currents(self, place: Place) -> list[Promotion]:
        history = self.ledger.promotions(pipeline=place.pipeline, stage=place.stage)
        return [p for p in history if p.role is Role.CURRENT]

    def _line(self, place: Place, role: Role, release: Release, said: Said) -> Promotion:
        return Promotion(
            pipeline=place.pipeline,
            stage=place.stage,
            role=role,
            digest=release.digest,
            kind=release.kind,
            by=said.by,
            reason=said.reason,
            at=self.clock.now(),
        )

    def _add(self, promotion: Promotion) -> Promotion:
        self.ledger.add_promotion(promotion)
        return promotion
