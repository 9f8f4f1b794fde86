"""Rules tried on a study and replayed over past ones: what pages and API do alike."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bedside.config import RuleSettings
from bedside.domain.arrival import ArrivalKind
from bedside.domain.expression import Comparison, identifies_a_patient, parse
from bedside.domain.figures import Scope
from bedside.domain.person import Right
from bedside.domain.tenant import name_of
from bedside.errors import ConfigError, NotFound, NotPermitted, UsageError
from bedside.operate.past import study_attributes
from bedside.operate.replay import Line, Span
from bedside.operate.ruletext import read_rules, rulebook
from bedside.operate.tasks import ReplayTask
from bedside.operate.tester import RuleVerdict, try_rules
from bedside.portal.access.caller import Caller
from bedside.portal.access.trail import note
from bedside.portal.here import Here
from bedside.portal.operate.parts import Operating, scope_of
from bedside.worker.rules import Attributes


@contextmanager
def typed() -> Iterator[None]:
    """Let rules that somebody typed be a mistake of theirs, and none of this deployment's configuration."""
    try:
        yield
    except ConfigError as wrong:
        raise UsageError(wrong.message, hint=wrong.hint, told=wrong.told) from wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where somebody tries rules out.

    Attributes:
        here: The portal.
        parts: Replays live there.
        caller: Who tries.
    """

    here: Here
    parts: Operating
    caller: Caller

    @property
    def scope(self) -> Scope:
        """Whose studies they may be tried on."""
        return scope_of(self.here, self.caller)

    def rules(self, text: str) -> tuple[RuleSettings, ...]:
        """Return the rules of a text; those in force where it is empty.

        Raises:
            UsageError: It cannot be read.
        """
        with typed():
            return read_rules(text) if text.strip() else self.here.deployment.settings.rule

    def try_on(self, attributes: Attributes, text: str, *, source: str) -> list[RuleVerdict]:
        """Return what rules say of a study.

        Args:
            attributes: Of its series.
            text: The rules; empty is those in force.
            source: Where the attributes are from, for the trail.
        """
        deployment = self.here.deployment
        with typed():
            book = rulebook(self.rules(text), deployment.settings.pipeline)
        note(self.here, self.caller, "rules.tried", detail={"on": source})
        with typed():
            return try_rules(book, attributes, deployment.clock.now())

    def try_on_study(self, tenant: str, arrival_id: str, text: str) -> list[RuleVerdict]:
        """Return what rules say of a study that arrived.

        Raises:
            NotFound: There is none, or its files are gone.
            NotPermitted: It is another's.
            UsageError: It is no DICOM.
        """
        deployment, name = self.here.deployment, name_of(tenant)
        self.caller.person.must(Right.OPERATE, name)
        if name not in deployment.tenants.known:
            raise NotFound("no such tenant")
        arrival = deployment.ledger.arrival(name, arrival_id)
        if arrival.kind is not ArrivalKind.DICOM:
            raise UsageError(f"arrival {arrival.id}: a set of files starts by their names, not by rules")
        rules = self.rules(text)
        with typed():
            book = rulebook(rules, deployment.settings.pipeline)
        self._must_ask_nothing_secret(rules, [name])
        note(self.here, self.caller, "rules.tried", tenant=name, object=arrival.id, detail={"on": "study"})
        attributes = study_attributes(deployment.blobs.tenant(name), arrival, deployment.scratch / "replay")
        with typed():
            return try_rules(book, attributes, deployment.clock.now())

    def replay(self, text: str, span: Span, tenant: str = "") -> ReplayTask:
        """Begin a replay of changed rules over past studies.

        Raises:
            NotPermitted: The tenant is another's.
            UsageError: The rules cannot be read, too many replays run, or nothing arrived yet.
        """
        deployment, replayer = self.here.deployment, self.parts.replayer
        scope: Scope = self.scope
        if tenant:
            self.caller.person.must(Right.OPERATE, name_of(tenant))
            scope = frozenset({name_of(tenant)})
        changed = self.rules(text)
        before = rulebook(deployment.settings.rule, deployment.settings.pipeline)
        with typed():
            after = rulebook(changed, deployment.settings.pipeline)
        studies = replayer.studies(scope, span)
        self._must_ask_nothing_secret(changed, {study.tenant for study in studies})
        if not studies:
            raise UsageError("replay: no study arrived in that time", hint="choose a longer time")

        def work(tell: Callable[[int], None]) -> Iterator[Line]:
            return replayer.compare(studies, before, after, on=tell)

        task = self.parts.replays.begin(
            work,
            owner=self.caller.person.subject,
            total=len(studies),
            now=deployment.clock.now(),
            rules_text=text,
        )
        note(self.here, self.caller, "rules.replayed", tenant=tenant, detail={"studies": str(len(studies))})
        return task

    def _must_ask_nothing_secret(self, rules: Iterable[RuleSettings], tenants: Iterable[str]) -> None:
        """Refuse rules that somebody made up to ask who a patient is: matched or not is an answer, too.

        Rules in force may be tried by everybody; their verdicts stand in the ledger already.

        Raises:
            NotPermitted: They compare what tells who a patient is, and the caller may not read that.
        """
        person = self.caller.person
        if all(person.may(Right.READ, tenant) for tenant in tenants):
            return
        secret = _secret(rules) - _secret(self.here.deployment.settings.rule)
        if secret:
            keywords = ", ".join(sorted({comparison.keyword for comparison in secret}))
            raise NotPermitted(
                f"person {person.subject}: rules that compare {keywords} would tell who a patient is",
                hint="try them on attributes that you write down, or ask somebody who may read results",
            )

    def found(self, task_id: str) -> ReplayTask:
        """Return a replay of this person's.

        Raises:
            NotFound: There is none.
        """
        return self.parts.replays.find(task_id, self.caller.person.subject)


def _secret(rules: Iterable[RuleSettings]) -> set[Comparison]:
    """Return what rules compare that tells who a patient is."""
    texts = [text for rule in rules for text in (rule.when, *rule.requires) if text.strip()]
    every = (comparison for text in texts for comparison in parse(text).comparisons)
    return {comparison for comparison in every if identifies_a_patient(comparison.keyword)}
