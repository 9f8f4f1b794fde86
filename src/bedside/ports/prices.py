"""What things cost at a cloud, asked of the cloud itself."""

from collections.abc import Collection, Mapping
from typing import Protocol


class PriceSource(Protocol):
    """The price list of a cloud, as of now."""

    def prices(self, region: str, keys: Collection[str]) -> Mapping[str, float]:
        """Return the prices of those keys that the list has; others are left out.

        Args:
            region: AWS's name of a region.
            keys: Of the price table, e.g. ``ec2/g4dn.xlarge``.

        Returns:
            Key to USD per unit of the table.

        Raises:
            Unavailable: The list cannot be read.
        """
        ...
