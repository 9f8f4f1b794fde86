"""What the rules say of an arrival: decisions with their reasons, and the jobs that follow.

Every rule gives a decision, matched or not, so that "why did my model not run?" is answered from the
ledger alone. Values that say who somebody is decide, and are withheld from what is kept.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bedside.domain.arrival import Arrival
from bedside.domain.because import Because, Cause, Ground
from bedside.domain.expression import WITHHELD, Expression, Met, Value, identifies_a_patient, parse
from bedside.domain.job import Job, job_id, job_identity
from bedside.domain.pipeline import Decision, Pipeline, Rule
from bedside.domain.release import Role
from bedside.errors import ConfigError

#: Of each series, keyword to value.
Attributes = Mapping[str, Mapping[str, Value]]

#: How far a shadow's priority is below its rule's: behind every job that somebody waits for.
SHADOW_BEHIND = 1_000_000

_REASONS_TOLD = 3
_SERIES_KEPT = 200
_TEXT_KEPT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """What came of the rules.

    Attributes:
        decisions: One per rule, in their order.
        starts: By pipeline name, the rule that starts it; where several do, that of the highest
            priority.
    """

    decisions: tuple[Decision, ...]
    starts: Mapping[str, Rule]


class RuleBook:
    """The rules of a deployment, their conditions read once.

    Args:
        rules: In the order of the configuration.
        pipelines: By name.

    Raises:
        ConfigError: A rule names an unknown pipeline, or a condition cannot be read.
    """

    def __init__(self, rules: Sequence[Rule], pipelines: Mapping[str, Pipeline]) -> None:
        for rule in rules:
            if rule.pipeline not in pipelines:
                raise ConfigError(
                    f"rule {rule.name}: there is no pipeline {rule.pipeline}", hint="bedside config check"
                )
        self._rules = [
            (rule, [parse(text) for text in (rule.when, *rule.requires) if text.strip()]) for rule in rules
        ]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, in order."""
        return tuple(rule for rule, _ in self._rules)

    def judge(self, arrival: Arrival, attributes: Attributes, now: datetime) -> Verdicts:
        """Apply every rule to the series of an arrival."""
        decisions = []
        starts: dict[str, Rule] = {}
        for rule, conditions in self._rules:
            matched, because = _judge(conditions, attributes)
            decisions.append(
                Decision(
                    tenant=arrival.tenant,
                    arrival_id=arrival.id,
                    rule=rule.name,
                    pipeline=rule.pipeline,
                    matched=matched,
                    reason=str(because),
                    values=_values(conditions, attributes),
                    decided_at=now,
                    because=because,
                )
            )
            if matched and (rule.pipeline not in starts or rule.priority > starts[rule.pipeline].priority):
                starts[rule.pipeline] = rule
        return Verdicts(decisions=tuple(decisions), starts=starts)


def new_job(
    arrival: Arrival,
    pipeline: Pipeline,
    *,
    rule: str,
    priority: int,
    now: datetime,
    role: Role = Role.CURRENT,
) -> Job:
    """Return the first run of a pipeline on an arrival, queued; a shadow behind all that is delivered."""
    identity = job_identity(tenant=arrival.tenant, arrival_id=arrival.id, pipeline=pipeline, role=role)
    return Job(
        tenant=arrival.tenant,
        id=job_id(identity, 0),
        identity=identity,
        run=0,
        arrival_id=arrival.id,
        subject=arrival.subject,
        arrival_version=arrival.version,
        pipeline=pipeline,
        rule=rule,
        role=role,
        priority=priority - SHADOW_BEHIND if role is Role.SHADOW else priority,
        not_before=now,
        created_at=now,
    )


def _judge(conditions: Sequence[Expression], attributes: Attributes) -> tuple[bool, Because]:
    """Return whether each condition holds for some series, and why."""
    if not conditions:
        return True, Because(cause=Cause.ALWAYS)
    if not attributes:
        return False, Because(cause=Cause.NO_SERIES)
    grounds = []
    for condition in conditions:
        failed: Counter[tuple[Met, ...]] = Counter()
        for uid, values in attributes.items():
            verdict = condition.evaluate(values)
            if verdict.matched:
                grounds.append(Ground(met=verdict.met, series=uid))
                break
            failed[verdict.met] += 1
        else:
            return False, _why_not(failed, len(attributes))
    return True, Because(cause=Cause.HELD, grounds=tuple(grounds))


def _why_not(failed: Counter[tuple[Met, ...]], series: int) -> Because:
    told = failed.most_common(_REASONS_TOLD)
    return Because(
        cause=Cause.FAILED,
        grounds=tuple(Ground(met=met, count=count, of=series) for met, count in told),
        more=len(failed) - len(told),
    )


def _values(conditions: Sequence[Expression], attributes: Attributes) -> dict[str, dict[str, object]]:
    keywords = sorted({keyword for condition in conditions for keyword in condition.keywords})
    if not keywords:
        return {}
    return {
        uid: {
            keyword: WITHHELD if identifies_a_patient(keyword) else _kept(values[keyword])
            for keyword in keywords
            if keyword in values
        }
        for uid, values in list(attributes.items())[:_SERIES_KEPT]
    }


def _kept(value: Value) -> object:
    """Return a value as JSON takes it; a header may say that a thickness is not a number."""
    if isinstance(value, tuple):
        return [_kept(v) for v in value[:_SERIES_KEPT]]
    if isinstance(value, str):
        return value[:_TEXT_KEPT]
    return value if math.isfinite(value) else str(value)
