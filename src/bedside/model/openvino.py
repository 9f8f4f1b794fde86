"""Runs a network's forward pass by OpenVINO, on the CPU.

Owns the conversion, made once per window shape when the first window comes (only then is its shape
known). It refuses CUDA and networks that OpenVINO cannot convert.
"""

import importlib.util
from typing import Any

import torch
from torch import nn

from bedside.errors import ConfigError

_INSTALL = 'pip install "bedside[openvino]"'


class OpenVinoRunner:
    """A network's forward pass, converted for this machine's CPU.

    Args:
        network: In evaluation mode, with its weights.
        precision: ``fp32`` or ``bf16``.
        device: Must be the CPU.
    """

    def __init__(self, network: nn.Module, *, precision: str, device: torch.device) -> None:
        if device.type != "cpu":
            raise ConfigError("engine openvino: runs on the CPU only", hint='set engine = "torch"')
        if importlib.util.find_spec("openvino") is None:
            raise ConfigError("engine openvino: not installed", hint=_INSTALL)
        self._network = network
        self._precision = precision
        self._queues: dict[tuple[int, ...], Any] = {}

    def __call__(self, windows: torch.Tensor) -> torch.Tensor:
        """Run one batch of windows (windows, channels, i, j, k), float32, each by itself, some at a time."""
        windows = windows.detach()
        queue = self._queues.get(tuple(windows.shape[1:]))
        if queue is None:
            queue = self._queues[tuple(windows.shape[1:])] = self._convert(windows)
        outputs: list[torch.Tensor] = [torch.empty(0)] * len(windows)

        def keep(request: Any, index: int) -> None:
            outputs[index] = torch.from_numpy(request.get_output_tensor(0).data.copy())

        queue.set_callback(keep)
        for index, window in enumerate(windows):
            queue.start_async({0: window[None].contiguous().numpy()}, index)
        queue.wait_all()
        return torch.cat(outputs)

    def _convert(self, windows: torch.Tensor) -> Any:
        """Return a queue of requests for windows of one shape.

        Windows side by side, a few threads each, are faster than all threads on one window, whose small
        deep layers leave most of them idle.
        """
        import openvino  # noqa: PLC0415 - an optional engine

        example = windows[:1].contiguous()
        at_a_time = min(len(windows), torch.get_num_threads())
        try:
            with torch.no_grad():
                model = openvino.convert_model(
                    self._network, example_input=example, input=[tuple(example.shape)]
                )
            options = {
                "INFERENCE_PRECISION_HINT": {"bf16": "bf16", "fp32": "f32"}[self._precision],
                "PERFORMANCE_HINT": "THROUGHPUT",
                "INFERENCE_NUM_THREADS": torch.get_num_threads(),
                "NUM_STREAMS": at_a_time,
            }
            compiled = openvino.Core().compile_model(model, "CPU", options)
            return openvino.AsyncInferQueue(compiled, at_a_time)
        except (RuntimeError, TypeError, ValueError) as exc:
            raise ConfigError(
                f"engine openvino: cannot convert this network ({str(exc).strip().splitlines()[0][:200]})",
                hint='set engine = "torch"',
            ) from exc
