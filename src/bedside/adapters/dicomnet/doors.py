"""Who may send to whom: the AE title that is called, the one that calls, and where it comes from.

Owns the answer and its reason in the standard's words. Titles are told apart by case, as PS3.8 does.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from bedside.errors import Unavailable

Network = IPv4Network | IPv6Network


class Refusal(Enum):
    """Why an association is refused: result, source and reason of A-ASSOCIATE-RJ. See PS3.8 9.3.4."""

    CALLED = (1, 1, 7)  # called AE title not recognised
    CALLING = (1, 1, 3)  # calling AE title not recognised
    CONGESTION = (2, 3, 1)  # temporary congestion: try again

    @property
    def reason(self) -> str:
        """What the log says."""
        return {
            Refusal.CALLED: "nobody has this called AE title",
            Refusal.CALLING: "this calling AE title may not send from this address",
            Refusal.CONGESTION: "the ledger is out of reach, or we are stopping",
        }[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """An AE title of ours.

    Attributes:
        tenant: Whose drop-box it fills.
        calling: AE titles that may call it; empty is any.
        networks: Where they may come from; empty is from wherever anybody may.
    """

    tenant: str
    calling: Collection[str] = ()
    networks: Collection[Network] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """All AE titles of ours.

    Attributes:
        called: By title.
        networks: Where anybody may come from.
        serves: Whether a tenant is served just now; may raise `Unavailable`.
    """

    called: Mapping[str, Called]
    networks: Collection[Network]
    serves: Callable[[str], bool]

    def tenant(self, called: str, calling: str, address: str) -> str | Refusal:
        """Return whose drop-box a sender fills, or why none."""
        where = _plain(address)
        # A stranger learns nothing of which titles there are.
        if not _within(where, self.networks):
            return Refusal.CALLING
        found = self.called.get(called)
        if found is None:
            return Refusal.CALLED
        if found.calling and calling not in found.calling:
            return Refusal.CALLING
        if found.networks and not _within(where, found.networks):
            return Refusal.CALLING
        try:
            return found.tenant if self.serves(found.tenant) else Refusal.CALLED
        except Unavailable:
            return Refusal.CONGESTION


def _plain(address: str) -> IPv4Address | IPv6Address:
    """Return an address, that of IPv4 where a socket of both kinds wraps it."""
    found = ip_address(address.partition("%")[0])
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _within(where: IPv4Address | IPv6Address, networks: Collection[Network]) -> bool:
    return any(where.version == network.version and where in network for network in networks)
