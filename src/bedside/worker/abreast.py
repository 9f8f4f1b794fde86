"""Many small calls of a store at once: where each is a request over a network, a study has hundreds.

Owns no more than the order: answers stand as the items did, and after an error nothing new is begun.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

#: Calls at once, unless the caller knows better. A big object may take several connections of its own.
THREADS = 8

T = TypeVar("T")
R = TypeVar("R")


def abreast(
    do: Callable[[T], R],
    items: Iterable[T],
    *,
    after: Callable[[], None] = lambda: None,
    threads: int = THREADS,
) -> list[R]:
    """Call ``do`` with each item, several at once; return the answers in the items' order.

    Args:
        do: May be called from any thread.
        items: What to call it with.
        after: Called from this thread after each answer. What it raises ends the rest.
        threads: How many at once.

    Raises:
        Exception: The first that ``do`` raised, in the items' order; calls under way are waited for.
    """
    answers: list[R] = []
    with ThreadPoolExecutor(threads) as pool:
        waiting = [pool.submit(do, item) for item in items]
        try:
            for each in waiting:
                answers.append(each.result())
                after()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return answers
