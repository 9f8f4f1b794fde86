"""Settings as people see them: one line per key, with its source, secrets masked.

Everything that prints a setting goes through here, so that a password has one place to leak from.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bedside.config.environment import PREFIX
from bedside.config.settings import Settings

#: Dotted keys whose value is a password.
PASSWORDS = frozenset({"notify.webhook_secret", "notify.smtp_password", "identity.client_secret"})
#: Dotted keys whose value may hold one. The path of a webhook often is one.
SECRETS = frozenset({"ledger.url", "deploy.ledger_url", "notify.webhook_url"}) | PASSWORDS

_PASSWORD = re.compile(
    r"(?P<before>://[^/@:]*:)[^@]*(?=@)|(?P<key>(?:password|sslpassword)=)[^&]*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One setting: its dotted key, its value as JSON with secrets masked, and its source."""

    key: str
    value: object
    source: str


def masked(url: str) -> str:
    """Return a database URL without its password."""
    return _PASSWORD.sub(lambda found: f"{found['before'] or found['key']}***", url)


def hidden(key: str, value: object) -> object:
    """Return a setting's value with what is secret in it hidden."""
    if key in PASSWORDS:
        return "***" if value else value
    if key == "notify.webhook_url":
        return re.sub(r"^(\w+://)(?:[^/@]*@)?([^/?#]+).*$", r"\1\2/***", str(value), flags=re.DOTALL)
    return masked(str(value)) if key in SECRETS else value


def shown(settings: Settings, sources: Mapping[str, str]) -> list[Shown]:
    """Return every setting in the order of the schema; empty lists of tables are left out."""
    document = json.loads(settings.model_dump_json())
    return [
        Shown(
            key=key,
            value=hidden(key, value),
            source=_source(key, sources),
        )
        for key, value in _leaves(document)
    ]


def _source(key: str, sources: Mapping[str, str]) -> str:
    while key:
        if key in sources:
            return sources[key]
        parent, _, part = key.rpartition(".")
        # A key that a table does not set is a default; an element of a list has its list's source, and
        # so has one of a table that a variable gave as a whole.
        if not part.isdigit() and not sources.get(parent, "").startswith(PREFIX):
            break
        key = parent
    return "default"


def _leaves(value: object, before: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict) and (value or not before):
        for key, inner in value.items():
            yield from _leaves(inner, f"{before}.{key}" if before else key)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{before}.{number}")
    elif before not in {"pipeline", "rule"}:
        yield before, value
