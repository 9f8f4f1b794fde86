"""``bedside tenant list`` and ``show``."""

from pathlib import Path

import click

from bedside.cli.base import Command, config_option, json_option
from bedside.cli.deployment import checked_tenant, whole
from bedside.cli.job.shapes import moment
from bedside.cli.output import note, write_json, write_table
from bedside.cli.tenant.shapes import (
    ending_words,
    inventory_json,
    inventory_rows,
    state_cell,
    tenant_json,
)
from bedside.domain.tenant import Ending, TenantState, path_of, unrecorded
from bedside.tenants.tree import UNKNOWN, state_of


@click.command("list", cls=Command, examples=["bedside tenant list", "bedside tenant list --json"])
@config_option
@json_option
def list_tenants(config_path: Path | None, as_json: bool) -> None:
    """List tenants in order of the tree: those recorded, those of the configuration, those with data only."""
    with whole(config_path) as deployment:
        configured = deployment.settings.system.tenants
        recorded = {tenant.name: tenant for tenant in deployment.ledger.tenants()}
        names = sorted({*configured, *recorded, *deployment.ledger.tenants_with_data()})
    if as_json:
        write_json({"tenants": [tenant_json(name, recorded.get(name), configured) for name in names]})
        return
    rows = []
    for name in names:
        record = recorded.get(name)
        made = moment(record.made_at) if record else ""
        own = record.buckets.input.removesuffix("-input") if record and record.buckets else ""
        state = state_of(name, record, configured)
        rows.append((path_of(name), state_cell(state), made, own, ending_words(record)))
    write_table(("tenant", "state", "since", "own buckets", "ended"), rows)
    for name in names:
        if state_of(name, recorded.get(name), configured) == UNKNOWN:
            path = path_of(name)
            note(f"{path} has data, and nobody reads its drop-box: bedside tenant create {path}")


@click.command(
    cls=Command, examples=["bedside tenant show hospital/radiology/ct", "bedside tenant show ward-3 --json"]
)
@click.argument("path", metavar="TENANT")
@config_option
@json_option
def show(path: str, config_path: Path | None, as_json: bool) -> None:
    """Show a tenant: how far it is, where its objects lie, how many there are, and its jobs."""
    with whole(config_path) as deployment:
        from bedside.wiring.endings import open_ender

        ledger, configured = deployment.ledger, deployment.settings.system.tenants
        every = sorted({*deployment.tenants.known, *ledger.tenants_with_data()})
        name = checked_tenant(path, every)
        record = ledger.tenant(name)
        gone = record and record.state is TenantState.CLOSED and record.ending is Ending.REMOVE
        found = None
        if not gone:
            ender = open_ender(deployment, name)
            found = ender.inventory(record or unrecorded(name, deployment.clock.now()))
    if as_json:
        write_json(
            {**tenant_json(name, record, configured), **({"has": inventory_json(found)} if found else {})}
        )
        return
    click.echo(
        f"{path_of(name)}  {state_cell(state_of(name, record, configured))}  {ending_words(record)}".rstrip()
    )
    if record and record.buckets:
        click.echo(f"buckets {record.buckets.input} and {record.buckets.output}")
    if found:
        click.echo()
        write_table(("what", "number", "bytes"), inventory_rows(found))
        if not found.areas and not found.jobs and (record is None or record.ending is None):
            note(f"no study yet: bedside submit PATH --tenant {path_of(name)}")
