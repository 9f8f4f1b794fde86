"""Asks an issuer: every answer is a JSON object of bounded size, or the issuer is out of reach."""

from typing import Any

import httpx

from bedside.errors import Unavailable

TIMEOUT_S = 10.0
_LONGEST_BYTES = 2**20


def read(client: httpx.Client, url: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the JSON object at an address.

    Raises:
        Unavailable: There is none, or nobody answers.
    """
    try:
        answer = client.get(url, headers=headers)
        answer.raise_for_status()
        return document(answer)
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise Unavailable(
            f"identity: the issuer's {url} does not answer ({type(exc).__name__})", hint="bedside config show"
        ) from exc


def document(answer: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of an answer.

    Raises:
        Unavailable: It is none, or too long.
    """
    where = answer.request.url
    if len(answer.content) > _LONGEST_BYTES:
        raise Unavailable(f"identity: {where} answers with {len(answer.content)} bytes")
    try:
        found = answer.json()
    except ValueError as exc:
        raise Unavailable(
            f"identity: the issuer's {where} does not answer with JSON ({type(exc).__name__})",
            hint="bedside config show",
        ) from exc
    if not isinstance(found, dict):
        raise Unavailable(f"identity: {where} answers with no JSON object", hint="bedside config show")
    return found
