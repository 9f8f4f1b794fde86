"""What a configuration would cost, for the plan: `bedside.deploy.cost` asked about its settings.

Owns only the translation. A plan is not stopped by a price that the table lacks; the reason is shown
in its place.
"""

from bedside.config import DeploySettings, PoolSettings
from bedside.deploy.cost import Estimate, SitePlan, estimate
from bedside.deploy.machine_time import PoolPlan, Workload
from bedside.deploy.prices import load_table
from bedside.errors import ConfigError


def pool_plan(pool: PoolSettings) -> PoolPlan:
    """Return a pool as the estimate takes it: by its preferred kind of machine."""
    return PoolPlan(
        machine=pool.instance_types[0],
        spot=pool.spot,
        warm_pool=pool.warm_pool,
        idle_s=pool.idle_s,
        permitted_wait_s=pool.permitted_wait_s,
        start_s=pool.start_s,
        gpu=pool.gpu,
        disk_gb=pool.disk_gb,
        release_disk_gb=pool.release_disk_gb,
        release_disk_zones=pool.release_disk_zones,
    )


def site_plan(settings: DeploySettings) -> SitePlan:
    """Return the settings as the estimate takes them."""
    return SitePlan(
        pools={name: pool_plan(pool) for name, pool in settings.pools.items()},
        ledger_class=settings.ledger_class,
        own_ledger=not settings.ledger_url,
        control=settings.control,
        control_machine=settings.control_machine,
        receiver=bool(settings.dicom_from),
        archive=settings.archive,
    )


def machine_keys(site: SitePlan) -> frozenset[str]:
    """Return the keys of the prices of this site's machines, which AWS can be asked for."""
    keys = {f"{'spot' if pool.spot else 'ec2'}/{pool.machine}" for pool in site.pools.values()}
    if site.own_ledger:
        keys.add(f"rds/{site.ledger_class}")
    if site.control:
        keys.add(f"ec2/{site.control_machine}")
    return frozenset(keys)


def estimate_of(settings: DeploySettings, region: str) -> Estimate:
    """Return the estimate for the usual work, by the table that comes with bedside.

    Raises:
        ConfigError: The table lacks the region or a machine.
    """
    return estimate(site_plan(settings), Workload(), load_table(region))


def cost_line(settings: DeploySettings, region: str) -> str:
    """Return the cost in one line, or why there is none."""
    try:
        found = estimate_of(settings, region)
        date = load_table(region).date
    except ConfigError as exc:
        return f"cost: not known: {exc.message}"
    work = found.workload
    return (
        f"cost: about USD {found.fixed_usd:.2f} a month without a study, "
        f"and USD {found.study_usd:.3f} a study at {work.studies_per_day:g} a day over {work.hours:g} hours "
        f"(prices of {date}, {region}; bedside deploy cost has the parts)"
    )
