"""A lease kept alive, also while the ledger is out of reach for a while."""

from datetime import datetime
from pathlib import Path

import pytest

from bedside.adapters.memory.ledger import MemoryLedger
from bedside.domain.job import Lease
from bedside.errors import StaleLease, Unavailable
from bedside.worker.heartbeat import Heartbeat
from bedside.worker.stop import Stop, Stopping
from unit.worker.workshop import Workshop


class Shaky(MemoryLedger):
    """A ledger that can be out of reach."""

    out_of_reach = False
    beats = 0

    def extend(self, lease: Lease, *, now: datetime, lease_s: float, progress: float, doing: str) -> Lease:
        if self.out_of_reach:
            raise Unavailable("ledger: database is locked")
        self.beats += 1
        return super().extend(lease, now=now, lease_s=lease_s, progress=progress, doing=doing)


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path, ledger=Shaky())


def heartbeat(shop: Workshop, *, lease_s: float = 60) -> Heartbeat:
    shop.submit()
    lease = shop.ledger.lease(pools=["default"], worker="w1", now=shop.clock.now(), lease_s=lease_s)
    assert lease is not None
    return Heartbeat(shop.ledger, lease, lease_s=lease_s, clock=shop.clock, stop=shop.stop)


def test_a_call_each_second_is_a_write_every_other(shop: Workshop) -> None:
    beat = heartbeat(shop)
    for _ in range(10):
        shop.clock.sleep(1)
        beat.beat("forward", 0.5)
    assert isinstance(shop.ledger, Shaky)
    assert shop.ledger.beats == 5


def test_a_short_lease_beats_faster(shop: Workshop) -> None:
    beat = heartbeat(shop, lease_s=3)
    for _ in range(10):
        shop.clock.sleep(1)
        beat.beat("forward", 0.5)
        assert shop.ledger.expire(shop.clock.now()) == []


def test_an_absence_of_the_ledger_is_endured_as_long_as_the_lease(shop: Workshop) -> None:
    beat = heartbeat(shop)
    assert isinstance(shop.ledger, Shaky)
    shop.ledger.out_of_reach = True
    for _ in range(59):
        shop.clock.sleep(1)
        beat.beat("forward", 0.5)
    shop.ledger.out_of_reach = False
    shop.clock.sleep(0.9)
    beat.beat("forward", 0.6)
    assert beat.lease.until > shop.clock.now()
    shop.ledger.out_of_reach = True
    with pytest.raises(StaleLease, match="ran out while the ledger was out of reach"):
        for _ in range(100):
            shop.clock.sleep(1)
            beat.beat("forward", 0.7)


def test_a_confirmation_is_a_write_or_an_error(shop: Workshop) -> None:
    beat = heartbeat(shop)
    assert isinstance(shop.ledger, Shaky)
    assert beat.confirm().until > shop.clock.now()
    assert shop.ledger.beats == 1
    shop.ledger.out_of_reach = True
    with pytest.raises(Unavailable):
        beat.confirm()


def test_the_end_of_the_grace_ends_the_work(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, stop=Stop(grace_s=0), ledger=Shaky())
    beat = heartbeat(shop)
    beat.beat("forward", 0.5)
    shop.stop.request()
    with pytest.raises(Stopping):
        beat.beat("forward", 0.5)
