"""Several blobs at once, from the moment they are known: the first error stops the rest, as a person does."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from functools import partial
from types import TracebackType
from typing import Self

from bedside.errors import Cancelled
from bedside.oci.parts import Assembled, Part
from bedside.oci.registry.registries import Registries


class Parallel:
    """Does something with blobs, each once, several at once; use it with ``with``.

    Args:
        registries: Say how many at once.
        action: Done with each; looks at ``stop`` now and then.
        stop: Set on an error, and when the ``with`` block ends.
    """

    def __init__(self, registries: Registries, action: Callable[[Part], None], stop: threading.Event) -> None:
        self._registries = registries
        self._action = action
        self._stop = stop
        self._pool = ThreadPoolExecutor(registries.options.parallel, thread_name_prefix="bedside-registry")
        self._begun: dict[str, Future[None]] = {}

    def start(self, *parts: Part) -> None:
        """Begin with blobs that were not begun yet, the longest first; raises as `finish` after an error."""
        if self._stop.is_set():
            self.finish()
        for part in sorted(parts, key=lambda part: -part.descriptor.size_bytes):
            self.also(part.descriptor.digest, partial(self._action, part))

    def also(self, name: str, action: Callable[[], object]) -> None:
        """Begin with something under a name, unless it was begun; its error is one like theirs."""
        if name not in self._begun:
            self._begun[name] = self._pool.submit(self._do, name, action)

    def finish(self) -> None:
        """Wait until all that were begun are done.

        Raises:
            BedsideError: The first error; what it stopped has no story of its own.
        """
        done, waiting = wait(self._begun.values(), return_when=FIRST_EXCEPTION)
        failed = _errors(done)
        if waiting:
            self._stop.set()
            self._pool.shutdown(wait=True, cancel_futures=True)
            failed += _errors(waiting)
        for error in sorted(failed, key=lambda one: isinstance(one, Cancelled)):
            raise error

    def _do(self, name: str, action: Callable[[], object]) -> None:
        if self._stop.is_set():
            raise Cancelled(f"{name}: stopped")
        try:
            action()
        except BaseException:
            self._stop.set()  # at once: whoever began this may be busy for long before it asks
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self._registries.close()  # nobody waits for another try any more
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)


def _errors(futures: Iterable[Future[None]]) -> list[BaseException]:
    ended = (future.exception() for future in futures if not future.cancelled())
    return [error for error in ended if error is not None]


def for_each_part(
    assembled: Assembled, registries: Registries, action: Callable[[Part], None], stop: threading.Event
) -> None:
    """Do something with every blob of a container image, as `Parallel` does it, and wait for the end."""
    with Parallel(registries, action, stop) as parallel:
        parallel.start(*all_parts(assembled))
        parallel.finish()


def all_parts(assembled: Assembled) -> Iterator[Part]:
    """Yield the blobs of a container image and of its members."""
    yield from assembled.parts
    for member in assembled.members:
        yield from all_parts(member)
