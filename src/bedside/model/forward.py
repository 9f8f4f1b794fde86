"""Runs the network over a study: progress window by window, and less memory when it runs out.

Owns the answer to "out of memory": a smaller ``sw_batch_size`` down to 1, then stitching in the
machine's memory, then `OutOfMemory`. It refuses to touch the region of interest, its overlap or blending:
those would change the mask. What was used is reported, because a run that needed help should be visible.
"""

import gc
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from bedside.errors import OutOfMemory

Progress = Callable[[str, float], None]
_OOM_WORDS = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")


class Windows(nn.Module):
    """A network that counts its calls and may be run by another engine.

    Inferers see it as the network itself.
    """

    def __init__(self, network: nn.Module, run: Callable[..., Any] | None = None) -> None:
        super().__init__()
        self.network = network
        self.run = run
        self.calls = 0
        self.total = 0
        self.progress: Progress | None = None

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run one batch of windows, then say how far the study is."""
        result = (self.run or self.network)(*args, **kwargs)
        self.calls += 1
        if self.progress:
            self.progress("forward", min(1.0, self.calls / max(self.total, self.calls, 1)))
        return result

    def see(self, item: Any) -> None:
        """Show a whole prepared study to an engine that wants to see it before its windows."""
        look = getattr(self.run, "see", None)
        if look is not None:
            look(item)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("network"), name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How a prediction was made.

    Attributes:
        windows: Calls of the network.
        sw_batch_size: Windows per call, or 0 where the inferer has no windows.
        stitched_on: Device type where windows were put together.
        retries: Settings that ran out of memory before.
    """

    windows: int
    sw_batch_size: int
    stitched_on: str
    retries: int


def is_out_of_memory(exc: BaseException) -> bool:
    """Return whether an error, or what MONAI wrapped in it, says that memory ran out."""
    if isinstance(exc, (MemoryError, torch.OutOfMemoryError)):
        return True
    if isinstance(exc, RuntimeError) and any(word in str(exc).lower() for word in _OOM_WORDS):
        return True
    return exc.__cause__ is not None and is_out_of_memory(exc.__cause__)


def predict(
    inferer: Any,
    windows: Windows,
    inputs: torch.Tensor,
    call: Callable[[], Any],
    *,
    progress: Progress | None,
) -> tuple[Any, Effort]:
    """Run a prediction, with less memory for as long as it runs out.

    Args:
        inferer: MONAI's, as the bundle configured it; its memory options are set for each try.
        windows: The network that ``call`` runs.
        inputs: (1, channels, i, j, k) on the network's device.
        call: Makes the prediction.
        progress: Told ``("forward", fraction)``.

    Returns:
        What ``call`` gave, and how it was made.

    Raises:
        OutOfMemory: Also the last setting ran out.
    """
    tried = 0
    for batch, stitched_on in _settings(inferer, inputs):
        windows.calls, windows.progress = 0, progress
        windows.total = _calls(inferer, inputs, batch)
        with _configured(inferer, batch, stitched_on, inputs.device):
            try:
                result = call()
            except (RuntimeError, MemoryError) as exc:
                if not is_out_of_memory(exc):
                    raise
            else:
                effort = Effort(
                    windows=windows.calls, sw_batch_size=batch, stitched_on=stitched_on, retries=tried
                )
                return result, effort
        tried += 1
        _release_memory()
    raise OutOfMemory(
        f"out of memory on {inputs.device.type}: {tuple(inputs.shape[2:])} voxels after {tried} settings, "
        "the last with one window at a time",
        hint="run it on a machine with more memory: bedside doctor shows what this one has",
    )


@contextmanager
def inference(amp: Mapping[str, Any] | None) -> Iterator[None]:
    """No gradients, and mixed precision where the evaluator asks for it.

    Args:
        amp: Arguments of ``torch.autocast("cuda")``, or None. MONAI's evaluators cast on CUDA only.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        if amp is not None and torch.cuda.is_available():
            stack.enter_context(torch.autocast("cuda", **amp))
        yield


def _settings(inferer: Any, inputs: torch.Tensor) -> Iterator[tuple[int, str]]:
    """Yield (windows per call, device type of stitching), from the bundle's own to the smallest."""
    own = getattr(inferer, "device", None)
    stitched_on = torch.device(own).type if own else inputs.device.type
    batch = getattr(inferer, "sw_batch_size", 0)
    batch = batch if isinstance(batch, int) else 0
    yield batch, stitched_on
    while batch > 1:
        batch //= 2
        yield batch, stitched_on
    if batch and stitched_on != "cpu":
        yield batch, "cpu"


@contextmanager
def _configured(inferer: Any, batch: int, stitched_on: str, device: torch.device) -> Iterator[None]:
    """Set an inferer's memory options for one try; a bundle's own values come back afterwards."""
    if not batch:
        yield
        return
    before = (inferer.sw_batch_size, getattr(inferer, "device", None), getattr(inferer, "sw_device", None))
    inferer.sw_batch_size = batch
    if stitched_on == "cpu" and device.type != "cpu":
        inferer.device = torch.device("cpu")
        inferer.sw_device = inferer.sw_device or device
    try:
        yield
    finally:
        inferer.sw_batch_size, inferer.device, inferer.sw_device = before


def _calls(inferer: Any, inputs: torch.Tensor, batch: int) -> int:
    """Return how often a sliding window inferer will call the network; 1 for any other."""
    roi = getattr(inferer, "roi_size", None)
    if roi is None or not batch:
        return 1
    size = inputs.shape[2:]
    rois = [roi] * len(size) if isinstance(roi, int) else list(roi)
    overlap = getattr(inferer, "overlap", 0.25)
    overlaps = list(overlap) if isinstance(overlap, (list, tuple)) else [overlap] * len(size)
    count = 1
    for length, window, share in zip(size, rois, overlaps, strict=False):
        window = window if window and window > 0 else length
        step = max(1, int(window * (1 - share)))
        count *= math.ceil(max(0, length - window) / step) + 1
    return math.ceil(count * inputs.shape[0] / batch)


def _release_memory() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
