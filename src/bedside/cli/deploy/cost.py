"""``bedside deploy cost``."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, config_option, json_option, load_settings
from bedside.cli.output import ProgressLine, note, write_json, write_table
from bedside.errors import ConfigError, Unavailable, UsageError

if TYPE_CHECKING:
    from bedside.config import Loaded, Settings
    from bedside.deploy.actual import Sum
    from bedside.deploy.cost import Estimate
    from bedside.domain.tenant import TenantBuckets

_WORK = ("studies_per_day", "hours", "seconds", "study_mb", "kept_months")


@click.command(
    cls=Command,
    examples=[
        "bedside deploy cost --studies-per-day 40 --seconds 12",
        "bedside deploy cost --actual --days 7 --json | jq .per_release",
    ],
)
@click.option(
    "--studies-per-day",
    type=click.FloatRange(min=0, min_open=True),
    default=100.0,
    help="Studies that arrive in a day.",
)
@click.option(
    "--hours",
    type=click.FloatRange(0, 24, min_open=True),
    default=10.0,
    help="Hours of the day in which they arrive.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=25.0,
    help="Seconds that a study takes on a machine.",
)
@click.option("--study-mb", type=click.FloatRange(min=0), default=100.0, help="Megabytes of a study.")
@click.option("--kept-months", type=click.FloatRange(min=0), default=1.0, help="Months that a study is kept.")
@click.option("--region", default="", show_default="deploy.region", help="AWS region whose prices are meant.")
@click.option("--offline", is_flag=True, help="Ask AWS for no price; take the table that comes with bedside.")
@click.option("--refresh", is_flag=True, help="Ask AWS even where it was asked in the last week.")
@click.option("--actual", is_flag=True, help="Sum up what delivered results say that they took.")
@click.option("--days", type=click.IntRange(min=1), default=30, help="How far back --actual looks.")
@config_option
@json_option
def cost(
    region: str,
    offline: bool,
    refresh: bool,
    actual: bool,
    days: int,
    config_path: Path | None,
    as_json: bool,
    **work: float,
) -> None:
    """Estimate what the deployment costs per month and per study, or show what its studies really took.

    Nothing has to be deployed for an estimate. Prices of machines are AWS's of today where it can be
    asked, and otherwise those of a dated table; which, is said.
    """
    if offline and refresh:
        raise UsageError("--offline and --refresh: one asks AWS for no price, the other anew")
    loaded = load_settings(config_path)
    if actual:
        _show_actual(loaded, days, region, as_json=as_json)
        return
    estimate, said = _estimate(loaded, region, work, offline=offline, refresh=refresh)
    if as_json:
        write_json({**estimate.to_json(), "prices": said, "workload": {name: work[name] for name in _WORK}})
        return
    write_table(
        ("part", "what", "quantity", "unit", "USD", "per"),
        [
            (line.part, line.what, f"{line.quantity:.4g}", line.unit, f"{line.usd:.5f}", line.per)
            for line in estimate.lines
            if line.usd > 0
        ],
    )
    did = estimate.workload
    click.echo()
    click.echo(f"USD {estimate.fixed_usd:.2f} a month without a study")
    click.echo(
        f"USD {estimate.study_usd:.4f} a study at {did.studies_per_day:g} a day over {did.hours:g} hours "
        f"({estimate.machine_s_per_study:.0f} machine seconds each, {did.seconds:g} of them at work)"
    )
    click.echo(f"USD {estimate.monthly_usd:.2f} a month in all, with {did.kept_months:g} months of storage")
    for months, (gb, usd) in estimate.storage.items():
        note(f"where nothing is deleted S3 holds {gb:.4g} GB after {months} months: USD {usd:.2f} a month")
    note(f"prices of {estimate.region}: {said}")


def _estimate(
    loaded: "Loaded", region: str, work: dict[str, float], *, offline: bool, refresh: bool
) -> "tuple[Estimate, str]":
    from bedside.deploy.cost import estimate
    from bedside.deploy.estimated import machine_keys, site_plan
    from bedside.deploy.machine_time import Workload
    from bedside.deploy.prices import load_table, refreshed, stand_in
    from bedside.wiring.cloud import open_prices

    settings = loaded.settings.deploy
    where = region or settings.region or _usual_region()
    site = site_plan(settings)
    unlisted = None
    try:
        table = load_table(where)
    except ConfigError as exc:
        if offline:
            raise
        table, unlisted = stand_in(where), exc
    said, keys = f"table of {table.date}", machine_keys(site)
    try:
        source = None if offline else open_prices()
    except ConfigError as exc:
        source, said = None, f"{said}, since {exc.message}: {exc.hint}"
    if source is not None:
        with ProgressLine() as progress:
            progress.update("asking AWS for prices")
            table, said = refreshed(
                table,
                source,
                keys=keys,
                cache=_base(loaded) / ".bedside" / f"prices-{where}.json",
                today=datetime.now(tz=UTC).date(),
                again=refresh,
            )
    if unlisted is not None:
        if missing := sorted(keys - set(table.prices)):
            raise ConfigError(
                f"{unlisted.message}; of {', '.join(missing)} AWS told none ({said})",
                hint="bedside deploy cost --region us-east-1",
            ) from unlisted
        said = f"{said}, where us-east-1 stands for {where}"
    return estimate(site, Workload(**work), table), said


def _usual_region() -> str:
    """Return the region of the environment or the profile.

    Raises:
        ConfigError: None is named, or only a profile could name it and boto3 is missing.
    """
    from bedside.wiring.cloud import open_cloud

    try:
        return open_cloud().region
    except ModuleNotFoundError as exc:
        named = os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION")
        if not named:
            raise ConfigError("no region is named", hint="bedside deploy cost --region us-east-1") from exc
        return named


def _base(loaded: "Loaded") -> Path:
    return (loaded.path.parent if loaded.path else Path()).absolute()


def _show_actual(loaded: "Loaded", days: int, region: str, *, as_json: bool) -> None:
    from bedside.deploy.actual import per_day, per_release, read_results, total
    from bedside.wiring.store import open_store

    settings = _settings_of_results(loaded, region)
    where = settings.store.url or str(settings.system.root)
    since = datetime.now(tz=UTC) - timedelta(days=days)
    with ProgressLine() as progress:
        progress.update(f"reading results in {where}")
        recorded = _recorded(settings, deployed=settings is not loaded.settings)
        blobs = open_store(settings, (recorded or {}).get).blobs
        tenants = dict.fromkeys([*settings.system.tenants, *(recorded or ())])
        studies = [one for tenant in tenants for one in read_results(blobs.tenant(tenant), since)]
    if recorded is None and settings.store.url:
        note("the ledger is out of reach here, so only the tenants of system.tenants are counted")
    whole, releases, dates = total(studies), per_release(studies), per_day(studies)
    if as_json:
        write_json(
            {
                "store": where,
                "since": since.date().isoformat(),
                "total": whole.to_json(),
                "per_release": [found.to_json() for found in releases],
                "per_day": [found.to_json() for found in dates],
            }
        )
        return
    if not studies:
        note(f"no result of the last {days} days in {where}; bedside deploy status shows what waits")
        return
    for title, sums in (("release", releases), ("day", dates)):
        write_table((title, "studies", "seconds each", "GPU s each", "US cents each", "USD"), map(_row, sums))
        click.echo()
    click.echo(f"{whole.studies} studies, {whole.gpu_s:.0f} GPU seconds, USD {whole.usd:.4f}, in {where}")
    if whole.priced < whole.studies:
        note(
            f"{whole.studies - whole.priced} of them know no price: machine.type and machine.price_usd_per_h"
            " were not set where they ran"
        )
    note("a machine is also paid for while it starts and waits, which no result has: AWS's bill does")


def _row(found: "Sum") -> Sequence[object]:
    cents = found.cents_per_study
    return (
        found.name,
        found.studies,
        f"{found.seconds / found.priced:.1f}" if found.priced else "",
        f"{found.gpu_s / found.studies:.1f}",
        "" if cents is None else f"{cents:.4f}",
        f"{found.usd:.4f}",
    )


def _recorded(settings: "Settings", *, deployed: bool) -> "Mapping[str, TenantBuckets | None] | None":
    """Return the tenants of the ledger, with the buckets of their own; None where it cannot be read.

    Args:
        settings: What is in force.
        deployed: The results are of a deployment, whose ledger is not the file that may lie here.
    """
    from bedside.wiring.cloud import reach_ledger

    file = settings.system.root / "ledger.db"
    here = f"sqlite:///{file.absolute()}" if file.exists() and not deployed else ""
    ledger = reach_ledger(settings.ledger.url or here)
    if ledger is None:
        return None
    try:
        return {tenant.name: tenant.buckets for tenant in ledger.tenants()}
    except Unavailable:  # of a version that recorded none
        return None
    finally:
        ledger.close()


def _settings_of_results(loaded: "Loaded", region: str) -> "Settings":
    """Return the settings with the deployment's bucket as store, where something was deployed from here."""
    from bedside.config.settings import StoreSettings
    from bedside.deploy.workspace import workspace_folder
    from bedside.wiring.cloud import open_cloud

    settings = loaded.settings
    deploy = settings.deploy
    if settings.store.url or not workspace_folder(_base(loaded), deploy.name).is_dir():
        return settings
    cloud = open_cloud(region or deploy.region)
    url = f"s3://{deploy.name}-{cloud.caller().account}-{cloud.region}"
    return settings.model_copy(update={"store": StoreSettings(url=url, endpoint_url="")})
