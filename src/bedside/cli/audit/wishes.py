"""Which records commands ask for: the options that list and export have in common."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from bedside.cli.span import Span
from bedside.domain.tenant import name_of
from bedside.ports.audit import AuditFilter

_Decorated = TypeVar("_Decorated", bound=Callable[..., object])


class Since(click.ParamType[datetime]):
    """A point in time: so long ago (``7d``), or a date or time of ISO 8601, UTC where it names no zone."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return it, or refuse with what it should look like."""
        if isinstance(value, datetime):
            return value
        try:
            at = datetime.fromisoformat(str(value))
        except ValueError:
            ago: timedelta = Span().convert(value, param, ctx)
            return datetime.now(UTC) - ago
        return at if at.tzinfo else at.replace(tzinfo=UTC)


def wishes(command: _Decorated) -> _Decorated:
    """Add ``--tenant``, ``--person``, ``--action``, ``--object``, ``--since`` and ``--until``."""
    options = (
        click.option("--tenant", default="", show_default="all", help="Of this tenant and those below it."),
        click.option("--person", default="", show_default="all", help="Of one person, by their number."),
        click.option(
            "--action", default="", show_default="all", help="E.g. result.viewed, or result for all of it."
        ),
        click.option("--object", "what", default="", show_default="all", help="Done to this job, study, …."),
        click.option("--since", type=Since(), help="Not before, e.g. 7d or 2026-03-01."),
        click.option("--until", type=Since(), help="Before, e.g. 1d or 2026-04-01."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def wanted(
    tenant: str, person: str, action: str, what: str, since: datetime | None, until: datetime | None
) -> AuditFilter:
    """Return what those options ask for.

    Raises:
        UsageError: The tenant's name cannot be one.
    """
    return AuditFilter(
        nodes=[name_of(tenant)] if tenant else None,
        person=person,
        action=action,
        object=what,
        since=since,
        until=until,
    )
