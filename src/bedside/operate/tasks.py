"""Replays under way: one thread each, with progress, bounded in number and in time kept.

Lives as long as the process: a replay only reads, so one that is lost by a restart is begun again.
"""

import secrets
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bedside.errors import BedsideError, Cancelled, NotFound, UsageError, known_name
from bedside.operate.replay import Line

#: So many run at once; each reads studies as fast as the store gives them.
AT_ONCE = 2
#: So many are kept; the oldest that has ended goes.
KEPT = 20


class TaskState(StrEnum):
    """Where a replay stands."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(slots=True)
class ReplayTask:
    """One replay. Not frozen: its thread writes, others read.

    Attributes:
        id: Unguessable.
        owner: Who began it.
        total: Studies to look at.
        begun_at: When.
        rules_text: The changed rules.
        state: Where it stands.
        done: Studies looked at.
        lines: What was found so far.
        problem: Why it failed, or empty.
        error: The kind of that: a class name of `bedside.errors.BY_NAME`, or empty.
    """

    id: str
    owner: str
    total: int
    begun_at: datetime
    rules_text: str
    state: TaskState = TaskState.RUNNING
    done: int = 0
    lines: list[Line] = field(default_factory=list)
    problem: str = ""
    error: str = ""
    _stopping: bool = False

    def stop(self) -> None:
        """Ask it to end after the study in hand."""
        self._stopping = True

    def advance(self, done: int) -> None:
        """Note progress.

        Raises:
            Cancelled: It was asked to end.
        """
        self.done = done
        if self._stopping:
            raise Cancelled("replay stopped")


#: Makes the lines of a replay, and tells how many studies are done.
Work = Callable[[Callable[[int], None]], Iterator[Line]]


class ReplayTasks:
    """Begins replays and finds them again. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: dict[str, ReplayTask] = {}

    def begin(self, work: Work, *, owner: str, total: int, now: datetime, rules_text: str) -> ReplayTask:
        """Begin a replay in a thread of its own.

        Raises:
            UsageError: Too many run already.
        """
        task = ReplayTask(
            id=secrets.token_urlsafe(12), owner=owner, total=total, begun_at=now, rules_text=rules_text
        )
        with self._lock:
            running = [one for one in self._tasks.values() if one.state is TaskState.RUNNING]
            if len(running) >= AT_ONCE:
                raise UsageError(f"{len(running)} replays run already", hint="wait for one, or stop one")
            ended = [one for one in self._tasks.values() if one.state is not TaskState.RUNNING]
            for old in ended[: max(0, len(self._tasks) - KEPT + 1)]:
                del self._tasks[old.id]
            self._tasks[task.id] = task
        threading.Thread(target=_run, args=(task, work), name="replay", daemon=True).start()
        return task

    def of(self, owner: str) -> list[ReplayTask]:
        """Return somebody's replays, newest first."""
        with self._lock:
            return [task for task in reversed(self._tasks.values()) if task.owner == owner]

    def find(self, task_id: str, owner: str) -> ReplayTask:
        """Return somebody's replay.

        Raises:
            NotFound: They have none of that id.
        """
        with self._lock:
            task = self._tasks.get(task_id)
        if task is None or task.owner != owner:
            raise NotFound("no such replay", hint="replays are forgotten when the portal restarts")
        return task


def _run(task: ReplayTask, work: Work) -> None:
    try:
        for line in work(task.advance):
            task.lines.append(line)
    except Cancelled:
        task.state = TaskState.STOPPED
    except BedsideError as failed:
        task.problem, task.error, task.state = failed.message, known_name(failed), TaskState.FAILED
    except Exception as surprise:  # noqa: BLE001 - a thread that dies unseen would leave its progress standing
        traceback.print_tb(surprise.__traceback__)  # without the message, which may quote a header
        task.problem, task.error = f"unexpected {type(surprise).__name__}", BedsideError.__name__
        task.state = TaskState.FAILED
    else:
        task.state = TaskState.DONE
