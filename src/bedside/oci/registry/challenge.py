"""How a registry asks who we are: the ``WWW-Authenticate`` header (RFC 9110, 11.6.1), and scopes.

Owns reading the header and nothing else. Several challenges may stand in one header or in several;
`bearer` is preferred where both are offered, since its token says what it is for.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - the grammar's word for a word
_PARAMETER = re.compile(rf'\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))\s*(?:,|$)')
_SCHEME = re.compile(rf"[\s,]*({_TOKEN})(?:\s+|,|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One way to say who we are.

    Attributes:
        scheme: ``basic`` or ``bearer``, or another that bedside does not speak.
        parameters: Names in lower case: ``realm``, ``service``, ``scope``, ``error``.
    """

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a token is for.

    Attributes:
        repository: A name in the registry.
        actions: ``pull``, ``push``, ``delete``; sorted.
    """

    repository: str
    actions: tuple[str, ...] = ("pull",)

    def __str__(self) -> str:
        return f"repository:{self.repository}:{','.join(self.actions)}"


def challenges(headers: Iterable[str]) -> list[Challenge]:
    """Read the values of all ``WWW-Authenticate`` headers."""
    found = []
    for text in headers:
        at = 0
        while match := _SCHEME.match(text, at):
            at = match.end()
            parameters = {}
            while parameter := _PARAMETER.match(text, at):
                name, quoted, plain = parameter.groups()
                parameters[name.lower()] = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
                at = parameter.end()
            found.append(Challenge(scheme=match[1].lower(), parameters=parameters))
    return found


def preferred(offered: Iterable[Challenge]) -> Challenge | None:
    """Return the challenge to answer, or None where bedside speaks none of them."""
    by_scheme: dict[str, Challenge] = {}
    for challenge in offered:
        by_scheme.setdefault(challenge.scheme, challenge)
    bearer = by_scheme.get("bearer")
    if bearer and bearer.parameters.get("realm"):
        return bearer
    return by_scheme.get("basic")
