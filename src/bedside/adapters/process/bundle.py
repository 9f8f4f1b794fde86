"""Bundle stages: studies go to a warm child that keeps the model loaded."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from bedside.domain.pipeline import Stage
from bedside.ports import Outcome, Progress, Task
from bedside.runtime.child import PARENT_VARIABLE
from bedside.runtime.protocol import Load
from bedside.worker.children.spawned import Spawned
from bedside.worker.children.warm import WarmChild
from bedside.worker.children.warmth import ChildOptions, WarmChildren

__all__ = ["ChildOptions", "ChildRunner"]


class ChildRunner:
    """Runs bundle stages in warm children, one study at a time.

    Not for several threads at once: a worker process has one. A child is started by the calling
    thread and dies with it.

    Args:
        bundles: Gives the folder of a release by its digest.
        scratch: Where children's private homes are made.
        environment: The worker's, scrubbed before a child sees it.
        options: What all children have in common.
    """

    def __init__(
        self,
        *,
        bundles: Callable[[str], Path],
        scratch: Path,
        environment: Mapping[str, str],
        options: ChildOptions,
    ) -> None:
        self._bundles = bundles
        self._scratch = scratch
        self._environment = environment
        self._children = WarmChildren(self._start, options)

    def warm_up(self, stage: Stage) -> None:
        """Start a stage's child, so that the model loads while the caller prepares the study."""
        self._children.warm_up(stage)

    def pids(self) -> tuple[int, ...]:
        """Return the process ids of the warm children."""
        return self._children.pids()

    def run(self, task: Task, progress: Progress) -> Outcome:
        """Run one stage to its end. See `bedside.ports.ModelRunner.run`."""
        return self._children.run(task, progress, lambda _: (str(task.input), str(task.output)))

    def close(self) -> None:
        """End warm children."""
        self._children.close()

    def _start(self, stage: Stage, options: Mapping[str, object]) -> WarmChild:
        bundle = self._bundles(stage.release)
        spawned = Spawned(
            [sys.executable, "-P", "-m", "bedside.runtime"],  # -P: the bundle's folder is not importable
            environment=self._environment,
            extra={PARENT_VARIABLE: str(os.getpid())},
            scratch=self._scratch,
            piped=True,
        )
        return WarmChild(
            spawned, Load(protocol=0, bundle=str(bundle), release=stage.release, options=options)
        )
