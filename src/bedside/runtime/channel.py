"""The child's end of the pipe: stdin and stdout kept for frames, whatever the bundle prints.

Owns three threads' worth of rules: one reads frames and answers pings, so that a ping is answered
and a cancellation seen while the model computes; when the pipe closes the process ends at once,
because nobody is left to read a result. A ``print`` in a bundle goes to stderr, and a bundle that
reads stdin finds it empty: neither can corrupt a frame.
"""

import os
import queue
import sys
import threading
from typing import BinaryIO

from bedside.errors import Cancelled, ModelFailed
from bedside.runtime.protocol import Bye, Cancel, Load, Message, Ping, Pong, Run, encode, read_message


class Channel:
    """Frames to and from the worker.

    Args:
        source: Where frames come from.
        sink: Where frames go.
    """

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source = source
        self._sink = sink
        self._lock = threading.Lock()
        self._inbox: queue.SimpleQueue[Load | Run | Bye] = queue.SimpleQueue()
        self._cancelled: set[str] = set()

    @classmethod
    def of_this_process(cls) -> "Channel":
        """Take this process's stdin and stdout for frames, and point them elsewhere for all others."""
        source = os.fdopen(os.dup(0), "rb")
        sink = os.fdopen(os.dup(1), "wb", buffering=0)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        return cls(source, sink)

    def start(self) -> None:
        """Begin to read frames."""
        threading.Thread(target=self._read, name="frames", daemon=True).start()

    def send(self, message: Message) -> None:
        """Write one frame whole; the process ends where nobody reads it."""
        frame = memoryview(encode(message))
        with self._lock:
            try:
                while frame:
                    frame = frame[self._sink.write(frame) :]
            except BrokenPipeError:
                os._exit(0)

    def receive(self) -> Load | Run | Bye:
        """Wait for the next thing to do."""
        return self._inbox.get()

    def check(self, run: str) -> None:
        """Raise `Cancelled` where the worker asked to stop this run."""
        if run in self._cancelled:
            raise Cancelled("the worker asked to stop")

    def forget(self, run: str) -> None:
        """Drop what is remembered of a run that ended."""
        self._cancelled.discard(run)

    def _read(self) -> None:
        try:
            while (message := read_message(self._source)) is not None:
                self._sort(message)
        except ModelFailed as broken:
            print(broken.message, file=sys.stderr)  # noqa: T201 - the worker keeps the last lines
            os._exit(ModelFailed.exit_code)
        os._exit(0)  # not sys.exit: the main thread may be deep in the model for minutes

    def _sort(self, message: Message) -> None:
        match message:
            case Ping():
                self.send(Pong(nonce=message.nonce))
            case Cancel():
                self._cancelled.add(message.id)
            case Load() | Run() | Bye():
                self._inbox.put(message)
            case _:
                raise ModelFailed(f"protocol: a worker does not send {type(message).__name__.lower()}")
