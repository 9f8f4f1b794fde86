"""A worker brings promoted releases beside its job, each once, and is not stopped by one that is missing."""

import threading

from bedside.adapters.memory.clock import ManualClock
from bedside.adapters.memory.ledger import MemoryLedger
from bedside.domain.release import Promotion, Role
from bedside.errors import Unavailable
from bedside.worker.lookout import AGAIN_S, LOOK_S, Lookout
from ledger_samples import make_promotion


def test_each_release_is_brought_once_while_the_caller_goes_on() -> None:
    ledger, clock, brought = MemoryLedger(), ManualClock(), []
    may_go_on = threading.Event()

    def bring(promotion: Promotion) -> None:
        assert may_go_on.wait(30)
        brought.append(promotion.digest[-1])

    lookout = Lookout(ledger=ledger, bring=bring, clock=clock)
    for digit, role in (("a", Role.CURRENT), ("b", Role.SHADOW), ("a", Role.CANARY), ("", Role.CANARY)):
        ledger.add_promotion(make_promotion(digit, role=role))
    lookout.look()
    assert brought == []
    may_go_on.set()
    assert lookout.wait(30)
    assert brought == ["a", "b"]

    ledger.add_promotion(make_promotion("c"))
    lookout.look()
    assert lookout.wait(30) and brought == ["a", "b"], "not at every call"
    clock.sleep(LOOK_S)
    lookout.look()
    assert lookout.wait(30) and brought == ["a", "b", "c"]


def test_what_cannot_be_brought_is_told_and_tried_again_later() -> None:
    ledger, clock, lines = MemoryLedger(), ManualClock(), []
    failures = iter([True])

    def bring(promotion: Promotion) -> None:
        if promotion.digest.endswith("a") and next(failures, False):
            raise Unavailable("registry: not there")

    def log(action: str, /, **fields: object) -> None:
        lines.append((action, str(fields["release"])[-1]))

    lookout = Lookout(ledger=ledger, bring=bring, clock=clock, log=log)
    ledger.add_promotion(make_promotion("a"))
    ledger.add_promotion(make_promotion("b", stage="second"))
    for wait_s in (0.0, LOOK_S, AGAIN_S, AGAIN_S):
        clock.sleep(wait_s)
        lookout.look()
        assert lookout.wait(30)
    assert lines == [("release.missing", "a"), ("release.here", "b"), ("release.here", "a")]
