"""Rules for scripts: tried on one study, replayed over past ones."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from bedside.domain.because import Because
from bedside.errors import UsageError
from bedside.operate.replay import DEFAULT_STUDIES, MOST_STUDIES, Change, Span, as_csv, totals
from bedside.operate.ruletext import rules_text
from bedside.operate.tasks import ReplayTask, TaskState
from bedside.operate.tester import RuleVerdict, file_attributes, given_attributes
from bedside.portal.here import InHere
from bedside.portal.operate.parts import InOperating, Operator
from bedside.portal.operate.rules import HEAD_BYTES
from bedside.portal.operate.trying import Desk, typed

router = APIRouter(prefix="/api/v1/operate/rules", tags=["operate"])

Text = Annotated[
    str, Field(max_length=100_000, description="[[rule]] tables of TOML; empty is the rules in force.")
]


class RuleShown(BaseModel):
    """A rule."""

    name: str
    pipeline: str
    when: str
    requires: list[str]
    priority: int


class RulesShown(BaseModel):
    """The rules in force."""

    rules: list[RuleShown]
    toml: str = Field(description="As they stand in bedside.toml.")


class StudyNamed(BaseModel):
    """A study that arrived."""

    tenant: str
    arrival_id: str


class Trial(BaseModel):
    """What rules are to be tried on: attributes of one series, or a study that arrived."""

    attributes: dict[str, str | float | list[str | float]] | None = Field(
        None, description="By keyword, e.g. Modality."
    )
    study: StudyNamed | None = None
    rules: Text = ""


class ClauseShown(BaseModel):
    """One comparison, beside what it met."""

    clause: str
    matched: bool
    found: str = Field(description="The value; empty where the attribute is missing.")


class SeriesShown(BaseModel):
    """One condition on one series."""

    series_uid: str
    matched: bool
    clauses: list[ClauseShown]


class ConditionShown(BaseModel):
    """One condition of a rule."""

    key: str = Field(description="when or requires.")
    text: str
    matched: bool
    series: list[SeriesShown]


class VerdictShown(BaseModel):
    """What one rule says."""

    rule: str
    pipeline: str
    matched: bool
    reason: str
    overruled_by: str
    conditions: list[ConditionShown]
    because: Because | None = Field(description="What the reason says, as values.")


class NewReplay(BaseModel):
    """Changed rules over past studies."""

    rules: Text
    limit: Annotated[int, Field(ge=1, le=MOST_STUDIES)] = DEFAULT_STUDIES
    days: Annotated[float | None, Field(gt=0, le=36_500)] = None
    tenant: str = Field("", description="Only its studies; empty is all that the caller operates.")


class LineShown(BaseModel):
    """What the changed rules mean for one study and pipeline."""

    tenant: str
    arrival_id: str
    version: int
    received_at: datetime
    pipeline: str
    change: Change
    reason: str


class ReplayShown(BaseModel):
    """A replay: how far it is, and what it found."""

    id: str
    state: TaskState
    total: int
    done: int
    begun_at: datetime
    totals: dict[Change, int]
    lines: list[LineShown]
    problem: str


@router.get("")
def rules(here: InHere, _caller: Operator) -> RulesShown:
    """Return the rules in force."""
    in_force = here.deployment.settings.rule
    shown = [
        RuleShown(
            name=rule.name,
            pipeline=rule.pipeline,
            when=rule.when,
            requires=list(rule.requires),
            priority=rule.priority,
        )
        for rule in in_force
    ]
    return RulesShown(rules=shown, toml=rules_text(in_force))


@router.post("/test")
def test(here: InHere, parts: InOperating, caller: Operator, trial: Trial) -> list[VerdictShown]:
    """Try rules on attributes, or on a study that arrived."""
    desk = Desk(here=here, parts=parts, caller=caller)
    if (trial.attributes is None) == (trial.study is None):
        raise UsageError("give either attributes or a study")
    if trial.study is not None:
        found = desk.try_on_study(trial.study.tenant, trial.study.arrival_id, trial.rules)
    else:
        with typed():
            attributes = given_attributes(trial.attributes or {})
        found = desk.try_on(attributes, trial.rules, source="attributes")
    return [_verdict(verdict) for verdict in found]


@router.post(
    "/test/file",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}}
                for kind in ("application/dicom", "application/octet-stream")
            },
        }
    },
)
async def test_file(
    request: Request, here: InHere, parts: InOperating, caller: Operator
) -> list[VerdictShown]:
    """Try the rules in force on a DICOM file, sent as the body; it is read in memory and not kept."""
    content = bytearray()
    async for piece in request.stream():
        content += piece[: HEAD_BYTES - len(content)]
    desk = Desk(here=here, parts=parts, caller=caller)

    def tried() -> list[RuleVerdict]:
        return desk.try_on(file_attributes(bytes(content)), "", source="file")

    return [_verdict(verdict) for verdict in await run_in_threadpool(tried)]


@router.post("/replays", status_code=202)
def replay(here: InHere, parts: InOperating, caller: Operator, new: NewReplay) -> ReplayShown:
    """Begin a replay; it goes on aside."""
    desk = Desk(here=here, parts=parts, caller=caller)
    return _replay(desk.replay(new.rules, Span(limit=new.limit, days=new.days), new.tenant))


@router.get("/replays/{task_id}")
def replayed(here: InHere, parts: InOperating, caller: Operator, task_id: str) -> ReplayShown:
    """Return how far a replay is, and what it found so far."""
    return _replay(Desk(here=here, parts=parts, caller=caller).found(task_id))


@router.get("/replays/{task_id}/lines.csv", response_class=Response)
def lines_csv(here: InHere, parts: InOperating, caller: Operator, task_id: str) -> Response:
    """Return what a replay found as CSV."""
    task = Desk(here=here, parts=parts, caller=caller).found(task_id)
    return Response(as_csv(list(task.lines)), media_type="text/csv; charset=utf-8")


@router.delete("/replays/{task_id}", status_code=202)
def stop(here: InHere, parts: InOperating, caller: Operator, task_id: str) -> ReplayShown:
    """End a replay after the study in hand."""
    task = Desk(here=here, parts=parts, caller=caller).found(task_id)
    task.stop()
    return _replay(task)


def _verdict(verdict: RuleVerdict) -> VerdictShown:
    return VerdictShown(
        rule=verdict.rule.name,
        pipeline=verdict.rule.pipeline,
        matched=verdict.matched,
        reason=verdict.reason,
        overruled_by=verdict.overruled_by,
        because=verdict.because,
        conditions=[
            ConditionShown(
                key=condition.key,
                text=condition.text,
                matched=condition.matched,
                series=[
                    SeriesShown(
                        series_uid=series.series_uid,
                        matched=series.matched,
                        clauses=[
                            ClauseShown(clause=c.clause, matched=c.matched, found=c.found)
                            for c in series.clauses
                        ],
                    )
                    for series in condition.series
                ],
            )
            for condition in verdict.conditions
        ],
    )


def _replay(task: ReplayTask) -> ReplayShown:
    lines = list(task.lines)
    return ReplayShown(
        id=task.id,
        state=task.state,
        total=task.total,
        done=task.done,
        begun_at=task.begun_at,
        totals=totals(lines),
        lines=[
            LineShown(
                tenant=line.arrival.tenant,
                arrival_id=line.arrival.id,
                version=line.arrival.version,
                received_at=line.arrival.received_at,
                pipeline=line.pipeline,
                change=line.change,
                reason=line.reason,
            )
            for line in lines
        ],
        problem=task.problem,
    )
