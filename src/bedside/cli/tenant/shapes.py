"""Tenants as JSON values and table cells: one spelling for the commands that show them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bedside.cli.output import coloured
from bedside.domain.tenant import Tenant, TenantState, path_of
from bedside.tenants.tree import CONFIGURED, UNKNOWN, state_of

if TYPE_CHECKING:
    from bedside.tenants.end import Inventory

COLOURS: Mapping[str, str] = {
    TenantState.MAKING: "yellow",
    TenantState.ACTIVE: "green",
    TenantState.CLOSING: "yellow",
    TenantState.CLOSED: "red",
    CONFIGURED: "green",
    UNKNOWN: "yellow",
}


def state_cell(state: str) -> str:
    """Return a state in its colour."""
    return coloured(state, COLOURS[state])


def ending_words(record: Tenant | None) -> str:
    """Return what became of a tenant's data."""
    if record is None or record.ending is None:
        return ""
    when = f" {record.closed_at:%Y-%m-%d}" if record.closed_at else ""
    done = f"{record.ending}d" if record.closed_at else f"to be {record.ending}d"
    return f"{done}{when}{f' in {record.place}' if record.place else ''}"


def tenant_json(name: str, record: Tenant | None, configured: Sequence[str]) -> dict[str, object]:
    """Return a tenant for ``--json``."""
    own = record.buckets if record else None
    return {
        "tenant": path_of(name),
        "name": name,
        "state": state_of(name, record, configured),
        "recorded": record is not None,
        "buckets": {"input": own.input, "output": own.output} if own else None,
        "ending": record.ending if record else None,
        "place": record.place if record else "",
        "made_at": record.made_at if record else None,
        "closed_at": record.closed_at if record else None,
    }


def inventory_json(found: "Inventory") -> dict[str, object]:
    """Return what a tenant has for ``--json``."""
    return {
        "areas": {
            area: {"objects": number, "bytes": size} for area, (number, size) in sorted(found.areas.items())
        },
        "jobs": {state.value: number for state, number in sorted(found.jobs.items())},
        "things": list(found.things),
        "image_sets": found.archived.number if found.archived else None,
        "stay": list(found.archived.words) if found.archived else [],
    }


def inventory_rows(found: "Inventory") -> list[tuple[str, object, object]]:
    """Return what a tenant has as rows: what, how many, bytes."""
    areas: list[tuple[str, object, object]] = [
        (f"{area}/" if area else "other objects", number, size)
        for area, (number, size) in sorted(found.areas.items())
    ]
    jobs: list[tuple[str, object, object]] = [
        (f"jobs {state.value}", number, "") for state, number in sorted(found.jobs.items())
    ]
    image_sets = [("image sets in the archive", found.archived.number, "")] if found.archived else []
    return [*areas, *jobs, *image_sets, *((thing, 1, "") for thing in found.things)]
