"""The API's document (OpenAPI): what FastAPI finds by itself, how a script signs in, and how errors look.

Owns the shape of an error (RFC 9457), which every answer from 400 on has, and which the framework would
document as something else.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel, Field

from bedside.errors import ErrorCode


class Problem(BaseModel):
    """Why something was not done (RFC 9457, problem details)."""

    type: str = Field("about:blank", description="Always about:blank: the status says the kind.")
    title: str = Field(description="The status in words.")
    status: int
    detail: str = Field(description="What happened and why.")
    hint: str | None = Field(None, description="What to do next, where that is known.")
    code: ErrorCode | None = Field(None, description="A name of what happened, where it has one.")
    said: str | None = Field(None, description="What happened, for people, in the language asked for.")
    todo: str | None = Field(None, description="What to do, for people, in the language asked for.")


_PROBLEM: Final[dict[str, Any]] = {
    "description": "It was not done; the answer says why.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
#: Of every route.
RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    422: {**_PROBLEM, "description": "What was sent cannot be meant."},
    "4XX": _PROBLEM,
    "5XX": {**_PROBLEM, "description": "Something here is out of reach, or broken."},
}
_BEARER: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API token (`bsd_…`), made under /me or by POST /api/v1/me/tokens, or an access token "
    "of the identity provider.",
}


def add(app: FastAPI, schemas: Mapping[str, dict[str, Any]]) -> None:
    """Let an application's document say so.

    Args:
        app: The application.
        schemas: Of answers that no model of ours describes, by the names that routes refer to.
    """
    found: Callable[[], dict[str, Any]] = app.openapi

    def described() -> dict[str, Any]:
        document = found()
        parts = document.setdefault("components", {})
        parts.setdefault("schemas", {}).update(schemas, Problem=Problem.model_json_schema())
        parts["securitySchemes"] = {"token": _BEARER}
        document["security"] = [{"token": []}]
        # What is asked first, and most often, is told last: it is described by a standard of its own.
        paths: dict[str, Any] = document["paths"]
        document["paths"] = dict(sorted(paths.items(), key=lambda one: one[0].startswith("/dicomweb/")))
        return document

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's own way to extend it
