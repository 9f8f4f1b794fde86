"""From settings to the variables of the Terraform root module.

The keys are the same by design (see `bedside.config.deploy`); this only leaves out what is not a
variable and puts in what the settings leave open.
"""

from collections.abc import Mapping

from bedside.config import DeploySettings
from bedside.deploy.prices import load_table
from bedside.errors import ConfigError

#: Keys of ``[deploy]`` for which Terraform has no resource, or that travel with the software.
NOT_VARIABLES = frozenset({"blob_mounting", "ledger_ca"})


def tfvars(settings: DeploySettings, *, region: str) -> dict[str, object]:
    """Return the variables as JSON values.

    Args:
        settings: The section ``[deploy]``.
        region: The region that was chosen where the settings name none.
    """
    document: Mapping[str, object] = settings.model_dump(mode="json", exclude=set(NOT_VARIABLES))
    return {**document, "region": region, "machine_usd_per_h": machine_prices(settings, region)}


def machine_prices(settings: DeploySettings, region: str) -> dict[str, dict[str, float]]:
    """Return what an hour of each pool's kinds of machine costs, by the table that comes with bedside.

    The table and not today's prices, because another price is another launch template. What it lacks is
    left out: results then name the machine and no price.
    """
    try:
        table = load_table(region)
    except ConfigError:
        return {name: {} for name in settings.pools}
    return {
        name: {
            machine: table.usd(key)
            for machine in pool.instance_types
            if (key := f"{'spot' if pool.spot else 'ec2'}/{machine}") in table.prices
        }
        for name, pool in settings.pools.items()
    }


def state_bucket(settings: DeploySettings, *, account: str, region: str) -> str:
    """Return the bucket of the state: all deployments of an account and region share one."""
    return settings.state_bucket or f"bedside-state-{account}-{region}"


def state_folder(name: str) -> str:
    """Return what the keys of a deployment begin with in that bucket."""
    return f"{name}/"


def state_key(name: str) -> str:
    """Return the key of a deployment's state in that bucket."""
    return f"{state_folder(name)}terraform.tfstate"


def record_key(name: str) -> str:
    """Return the key of the record of what was made, beside the state."""
    return f"{state_folder(name)}record.json"
