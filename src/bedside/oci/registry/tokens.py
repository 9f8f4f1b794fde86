"""Tokens: answers to a registry's challenge, kept for as long as they last.

Owns who we are at one registry: credentials are asked for when the first challenge comes, so a public
repository never starts a credential helper. A token is fetched once per set of scopes, ahead of the
request once the challenge is known. See distribution's "Token Authentication Specification" and
"OAuth2 Token Authentication".
"""

import base64
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from bedside.errors import ConfigError, Unavailable
from bedside.oci.registry.challenge import Challenge, Scope, challenges, preferred
from bedside.oci.registry.credentials import Answer, Authority, Credentials
from bedside.oci.registry.refusals import Subject, denied, refusal

#: "For compatibility, if omitted, a token lasts 60 seconds" (token specification).
DEFAULT_LIFE_S = 60.0
#: A token is used no more when this little of its life is left.
MARGIN_S = 10.0
CLIENT_ID = "bedside"

Scopes = tuple[Scope, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    header: str
    until: float


class Identity:
    """Who we are at one registry. Safe from several threads.

    Args:
        host: The registry.
        authority: Has the credentials.
        send: Sends a request to a token server, which is another host as a rule.
        plain: Whether credentials may go to a token server over plain http.
    """

    def __init__(
        self, host: str, authority: Authority, send: Callable[[httpx.Request], httpx.Response], *, plain: bool
    ) -> None:
        self._host = host
        self._authority = authority
        self._send = send
        self._plain = plain
        self._lock = threading.RLock()
        self._challenge: Challenge | None = None
        self._answers: dict[str, Answer] = {}
        self._tokens: dict[Scopes, _Token] = {}

    def header(self, scopes: Scopes) -> str | None:
        """Return the value of ``Authorization`` for a request, or None as long as nobody asked."""
        with self._lock:
            if self._challenge is None or not scopes:
                return None
            return self._header(scopes)

    def challenged(self, response: httpx.Response, scopes: Scopes, *, sent: str | None) -> str | None:
        """Answer a 401.

        Args:
            response: The registry's.
            scopes: What the request was for.
            sent: The header that it had.

        Returns:
            Another header to try, or None where there is none.
        """
        asked = preferred(challenges(response.headers.get_list("WWW-Authenticate")))
        if asked is None or not scopes:
            return None
        with self._lock:
            if self._challenge is None or asked.scheme != self._challenge.scheme:
                self._challenge = asked
                self._tokens.clear()
            else:
                kept = self._tokens.get(scopes)
                if kept and kept.header != sent:
                    return kept.header  # another thread has just answered the same challenge
                self._challenge = asked
                self._tokens.pop(scopes, None)
                if asked.scheme == "basic":
                    self._answers.clear()  # a password that has changed meanwhile, as ECR's do
            header = self._header(scopes)
        return header if header != sent else None

    def known(self, repository: str) -> Answer:
        """Return what was found for a repository, for messages; nothing is asked for it."""
        with self._lock:
            return self._answers.get(repository, Answer())

    def _header(self, scopes: Scopes) -> str | None:
        assert self._challenge is not None
        kept = self._tokens.get(scopes)
        if kept and kept.until > time.monotonic():
            return kept.header
        credentials = self._credentials(scopes[0].repository)
        if self._challenge.scheme == "basic":
            return _basic(credentials) if credentials and credentials.username else None
        token = self._fetch(self._challenge, credentials, scopes)
        self._tokens[scopes] = token
        return token.header

    def _credentials(self, repository: str) -> Credentials | None:
        answer = self._answers.get(repository)
        if answer is None:
            answer = self._answers[repository] = self._authority.ask(self._host, repository)
        return answer.credentials

    def _fetch(self, challenge: Challenge, credentials: Credentials | None, scopes: Scopes) -> _Token:
        realm = challenge.parameters["realm"]
        subject = Subject(
            host=self._host, repository=scopes[0].repository, what=f"for {scopes[0]}", doing="ask a token"
        )
        request = _token_request(challenge, credentials, scopes)
        if credentials and request.url.scheme != "https" and not self._plain:
            raise ConfigError(
                f"{self._host}: sends credentials to {realm}, which is not https",
                hint="--insecure, if its network may be trusted",
            )
        response = self._send(request)
        who = credentials.who if credentials else ""
        if response.status_code in (400, 401, 403):
            notes = self._answers[scopes[0].repository].notes
            raise denied(subject, response.status_code, f" by {request.url.host}", who=who, notes=notes)
        if response.status_code != httpx.codes.OK:
            raise refusal(response, subject, who=who)
        return _read(response, request.url.host)


def _token_request(challenge: Challenge, credentials: Credentials | None, scopes: Scopes) -> httpx.Request:
    """Return the request for a token: GET with a password or nobody's, POST with an identity token."""
    service = challenge.parameters.get("service", "")
    wanted = [str(scope) for scope in scopes]
    asked = challenge.parameters.get("scope", "")
    # A registry may ask for scopes of its own that nobody else can know.
    wanted += [scope for scope in asked.split() if not _covered(scope, scopes)]
    if credentials and credentials.identity_token:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": credentials.identity_token,
            "client_id": CLIENT_ID,
            "service": service,
            "scope": " ".join(wanted),
        }
        return httpx.Request("POST", challenge.parameters["realm"], data=form)
    parameters = [("service", service)] if service else []
    parameters += [("scope", scope) for scope in wanted]
    url = httpx.URL(challenge.parameters["realm"])
    url = url.copy_merge_params(httpx.QueryParams([*url.params.multi_items(), *parameters]))
    headers = {"Authorization": _basic(credentials)} if credentials else {}
    return httpx.Request("GET", url, headers=headers)


def _covered(scope: str, scopes: Scopes) -> bool:
    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    return kind == "repository" and any(
        own.repository == name and set(actions.split(",")) <= set(own.actions) for own in scopes
    )


def _basic(credentials: Credentials) -> str:
    pair = f"{credentials.username}:{credentials.password}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _read(response: httpx.Response, server: str) -> _Token:
    try:
        document = response.json()
        token = document.get("token") or document["access_token"]
        life_s = float(document.get("expires_in") or DEFAULT_LIFE_S)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise Unavailable(
            f"{server}: answered something else than a token", hint=f"curl -i {server}"
        ) from exc
    # By the age it has here, not by its issued_at: clocks of two machines differ.
    return _Token(header=f"Bearer {token}", until=time.monotonic() + max(life_s - MARGIN_S, life_s / 2))
