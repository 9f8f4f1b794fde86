"""One runner for all kinds of stages of this machine."""

from bedside.adapters.process.bundle import ChildRunner
from bedside.adapters.process.command import CommandRunner
from bedside.domain.pipeline import StageKind
from bedside.ports import Outcome, Progress, Task


class ProcessRunner:
    """Picks the runner by the stage's kind.

    Args:
        bundles: Runs bundle stages.
        commands: Runs command stages.
    """

    def __init__(self, *, bundles: ChildRunner, commands: CommandRunner) -> None:
        self._bundles = bundles
        self._commands = commands

    def run(self, task: Task, progress: Progress) -> Outcome:
        """Run one stage to its end. See `bedside.ports.ModelRunner.run`."""
        if task.stage.kind is StageKind.COMMAND:
            return self._commands.run(task, progress)
        return self._bundles.run(task, progress)

    def close(self) -> None:
        """End warm children."""
        self._bundles.close()
        self._commands.close()
