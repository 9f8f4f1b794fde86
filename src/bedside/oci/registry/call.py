"""Requests to a registry, and how patiently they are made, as values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bedside.oci.registry.challenge import Scope
from bedside.oci.registry.refusals import Subject
from bedside.oci.registry.retry import Policy
from bedside.oci.registry.trust import CERTIFICATE_FOLDERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How registries are spoken to.

    Attributes:
        insecure: Whether plain http, or a certificate that is not trusted, is accepted anywhere; on this
            machine's own addresses plain http always is.
        policy: When to try again.
        parallel: Blobs on their way at once.
        connect_timeout_s: Until a connection stands.
        idle_timeout_s: Between two bytes.
        commit_timeout_s: Until an upload is confirmed: registries move it to its place only then.
        certificate_folders: Where registries' own certificates are.
    """

    insecure: bool = False
    policy: Policy = field(default_factory=Policy)
    parallel: int = 4
    connect_timeout_s: float = 10.0
    idle_timeout_s: float = 60.0
    commit_timeout_s: float = 600.0
    certificate_folders: tuple[Path, ...] = CERTIFICATE_FOLDERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request.

    Attributes:
        method: The verb.
        url: A path from the registry's root, or a whole URL that the registry gave.
        subject: What is asked for, for messages.
        scopes: What a token must allow.
        expected: Statuses that are answers; others become errors.
        headers: Beside ``Authorization``.
        params: Of the query.
        content: The body; an iterable is sent once and never again.
        commit: Whether the registry may take long to answer after the last byte.
    """

    method: str
    url: str
    subject: Subject
    scopes: tuple[Scope, ...]
    expected: frozenset[int] = frozenset({200})
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    content: bytes | Iterable[bytes] | None = None
    commit: bool = False

    @property
    def replayable(self) -> bool:
        """Whether it can be sent again."""
        return isinstance(self.content, bytes | None)

    @property
    def doing(self) -> str:
        """What it does, for messages."""
        return f"{self.subject.doing} {self.subject.what}".strip()
