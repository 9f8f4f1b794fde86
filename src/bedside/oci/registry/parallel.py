"""Several blobs at once, from the moment they are known: the first error stops the rest, as a person does."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
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
            if part.descriptor.digest not in self._begun:
                self._begun[part.descriptor.digest] = self._pool.submit(self._do, part)

    def finish(self) -> None:
        """Wait until all that were begun are done.

        Raises:
            BedsideError: The first error; what it stopped has no story of its own.
        """
        done, waiting = wait(self._begun.values(), return_when=FIRST_EXCEPTION)
        if waiting:
            self._stop.set()
            self._pool.shutdown(wait=True, cancel_futures=True)
            done = {future for future in self._begun.values() if not future.cancelled()}
        failed = [error for future in done if (error := future.exception()) is not None]
        for error in sorted(failed, key=lambda one: isinstance(one, Cancelled)):
            raise error

    def _do(self, part: Part) -> None:
        if self._stop.is_set():
            raise Cancelled(f"blob {part.descriptor.digest}: stopped")
        try:
            self._action(part)
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
