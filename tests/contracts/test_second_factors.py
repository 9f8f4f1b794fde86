"""What every list of second factors keeps to: one an account, each code once, also among many at once."""

import inspect
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete

from bedside.adapters.memory.second_factors import MemorySecondFactors
from bedside.adapters.sql import SqlLedger
from bedside.adapters.sql.schema import metadata
from bedside.adapters.sql.second_factors import SqlSecondFactors
from bedside.domain.second_factor import SecondFactor
from bedside.ports.second_factors import SecondFactors
from contracts.test_ledger import KINDS, on_postgresql  # noqa: F401 - a fixture
from ledger_samples import T0, at

FACTOR = SecondFactor(account="a1", secret="JBSWY3DPEHPK3PXP", made_at=T0)  # pragma: allowlist secret
CODES = ("h1", "h2", "h3")


@pytest.fixture(params=[kind for kind in KINDS if kind != "memory that hints"])
def factors(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SecondFactors]:
    if request.param == "memory":
        yield MemorySecondFactors()
        return
    if request.param == "postgresql":
        shared: SqlLedger = request.getfixturevalue("on_postgresql")
        with shared._database.write() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(delete(table))
        yield shared.records.second_factors
        return
    made = SqlLedger(f"sqlite:///{tmp_path}/ledger.db")
    made.prepare()
    yield made.records.second_factors
    made.close()


@pytest.mark.parametrize("adapter", [MemorySecondFactors, SqlSecondFactors])
def test_adapters_have_the_signatures_of_the_port(adapter: type) -> None:
    methods = {name: method for name, method in vars(SecondFactors).items() if not name.startswith("_")}
    assert len(methods) == 7
    for name, method in methods.items():
        assert inspect.signature(getattr(adapter, name)) == inspect.signature(method), name


def test_one_that_is_not_confirmed_is_replaced_and_a_confirmed_one_is_not(factors: SecondFactors) -> None:
    assert factors.find("a1") is None and not factors.remove("a1")
    assert not factors.confirm("a1", at=at(1), step=5, recovery=CODES)
    assert factors.begin(FACTOR) and factors.begin(
        replace(FACTOR, secret="KRSXG5A")  # pragma: allowlist secret
    )  # pragma: allowlist secret
    assert factors.begin(FACTOR) and factors.find("a1") == FACTOR
    assert not factors.use_step("a1", 9), "it is not asked for yet"
    assert not factors.renew_recovery("a1", CODES)
    assert factors.confirm("a1", at=at(1), step=5, recovery=CODES)
    assert factors.find("a1") == replace(FACTOR, confirmed_at=at(1), last_step=5, recovery=CODES)
    assert not factors.begin(FACTOR) and not factors.confirm("a1", at=at(2), step=6, recovery=())
    assert factors.remove("a1") and factors.find("a1") is None


def test_a_code_is_used_once_and_an_older_one_never(factors: SecondFactors) -> None:
    factors.begin(FACTOR)
    factors.confirm("a1", at=at(1), step=5, recovery=CODES)
    assert not factors.use_step("a1", 5) and factors.use_step("a1", 7)
    assert not factors.use_step("a1", 7) and not factors.use_step("a1", 6) and factors.use_step("a1", 8)
    assert not factors.use_step("a2", 9)


def test_a_recovery_code_is_used_once_and_new_ones_end_the_old(factors: SecondFactors) -> None:
    factors.begin(FACTOR)
    factors.confirm("a1", at=at(1), step=5, recovery=CODES)
    assert factors.use_recovery("a1", "h2") and not factors.use_recovery("a1", "h2")
    assert not factors.use_recovery("a2", "h1")
    found = factors.find("a1")
    assert found is not None and found.recovery == ("h1", "h3")
    assert factors.renew_recovery("a1", ("n1",)) and not factors.use_recovery("a1", "h1")
    assert factors.use_recovery("a1", "n1")


def test_of_many_that_bring_the_same_code_one_comes_in(factors: SecondFactors) -> None:
    factors.begin(FACTOR)
    factors.confirm("a1", at=at(1), step=5, recovery=CODES)
    came: list[str] = []

    def come() -> None:
        if factors.use_step("a1", 9):
            came.append("step")
        if factors.use_recovery("a1", "h1"):
            came.append("recovery")

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(came) == ["recovery", "step"]
