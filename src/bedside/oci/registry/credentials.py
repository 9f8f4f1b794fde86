"""Credentials for registries, and whoever has them.

Owns the protocol that AWS's adapter and the files of docker and podman implement, and the chain that
asks one after the other. An authority answers with notes on where it looked, because "refused" helps
nobody who cannot see which of four files was read. Secrets are in no `repr`.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who we are at a registry.

    Attributes:
        username: Empty with an identity token.
        password: A password or access token.
        identity_token: An OAuth 2 refresh token, which only a token server takes.
        source: Where they were found, for messages.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    source: str = ""

    @property
    def who(self) -> str:
        """Name and source, for messages."""
        name = f"user {self.username!r}" if self.username else "the stored identity token"
        return f"{name} ({self.source})" if self.source else name


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an authority knows.

    Attributes:
        credentials: Or None.
        notes: Where it looked and what was wrong there, a few words each.
    """

    credentials: Credentials | None = None
    notes: tuple[str, ...] = ()


class Authority(Protocol):
    """Has credentials for some registries. Safe to ask from several threads."""

    def ask(self, host: str, repository: str) -> Answer:
        """Return the credentials for a repository, or none and why.

        Raises:
            ConfigError: what the authority reads cannot be read.
            Unavailable: what the authority asks is not there now.
        """
        ...


class Nobody:
    """Has no credentials: public repositories only.

    Args:
        why: A note, for the message of a refusal.
    """

    def __init__(self, why: str = "") -> None:
        self._answer = Answer(notes=(why,) if why else ())

    def ask(self, host: str, repository: str) -> Answer:  # noqa: ARG002
        """Return none."""
        return self._answer


class Chain:
    """Asks several authorities; the first that has credentials wins.

    Args:
        authorities: In order.
    """

    def __init__(self, authorities: Sequence[Authority]) -> None:
        self._authorities = tuple(authorities)

    def ask(self, host: str, repository: str) -> Answer:
        """Return the first credentials, or none and the notes of all."""
        notes: list[str] = []
        for authority in self._authorities:
            answer = authority.ask(host, repository)
            notes += answer.notes
            if answer.credentials:
                return Answer(credentials=answer.credentials, notes=tuple(notes))
        return Answer(notes=tuple(notes))


class Later:
    """An authority that is made when a host that it is for is first asked for.

    Args:
        concerns: Whether it is for a host.
        make: Makes it.
    """

    def __init__(self, concerns: Callable[[str], bool], make: Callable[[], Authority]) -> None:
        self._concerns = concerns
        self._make = make
        self._lock = threading.Lock()
        self._made: Authority | None = None

    def ask(self, host: str, repository: str) -> Answer:
        """Return what it answers, or nothing for other hosts."""
        if not self._concerns(host):
            return Answer()
        with self._lock:
            self._made = self._made or self._make()
        return self._made.ask(host, repository)


class Given:
    """Has one user's credentials for one registry, told by the caller.

    Args:
        host: The registry.
        credentials: For all its repositories.
    """

    def __init__(self, host: str, credentials: Credentials) -> None:
        self._host = host
        self._credentials = credentials

    def ask(self, host: str, repository: str) -> Answer:  # noqa: ARG002
        """Return them for that registry."""
        return Answer(credentials=self._credentials if host == self._host else None)
