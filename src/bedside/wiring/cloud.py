"""Which cloud a deployment is made in."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bedside.ports.cloud import Cloud
    from bedside.ports.datastores import Datastores
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


def open_datastores(region: str) -> "Datastores":
    """Return the account's datastores of images in a region; nothing is asked yet."""
    from bedside.adapters.aws.datastores import ImagingDatastores

    return ImagingDatastores(region)


def open_prices() -> "PriceSource":
    """Return the price list of the cloud; nothing is asked of it yet."""
    from bedside.adapters.aws.prices import AwsPrices

    return AwsPrices()
