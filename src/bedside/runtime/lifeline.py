"""A child dies with its parent, whatever happens to the parent.

Linux only (``prctl(2)`` PR_SET_PDEATHSIG); elsewhere it does nothing, and the closed pipe to the
parent is what ends a child. The signal comes when the *thread* that started the child ends, which
is why children are started from threads that live as long as they do. Imports nothing of bedside:
the launcher of command stages runs it alone.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int, sign: int = signal.SIGKILL) -> None:
    """Ask the kernel for a signal when the parent dies; end now if it is dead already.

    Args:
        parent: The parent's process id, or 0 where it cannot be seen (another PID namespace).
        sign: The signal.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(sign), 0, 0, 0)
    if parent and os.getppid() != parent:
        os._exit(128 + sign)


def bind_forks() -> None:
    """Make every process forked from this one die with it, e.g. those of a codec's pool."""
    os.register_at_fork(after_in_child=lambda: die_with_parent(0))


def launch(arguments: list[str]) -> None:
    """Bind this process to the parent named first, and become the program named after it."""
    die_with_parent(int(arguments[0]))
    os.execvp(arguments[1], arguments[1:])  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    launch(sys.argv[1:])
