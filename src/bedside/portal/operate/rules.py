"""The pages of rules: what they are, tried on one study, replayed over past ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedside.errors import BedsideError, ConfigError, InputRejected, NotFound, UsageError
from bedside.operate.replay import DEFAULT_STUDIES, MOST_STUDIES, Change, Span, as_csv, totals
from bedside.operate.ruletext import rules_text
from bedside.operate.tasks import TaskState
from bedside.operate.tester import RuleVerdict, file_attributes, written_attributes
from bedside.portal.here import InHere
from bedside.portal.operate.parts import InOperating, Operator, page
from bedside.portal.operate.trying import Desk

router = APIRouter(prefix="/operate/rules", include_in_schema=False)

#: Studies to choose from in the tester.
CHOICE = 25
#: Lines of a replay on its page; the file has all.
SHOWN = 200
#: Of a file, what is read at most: no header is longer.
HEAD_BYTES = 64 * 2**20
#: What somebody can mend by typing something else.
_MENDABLE = (ConfigError, InputRejected, NotFound, UsageError)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Typed:
    """What somebody typed, to stand there again."""

    attributes: str = ""
    study: str = ""
    text: str = ""


@router.get("")
def rules(request: Request, here: InHere, parts: InOperating, caller: Operator) -> Response:
    """Show the rules in force, and the forms to try others."""
    return _page(request, Desk(here=here, parts=parts, caller=caller))


@router.post("/test")
def test(
    request: Request,
    here: InHere,
    parts: InOperating,
    caller: Operator,
    file: UploadFile | None = None,
    attributes: Annotated[str, Form()] = "",
    study: Annotated[str, Form()] = "",
    rules: Annotated[str, Form()] = "",
) -> Response:
    """Try rules on one study, and show each clause with its value. A file is read and not kept."""
    desk = Desk(here=here, parts=parts, caller=caller)
    typed = _Typed(attributes=attributes, study=study, text=rules)
    try:
        tried = _tried(desk, file, typed)
    except _MENDABLE as wrong:
        return _page(request, desk, problem=wrong, status=400, typed=typed)
    return _page(request, desk, tried=tried, typed=typed)


@router.post("/replays")
def replay(
    request: Request,
    here: InHere,
    parts: InOperating,
    caller: Operator,
    rules: Annotated[str, Form()] = "",
    limit: Annotated[int, Form()] = DEFAULT_STUDIES,
    days: Annotated[str, Form()] = "",
) -> Response:
    """Begin a replay, and lead on to its page."""
    desk = Desk(here=here, parts=parts, caller=caller)
    try:
        task = desk.replay(rules, Span(limit=limit, days=_days(days)))
    except _MENDABLE as wrong:
        return _page(request, desk, replay_problem=wrong, status=400, typed=_Typed(text=rules))
    return RedirectResponse(f"/operate/rules/replays/{task.id}", status_code=303)


@router.get("/replays/{task_id}")
def replayed(request: Request, here: InHere, parts: InOperating, caller: Operator, task_id: str) -> Response:
    """Show how far a replay is, and the difference."""
    task = Desk(here=here, parts=parts, caller=caller).found(task_id)
    lines = list(task.lines)
    telling = [line for line in lines if line.change in (Change.NEWLY, Change.NO_LONGER, Change.UNREAD)]
    return page(
        request,
        here,
        caller,
        "replay.html",
        task=task,
        running=task.state is TaskState.RUNNING,
        totals=totals(lines),
        lines=telling[:SHOWN],
        more=len(telling) - SHOWN,
    )


@router.post("/replays/{task_id}/stop")
def stop(here: InHere, parts: InOperating, caller: Operator, task_id: str) -> Response:
    """End a replay after the study in hand."""
    Desk(here=here, parts=parts, caller=caller).found(task_id).stop()
    return RedirectResponse(f"/operate/rules/replays/{task_id}", status_code=303)


@router.get("/replays/{task_id}/lines.csv")
def lines_csv(here: InHere, parts: InOperating, caller: Operator, task_id: str) -> Response:
    """Return all lines of a replay as a file."""
    task = Desk(here=here, parts=parts, caller=caller).found(task_id)
    return Response(
        as_csv(list(task.lines)),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="replay.csv"'},
    )


def _tried(desk: Desk, file: UploadFile | None, typed: _Typed) -> Sequence[RuleVerdict]:
    content = file.file.read(HEAD_BYTES) if file is not None else b""
    if content:
        return desk.try_on(file_attributes(content), typed.text, source="file")
    if typed.study:
        tenant, _, arrival = typed.study.partition(":")
        return desk.try_on_study(tenant, arrival, typed.text)
    return desk.try_on(written_attributes(typed.attributes), typed.text, source="attributes")


def _page(
    request: Request,
    desk: Desk,
    *,
    tried: Sequence[RuleVerdict] | None = None,
    problem: BedsideError | None = None,
    replay_problem: BedsideError | None = None,
    status: int = 200,
    typed: _Typed | None = None,
) -> Response:
    here, deployment = desk.here, desk.here.deployment
    in_force = deployment.settings.rule
    typed = typed or _Typed()
    return page(
        request,
        here,
        desk.caller,
        "rules.html",
        status=status,
        rules=in_force,
        pipelines=[pipeline.name for pipeline in deployment.settings.pipeline],
        studies=deployment.records.figures.arrivals(desk.scope, since=None, limit=CHOICE),
        replays=desk.parts.replays.of(desk.caller.person.subject),
        most=MOST_STUDIES,
        default=DEFAULT_STUDIES,
        tried=tried,
        problem=problem,
        replay_problem=replay_problem,
        attributes=typed.attributes,
        study=typed.study,
        text=typed.text or rules_text(in_force),
        is_changed=bool(typed.text) and typed.text.split() != rules_text(in_force).split(),
    )


def _days(text: str) -> float | None:
    try:
        return float(text) if text.strip() else None
    except ValueError as exc:
        raise UsageError("days: expected a number") from exc
