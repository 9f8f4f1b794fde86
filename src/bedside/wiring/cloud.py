"""Which cloud a deployment is made in."""

from typing import TYPE_CHECKING

from bedside.errors import BedsideError, ConfigError

if TYPE_CHECKING:
    from bedside.ports import Clock, Ledger
    from bedside.ports.cloud import Cloud
    from bedside.ports.cloudlogs import CloudLogs
    from bedside.ports.datastores import Datastores
    from bedside.ports.machines import Machines
    from bedside.ports.prices import PriceSource


def open_cloud(region: str = "") -> "Cloud":
    """Return the account whose credentials are at hand.

    Args:
        region: Its name; empty is that of the environment or profile.

    Raises:
        ConfigError: No region is named anywhere, or there is none of this name.
    """
    from bedside.adapters.aws.account import AwsCloud

    return AwsCloud(region)


def open_clock() -> "Clock":
    """Return the time."""
    from bedside.adapters.local.clock import SystemClock

    return SystemClock()


def open_datastores(region: str) -> "Datastores":
    """Return the account's datastores of images in a region; nothing is asked yet."""
    from bedside.adapters.aws.datastores import ImagingDatastores

    return ImagingDatastores(region)


def open_logs(region: str) -> "CloudLogs":
    """Return the account's logs in a region; nothing is asked yet."""
    from bedside.adapters.aws.logs import AwsLogs

    return AwsLogs(region)


def open_machines(region: str) -> "Machines":
    """Return the account's machines in a region, as commands are sent to them; nothing is asked yet."""
    from bedside.adapters.aws.machines import AwsMachines

    return AwsMachines(region)


def reach_ledger(url: str) -> "Ledger | None":
    """Return the ledger of a deployment where it can be read from here; None elsewhere.

    Nothing is made or upgraded in it: that is for the deployment's own version to do.
    """
    from bedside.adapters.sql import SqlLedger

    if not url:
        return None
    ledger = None
    try:
        ledger = SqlLedger(url)
        ledger.depth()
    except BedsideError:  # closed to us, without tables yet, or its driver is not installed here
        if ledger is not None:
            ledger.close()
        return None
    return ledger


def open_prices() -> "PriceSource":
    """Return the price list of the cloud; nothing is asked of it yet.

    Raises:
        ConfigError: boto3 is missing.
    """
    try:
        from bedside.adapters.aws.prices import AwsPrices
    except ImportError as exc:
        raise ConfigError(
            f"AWS is asked by the Python package {exc.name}, which is not installed",
            hint="pip install 'bedside[aws]'",
        ) from exc

    return AwsPrices()
