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
        self._compiled: dict[tuple[int, ...], Any] = {}

    def __call__(self, windows: torch.Tensor) -> torch.Tensor:
        """Run one batch of windows (windows, channels, i, j, k), float32, one window at a time."""
        outputs = []
        for window in windows.detach():
            one = window[None].contiguous()
            run = self._compiled.get(tuple(one.shape))
            if run is None:
                run = self._compiled[tuple(one.shape)] = self._convert(one)
            outputs.append(torch.from_numpy(run({0: one.numpy()})[0].copy()))
        return torch.cat(outputs)

    def _convert(self, example: torch.Tensor) -> Any:
        import openvino  # noqa: PLC0415 - an optional engine

        try:
            with torch.no_grad():
                model = openvino.convert_model(
                    self._network, example_input=example, input=[tuple(example.shape)]
                )
            options = {
                "INFERENCE_PRECISION_HINT": {"bf16": "bf16", "fp32": "f32"}[self._precision],
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            }
            return openvino.Core().compile_model(model, "CPU", options)
        except (RuntimeError, TypeError, ValueError) as exc:
            raise ConfigError(
                f"engine openvino: cannot convert this network ({str(exc).strip().splitlines()[0][:200]})",
                hint='set engine = "torch"',
            ) from exc
