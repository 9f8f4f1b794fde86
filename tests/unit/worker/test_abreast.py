"""Many calls at once: in order, really at once, and no more of them after an error."""

import threading
import time

import pytest

from bedside.worker.abreast import THREADS, abreast


def test_answers_stand_in_the_order_of_the_items() -> None:
    assert abreast(lambda n: n * n, range(100)) == [n * n for n in range(100)]
    assert abreast(str, []) == []


def test_calls_are_under_way_at_once() -> None:
    together = threading.Barrier(THREADS, timeout=10)
    abreast(lambda _: together.wait(), range(THREADS))  # one after another it would never pass


def test_after_an_error_nothing_new_is_begun() -> None:
    begun: list[int] = []

    def do(number: int) -> None:
        begun.append(number)
        time.sleep(0.01)  # long enough that most are still waiting when the first fails
        raise ValueError(str(number))

    with pytest.raises(ValueError, match="0"):
        abreast(do, range(1000))
    assert len(begun) < 500


def test_what_is_called_after_each_may_end_the_rest() -> None:
    main, answered, begun = threading.get_ident(), [], []

    def do(number: int) -> None:
        begun.append(number)
        time.sleep(0.01)

    def after() -> None:
        assert threading.get_ident() == main
        answered.append(1)
        if len(answered) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        abreast(do, range(1000), after=after)
    assert len(answered) == 3
    assert len(begun) < 500
