"""Bundle stages: studies go to a warm child that keeps the model loaded."""

import itertools
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bedside.adapters.process.warm import Gone, WarmChild
from bedside.domain.identity import digest
from bedside.domain.pipeline import Stage
from bedside.errors import ConfigError, ModelFailed
from bedside.ports import Outcome, Progress, Task
from bedside.runtime import protocol

#: The longest silence towards the caller, who beats its lease on every call.
TICK_S = 1.0

#: From hello's absence to the child's end; Python starts in a fraction of it on a busy machine.
HELLO_S = 60.0

#: From a cancellation to the child's end, where it is deep in one step of the model.
CANCEL_S = 5.0

#: From bye to the child's end.
BYE_S = 2.0

#: Settings of a stage that belong to the session: children that differ in them are different.
SESSION_SETTINGS = ("precision", "engine", "tolerance_dice")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildOptions:
    """What all children of a runner have in common.

    Attributes:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        threads: CPU threads of a model; 0 is all cores.
        warm: Models kept loaded; the least recently used goes first.
    """

    device: str = "auto"
    threads: int = 0
    warm: int = 2


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
        self._options = options
        self._children: OrderedDict[str, WarmChild] = OrderedDict()
        self._ids = itertools.count(1)

    def warm_up(self, stage: Stage) -> None:
        """Start a stage's child, so that the model loads while the caller prepares the study."""
        self._child(stage)

    def pids(self) -> tuple[int, ...]:
        """Return the process ids of the warm children."""
        return tuple(child.pid for child in self._children.values())

    def run(self, task: Task, progress: Progress) -> Outcome:
        """Run one stage to its end. See `bedside.ports.ModelRunner.run`."""
        key, child = self._child(task.stage)
        run = protocol.Run(
            id=str(next(self._ids)),
            request=protocol.request_to_json(task.request),
            input=str(task.input),
            output=str(task.output),
        )
        outcome: protocol.Result | protocol.Error | None = None
        try:
            outcome = self._converse(child, run, task.stage, progress)
        except BaseException:
            if not self._stopped(child, run.id):
                self._discard(key)
            raise
        if isinstance(outcome, protocol.Error):
            raise outcome.to_exception()
        return Outcome(
            report=outcome.report,
            timings_s={name: float(str(seconds)) for name, seconds in outcome.timings_s.items()},
        )

    def close(self) -> None:
        """End warm children."""
        for child in self._children.values():
            child.close(BYE_S)
        self._children.clear()

    def _child(self, stage: Stage) -> tuple[str, WarmChild]:
        """Return the warm child of a stage, started where there is none."""
        chosen = {name: stage.settings[name] for name in SESSION_SETTINGS if name in stage.settings}
        options = {"device": self._options.device, "threads": self._options.threads, **chosen}
        key = digest([stage.release, options])
        child = self._children.get(key)
        if child is not None and not child.alive:
            self._discard(key)
            child = None
        if child is None:
            child = WarmChild(
                bundle=self._bundles(stage.release),
                release=stage.release,
                options=options,
                scratch=self._scratch,
                environment=self._environment,
            )
            self._children[key] = child
        self._children.move_to_end(key)
        while len(self._children) > self._options.warm:
            self._children.popitem(last=False)[1].close(BYE_S)
        return key, child

    def _converse(
        self, child: WarmChild, run: protocol.Run, stage: Stage, progress: Progress
    ) -> protocol.Result | protocol.Error:
        """Send a run and wait for its answer, calling ``progress`` at least every `TICK_S`."""
        begun = time.monotonic()
        doing, fraction = "start", 0.0
        if child.greeted:
            child.send(run)
        while True:
            waited = time.monotonic() - begun
            if waited > stage.timeout_s:
                raise ModelFailed(
                    f"stage {stage.name}: not done after {stage.timeout_s:g} s, at {doing}",
                    hint="set timeout_s of the stage in bedside.toml higher",
                )
            if not child.greeted and waited > HELLO_S:
                raise ModelFailed(f"stage {stage.name}: the model's process said no hello for {HELLO_S:g} s")
            match child.receive(min(TICK_S, stage.timeout_s - waited)):
                case protocol.Hello():
                    child.send(run)
                case protocol.Result() | protocol.Error() as answer if answer.id == run.id:
                    return answer
                case protocol.Progress() as moved if moved.id == run.id:
                    doing, fraction = moved.doing, moved.fraction
                case Gone():
                    raise child.spawned.death(f"stage {stage.name} at {doing}")
                case _:
                    pass
            progress(doing, fraction)

    def _stopped(self, child: WarmChild, run: str) -> bool:
        """Ask a child to stop a run; say whether it did and can be used again."""
        if not child.greeted or not child.alive:
            return False
        child.send(protocol.Cancel(id=run))
        until = time.monotonic() + CANCEL_S
        while (left := until - time.monotonic()) > 0:
            try:
                answer = child.receive(left)
            except (ModelFailed, ConfigError):
                return False
            if isinstance(answer, protocol.Result | protocol.Error) and answer.id == run:
                return True
            if isinstance(answer, Gone):
                return False
        return False

    def _discard(self, key: str) -> None:
        self._children.pop(key).spawned.end()
