"""A warm child: a process that loaded a bundle and waits for studies."""

import contextlib
import queue
import threading
from dataclasses import replace
from typing import BinaryIO, cast

from bedside.errors import BedsideError
from bedside.runtime.protocol import Bye, Hello, Load, Message, agree, encode, read_message
from bedside.worker.children.spawned import Spawned


class Gone:
    """The child closed its end of the pipe."""


class WarmChild:
    """A model's process and its pipe.

    The thread that reads its frames answers hello with load, so that the model loads while the
    worker still unpacks the study.

    Args:
        spawned: The process, its stdin and stdout piped.
        load: What it is told to load; the version of the protocol is filled in.
    """

    def __init__(self, spawned: Spawned, load: Load) -> None:
        self._load = load
        self.spawned = spawned
        self.greeted = False
        self._lock = threading.Lock()
        self._inbox: queue.SimpleQueue[Message | BedsideError | Gone] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="frames", daemon=True).start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.spawned.process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.spawned.wait(0) is None

    def send(self, message: Message) -> None:
        """Write a frame; what became of a child that reads no more is learnt from `receive`."""
        frame = memoryview(encode(message))
        pipe = self.spawned.process.stdin
        assert pipe is not None
        with self._lock, contextlib.suppress(BrokenPipeError, ValueError):
            while frame:
                frame = frame[pipe.write(frame) :]

    def receive(self, seconds: float) -> Message | Gone | None:
        """Return what it says next, or None after ``seconds`` of silence.

        Raises:
            ConfigError: It speaks no version of the protocol that this side speaks.
            ModelFailed: It wrote what is no frame.
        """
        try:
            found = self._inbox.get(timeout=max(seconds, 0.001))
        except queue.Empty:
            return None
        if isinstance(found, BedsideError):
            raise found
        if isinstance(found, Hello):
            self.greeted = True
        return found

    def close(self, grace_s: float) -> None:
        """Say bye, wait a little, end it."""
        self.send(Bye())
        self.spawned.wait(grace_s)
        self.spawned.end()

    def _read(self) -> None:
        pipe = cast(BinaryIO, self.spawned.process.stdout)
        try:
            while (message := read_message(pipe)) is not None:
                if isinstance(message, Hello):
                    self.send(replace(self._load, protocol=agree(message.protocols)))
                self._inbox.put(message)
        except BedsideError as broken:
            self._inbox.put(broken)
        except (OSError, ValueError):
            pass  # the pipe was closed by `Spawned.end` under this thread
        self._inbox.put(Gone())
