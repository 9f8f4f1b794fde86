"""What a registry's refusal means, as one of bedside's errors.

Owns the table from status and code (distribution specification, "Error Codes") to an error. Registries
differ in which code they send, so the status decides first, and what the registry said is always
quoted. Nothing of a request's headers gets into a message.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from bedside.errors import BedsideError, ConfigError, NotFound, Unavailable, UsageError
from bedside.oci.registry.retry import PASSING, Again, retry_after_s

#: Words in which registries say that their disk or the project's quota is used up.
_FULL_WORDS = (
    "no space left",
    "quota",
    "storage resource",
    "upper limit",
    "insufficient storage",
    "disk full",
    '"err": 28',  # docker-registry, where it cannot even begin an upload: the number of ENOSPC
)
_SAID_LENGTH = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What was asked for, for messages.

    Attributes:
        host: The registry.
        repository: The name there; empty where the registry itself was asked.
        what: E.g. ``blob sha256:…`` or ``manifest 1.0``.
        doing: E.g. ``pull``, ``push``.
    """

    host: str
    repository: str = ""
    what: str = ""
    doing: str = "pull"

    @property
    def place(self) -> str:
        """Registry and repository."""
        return f"{self.host}/{self.repository}" if self.repository else self.host


def refusal(
    response: httpx.Response, subject: Subject, *, who: str = "", notes: tuple[str, ...] = ()
) -> BedsideError:
    """Return the error for a response that is none of those hoped for.

    Args:
        response: Its body has been read.
        subject: What was asked for.
        who: As whom, where credentials were sent.
        notes: Where credentials were looked for, where none were sent.
    """
    status, codes, said = response.status_code, error_codes(response), _said(response)
    if any(word in said.lower() for word in _FULL_WORDS) or status in (413, 507):
        return _full(subject, status, said)
    if status in (401, 403):
        return denied(subject, status, said, who=who, notes=notes)
    if status in PASSING:
        return Again(
            f"{subject.place}: {_what(subject)}: answered {status}{said}",
            hint=f"curl -i https://{subject.host}/v2/",
            wait_s=retry_after_s(response.headers.get("Retry-After")),
        )
    if status == 404:
        return _missing(subject, codes, said)
    if status == 405 or "UNSUPPORTED" in codes:
        return UsageError(
            f"{subject.place}: {_what(subject)}: the registry does not do that (answered {status}{said})",
            hint="a docker registry deletes only with storage.delete.enabled: true"
            if subject.doing == "delete"
            else "",
        )
    if "TAG_INVALID" in codes or "immutable" in said.lower():
        return UsageError(
            f"{subject.place}: {_what(subject)}: {said.strip(' :')}", hint="push under another tag"
        )
    return BedsideError(f"{subject.place}: {_what(subject)}: answered {status}{said}")


def denied(subject: Subject, status: int, said: str, *, who: str, notes: tuple[str, ...]) -> ConfigError:
    """Return the error for refused, missing or insufficient credentials."""
    if who:
        reason = f"refuses {who}"
        hint = f"docker login {subject.host}, or podman login {subject.host}"
        if status == 403:
            hint = f"ask for the right to {subject.doing} {subject.repository}, or {hint}"
    else:
        looked = f" (looked: {'; '.join(notes)})" if notes else ""
        reason = f"asks who we are, and no credentials were found{looked}"
        hint = f"docker login {subject.host}, or podman login {subject.host}"
    return ConfigError(f"{subject.place}: {_what(subject)}: {reason}, answered {status}{said}", hint=hint)


def error_codes(response: httpx.Response) -> frozenset[str]:
    """Return the codes of a response's body; none where it has another form."""
    return frozenset(str(error.get("code", "")) for error in _errors(response))


def _full(subject: Subject, status: int, said: str) -> Unavailable:
    return Unavailable(
        f"{subject.place}: {_what(subject)}: no room, the registry answered {status}{said}",
        hint=f"free space or raise the quota at {subject.host}, then push again: only the rest is sent",
    )


def _missing(subject: Subject, codes: frozenset[str], said: str) -> NotFound:
    unknown = "NAME_UNKNOWN" in codes
    if unknown or subject.doing == "push":
        create = f"create the repository {subject.repository} first"
        if ".ecr." in subject.host:
            create = f"aws ecr create-repository --repository-name {subject.repository}"
        hint = create if subject.doing == "push" else "check the name before the tag"
        return NotFound(f"{subject.place}: the registry knows no such repository{said}", hint=hint)
    return NotFound(
        f"{subject.place}: {_what(subject)}: not there{said}",
        hint=f"skopeo list-tags docker://{subject.place}",
    )


def _what(subject: Subject) -> str:
    return f"{subject.doing} {subject.what}".strip()


def _said(response: httpx.Response) -> str:
    """Return what the registry said, short, with a leading colon; empty where it said nothing."""
    parts = []
    for error in _errors(response):
        detail = error.get("detail")
        text = f"{error.get('code', '')} {error.get('message', '')}".strip()
        parts.append(f"{text} ({json.dumps(detail)})" if detail else text)
    text = "; ".join(parts)
    if not text and "html" not in response.headers.get("Content-Type", ""):
        text = " ".join(response.text.split())
    return f": {text[:_SAID_LENGTH]}" if text else ""


def _errors(response: httpx.Response) -> list[Mapping[str, Any]]:
    try:
        document = response.json()
    except ValueError:
        return []
    errors = document.get("errors") if isinstance(document, dict) else None
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
