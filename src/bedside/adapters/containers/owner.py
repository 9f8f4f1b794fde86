"""Whose container this is: a mark that tells a living worker from a dead one.

Owns the mark's form: boot, process namespace, process id, start time. A process id alone comes again,
and another namespace's cannot be looked up from here; a container whose mark says nothing of this
machine's present is left alone, unless the machine has been started anew since.
"""

import os
from pathlib import Path

#: The label that carries the mark.
LABEL = "org.bedside.owner"


def mark() -> str:
    """Return the mark of this process."""
    return f"{_boot()}:{_namespace()}:{os.getpid()}:{_started(os.getpid())}"


def gone(text: str) -> bool:
    """Say whether the process of a mark has certainly ended."""
    parts = text.split(":")
    if len(parts) != 4 or not parts[2].isdigit():
        return False
    boot, namespace, pid, started = parts
    if boot != _boot():
        return bool(boot and _boot())
    return namespace == _namespace() and _started(int(pid)) != started


def _boot() -> str:
    return _text("/proc/sys/kernel/random/boot_id")


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return when a process began, in ticks since boot, or ``""`` where there is none."""
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 and fields[0] != "Z" else ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
