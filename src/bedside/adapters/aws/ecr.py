"""Credentials for ECR, private and public: the passwords of twelve hours that AWS hands out.

Owns asking boto3, which finds the machine's role, profile or keys by its own rules. Where AWS knows
nobody here, or refuses, that is a note and no error: a `docker login` may still have left a password.
See AWS's GetAuthorizationToken.
"""

import base64
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore import exceptions

from bedside.adapters.aws.clients import limits, open_session
from bedside.adapters.aws.hosts import EcrPlace, ecr_place
from bedside.oci.registry.credentials import Answer, Credentials

#: A password is asked for anew when it has less than this left: an upload may take a while.
MARGIN = timedelta(minutes=30)
#: What failed is asked again after this; a role may be attached meanwhile.
_FAILED_FOR = timedelta(minutes=1)

MakeClient = Callable[[EcrPlace], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    answer: Answer
    until: datetime


class EcrAuthority:
    """Has credentials for ECR's hosts, and none for others.

    Args:
        now: The clock.
        make_client: Makes a boto3 client for a place.
    """

    def __init__(self, now: Callable[[], datetime], make_client: MakeClient | None = None) -> None:
        self._now = now
        self._make_client = make_client or _client
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}

    def ask(self, host: str, repository: str) -> Answer:  # noqa: ARG002
        """Return the password for a registry, or why there is none."""
        place = ecr_place(host)
        if place is None:
            return Answer()
        with self._lock:
            kept = self._kept.get(host)
            if kept is None or kept.until <= self._now():
                kept = self._kept[host] = self._fetch(place)
            return kept.answer

    def _fetch(self, place: EcrPlace) -> _Kept:
        try:
            answered = self._make_client(place).get_authorization_token()
        except exceptions.ClientError as exc:
            error = exc.response.get("Error", {})
            return self._failed(f"AWS refuses: {error.get('Code', '')} {error.get('Message', '')}".strip())
        except exceptions.BotoCoreError as exc:
            return self._failed(f"AWS: {exc}")
        data = answered["authorizationData"]
        data = data[0] if isinstance(data, list) else data
        username, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
        account = f", account {place.account}" if place.account else ""
        credentials = Credentials(
            username=username, password=password, source=f"from AWS in {place.region}{account}"
        )
        return _Kept(answer=Answer(credentials=credentials), until=data["expiresAt"].astimezone(UTC) - MARGIN)

    def _failed(self, note: str) -> _Kept:
        return _Kept(answer=Answer(notes=(note,)), until=self._now() + _FAILED_FOR)


def _client(place: EcrPlace) -> Any:
    return open_session(place.region).client(place.service, config=limits())
