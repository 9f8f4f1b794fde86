"""Warm children: kept by what they loaded, one conversation at a time.

Owns which children stay, the conversation of a run with its time-out, its cancellation and the
death of the child. Refuses to know how a child is started or what its folders are called inside.
"""

import itertools
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bedside.domain.identity import digest
from bedside.domain.pipeline import Stage
from bedside.errors import ConfigError, ModelFailed
from bedside.ports import Outcome, Progress, Task
from bedside.runtime import protocol
from bedside.worker.children.warm import Gone, WarmChild

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


#: Starts a child for a stage with the options of its session.
Start = Callable[[Stage, Mapping[str, object]], WarmChild]

#: Where a child sees the input and the output folder of the task at hand.
Seen = Callable[[WarmChild], tuple[str, str]]


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


class WarmChildren:
    """The warm children of one worker.

    Not for several threads at once: a worker process has one. A child is started by the calling
    thread and dies with it.

    Args:
        start: Starts a child.
        options: What all children have in common.
    """

    def __init__(self, start: Start, options: ChildOptions) -> None:
        self._start = start
        self._options = options
        self._children: OrderedDict[str, WarmChild] = OrderedDict()
        self._ids = itertools.count(1)

    def warm_up(self, stage: Stage) -> None:
        """Start a stage's child, so that the model loads while the caller prepares the study."""
        self._child(stage)

    def pids(self) -> tuple[int, ...]:
        """Return the process ids of the warm children."""
        return tuple(child.pid for child in self._children.values())

    def all(self) -> tuple[WarmChild, ...]:
        """Return the warm children, the least recently used first."""
        return tuple(self._children.values())

    def run(self, task: Task, progress: Progress, seen: Seen) -> Outcome:
        """Have a warm child run one stage to its end. See `bedside.ports.ModelRunner.run`.

        Args:
            task: The stage and its folders.
            progress: Called at least every `TICK_S`.
            seen: Says where the child sees the task's input and output folders.
        """
        key, child = self._child(task.stage)
        source, target = seen(child)
        run = protocol.Run(
            id=str(next(self._ids)),
            request=protocol.request_to_json(task.request),
            input=source,
            output=target,
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
            child = self._start(stage, options)
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
                    hint="raise timeout_s of the stage in bedside.toml, or --timeout when a MAP is packaged",
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
