"""One runner for all kinds of stages: each kind has its own, made when its first stage comes.

A deployment that runs no MAP needs no container engine, so none is looked for until one does.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from bedside.domain.pipeline import StageKind
from bedside.errors import ConfigError
from bedside.ports import ModelRunner, Outcome, Progress, Task


@runtime_checkable
class Prepares(Protocol):
    """A runner that can be told of a release ahead of its first study."""

    def prepare(self, release: str) -> object:
        """Bring a release to where it runs; may take minutes."""
        ...


class StageRunners:
    """A `bedside.ports.ModelRunner` that picks another by the stage's kind.

    Args:
        makers: Makes the runner of each kind.
    """

    def __init__(self, makers: Mapping[StageKind, Callable[[], ModelRunner]]) -> None:
        self._makers = dict(makers)
        self._made: dict[StageKind, ModelRunner] = {}
        self._lock = threading.Lock()  # a lookout prepares releases from a thread of its own

    def of(self, kind: StageKind) -> ModelRunner:
        """Return the runner of a kind.

        Raises:
            ConfigError: There is none.
            Unavailable: It cannot work here.
        """
        with self._lock:
            if kind not in self._made:
                if kind not in self._makers:
                    raise ConfigError(
                        f"stages of kind {kind.value} cannot be run here", hint="bedside doctor"
                    )
                self._made[kind] = self._makers[kind]()
            return self._made[kind]

    def prepare(self, kind: StageKind, release: str) -> None:
        """Bring a release to where it runs, beside whatever runs now; safe in another thread.

        Raises:
            ConfigError: It is nothing that this kind can run.
            Unavailable: It cannot be brought here now.
        """
        runner = self.of(kind)
        if isinstance(runner, Prepares):
            runner.prepare(release)

    def run(self, task: Task, progress: Progress) -> Outcome:
        """Run one stage to its end. See `bedside.ports.ModelRunner.run`."""
        return self.of(task.stage.kind).run(task, progress)

    def close(self) -> None:
        """End warm children of every kind."""
        for runner in self._made.values():
            runner.close()
