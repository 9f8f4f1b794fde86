"""What moves to registries while ``bedside package`` works, as one line for a person."""

from collections.abc import Callable

from bedside.oci.registry.progress import Progress, Step


class Moving:
    """What moves to the registries; said from when nothing else is to be said."""

    def __init__(self, say: Callable[[str, float | None], None]) -> None:
        self._say = say
        self._aloud = False
        self._moved: dict[str, tuple[int, int]] = {}

    def begin(self) -> None:
        """Say from now on."""
        self._say("publishing", None)
        self._aloud = True

    def tell(self, progress: Progress) -> None:
        """Take note of one blob's progress."""
        size = progress.descriptor.size_bytes
        done = progress.done_bytes if progress.step is Step.MOVING else size
        self._moved[progress.descriptor.digest] = (done, size)
        if not self._aloud:
            return
        whole = sum(total for _, total in self._moved.values())
        sent = sum(part for part, _ in self._moved.values())
        # The same words while the share grows: where nobody watches, each change of words is a line.
        self._say(f"publishing {whole / 1e6:.0f} MB", sent / whole if whole else None)
