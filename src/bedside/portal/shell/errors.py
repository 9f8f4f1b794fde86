"""From an error to an answer: a kind of `bedside.errors`, as a page or as problem details (RFC 9457).

An error that nobody foresaw is an answer 500 with a number that also stands in the log, with its kind and the
lines of code that it came by, and nothing else: its words may hold what must be neither shown nor logged.
"""

import logging
import traceback
import uuid
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from bedside.errors import BedsideError, ErrorCode, Told, TooMany, told
from bedside.portal.access.need import anybody
from bedside.portal.here import here
from bedside.portal.shell.headers import always
from bedside.portal.shell.telling import said, status_of

#: What answers scripts; all else answers people.
SCRIPTS = ("/api/", "/dicomweb/", "/metrics", "/health/")
SIGN_IN = "/sign-in"
#: What the framework refuses by itself.
_TOLD = {404: told(ErrorCode.PAGE_MISSING), 413: told(ErrorCode.REQUEST_TOO_LARGE)}

_log = logging.getLogger(__name__)


def add(app: FastAPI) -> None:
    """Let an application answer so."""
    app.add_exception_handler(BedsideError, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unforeseen)


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, BedsideError)
    status = status_of(error)
    if status is HTTPStatus.UNAUTHORIZED and not _is_script(request):
        if request.headers.get("hx-request"):
            return Response(status_code=HTTPStatus.NO_CONTENT, headers={"HX-Redirect": SIGN_IN})
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        where = f"?next={quote(asked)}" if request.method == "GET" and asked != "/" else ""
        return RedirectResponse(SIGN_IN + where, status_code=HTTPStatus.SEE_OTHER)
    answer = await _answer(request, status, error.message, error.hint, error.told)
    if isinstance(error, TooMany):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    answer = await _answer(request, status, str(error.detail or status.phrase), "", _TOLD.get(status))
    answer.headers.update(error.headers or {})
    return answer


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # The input itself is left out: it may be a name or a password.
    wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    fields = told(ErrorCode.FIELDS_WRONG)
    return await _answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, wrong, "see /api/openapi.json", fields)


async def _unforeseen(request: Request, error: Exception) -> Response:
    number = uuid.uuid4().hex[:12]
    _log.error("action=portal.failed error=%s number=%s at=%s", type(error).__name__, number, came_by(error))
    answer = await _answer(
        request, HTTPStatus.INTERNAL_SERVER_ERROR, f"unexpected error, number {number}", "see the log", None
    )
    # It is made outside of all middleware, where nothing else puts them on.
    answer.headers.update(always(here(request).deployment.settings.portal))
    return answer


def came_by(error: BaseException) -> str:
    """Return the lines of code that an error came by, the last first, without its words and its values."""
    steps = reversed(traceback.extract_tb(error.__traceback__))
    return " < ".join(f"{Path(step.filename).name}:{step.lineno}:{step.name}" for step in steps)


def without_words(record: logging.LogRecord) -> bool:
    """Let a line of a server's log say that something failed, and not in whose words; a filter."""
    if record.exc_info and record.exc_info[1] is not None:
        record.msg, record.args = f"{record.getMessage().strip()} ({type(record.exc_info[1]).__name__})", ()
        record.exc_info = record.exc_text = None
    return True


async def _answer(
    request: Request, status: HTTPStatus, message: str, hint: str, told: Told | None
) -> Response:
    headers = {"Retry-After": "5"} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    pages = here(request).pages
    if _is_script(request):
        # Who asks is not looked up once more: it may be what failed.
        words = said(pages.words(request, getattr(request.state, "caller", None)), status, told)
        problem: dict[str, object] = {
            "type": "about:blank",
            "title": status.phrase,
            "status": int(status),
            "detail": message,
            **({"hint": hint} if hint else {}),
            **({"code": told.code} if told else {}),
            "said": words.what,
            "todo": words.todo,
        }
        return JSONResponse(
            problem, status_code=status, headers=headers, media_type="application/problem+json"
        )
    try:
        caller = await anybody(request)
    except BedsideError:
        caller = None
    return pages.render(
        request,
        "shell/error.html",
        caller=caller,
        status=status,
        headers=headers,
        code=int(status),
        said=said(pages.words(request, caller), status, told),
        message=message,
        hint=hint,
    )


def _is_script(request: Request) -> bool:
    return request.url.path.startswith(SCRIPTS)
