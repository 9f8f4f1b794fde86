"""How often somebody may try: passwords, addresses, links. Counted in this process's memory.

Per place on the network, since one machine tries many accounts, and per account, since many machines try
one. A place is an address, or the /64 of an address of version 6: whoever has one has all of it.
"""

import ipaddress
import math
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from bedside.domain.account import key_of
from bedside.errors import TooMany

#: A whole hospital may sit behind one address, and begin its day at the same time; so many fail, though, only
#: where somebody guesses.
PER_PLACE = RateLimitItemPerMinute(300, 5, namespace="place")
FAILED_PER_PLACE = RateLimitItemPerMinute(30, 5, namespace="failed")
PER_ACCOUNT = RateLimitItemPerMinute(10, 15, namespace="account")
#: Who finds as many tries of the same place under way as may fail there asks again then.
UNDER_WAY_S = 5


class Attempts:
    """Counts tries; threads may share it."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()

    def count(self, place: str, account: str = "") -> None:
        """Count a try before it is made.

        Args:
            place: Address on the network; empty counts nothing.
            account: What is tried, e.g. an e-mail address; its hash is counted.

        Raises:
            TooMany: There were too many.
        """
        keys = [(PER_PLACE, network_of(place))] if place else []
        keys += [(PER_ACCOUNT, key_of(account.strip().lower()))] if account else []
        if place and not self._limiter.test(FAILED_PER_PLACE, network_of(place)):
            wait_s = self._wait_s(FAILED_PER_PLACE, network_of(place))
            raise TooMany("too many tries", retry_after_s=wait_s)
        for item, key in keys:
            if not self._limiter.hit(item, key):
                raise TooMany("too many tries", retry_after_s=self._wait_s(item, key))

    @contextmanager
    def trying(self, place: str) -> Iterator[None]:
        """Hold one of the tries that may fail at a place while it is not known whether this one does.

        Whoever sends them all at once gets no more of them.

        Args:
            place: Address on the network; empty holds nothing.

        Raises:
            TooMany: As many as may fail are under way, or failed.
        """
        key = network_of(place) if place else ""
        with self._lock:
            left = self._limiter.get_window_stats(FAILED_PER_PLACE, key).remaining if key else 1
            under_way = self._under_way[key] if key else 0
            if left <= under_way:
                wait_s = UNDER_WAY_S if left > 0 else self._wait_s(FAILED_PER_PLACE, key)
                raise TooMany("too many tries", retry_after_s=wait_s)
            self._under_way[key] += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way[key] -= 1
                if not self._under_way[key]:
                    del self._under_way[key]

    def failed(self, place: str) -> None:
        """Note that a try failed; of one that is held, before it is let go."""
        if place:
            self._limiter.hit(FAILED_PER_PLACE, network_of(place))

    def forgive(self, account: str) -> None:
        """Forget the tries at an account: its owner came in."""
        self._limiter.clear(PER_ACCOUNT, key_of(account.strip().lower()))

    def _wait_s(self, item: RateLimitItem, key: str) -> int:
        return max(1, math.ceil(self._limiter.get_window_stats(item, key).reset_time - time.time()))


def network_of(address: str) -> str:
    """Return what of an address one machine may have all of."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address) and not known.ipv4_mapped:
        return str(ipaddress.ip_network((known, 64), strict=False))
    return str(known)
