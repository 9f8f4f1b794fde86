"""Other ways of running a network's forward pass, and the device it runs on.

Owns the choice of device, engine and precision; everything round the forward pass stays the same code. It
refuses what the machine lacks before the first study comes. How much each deviates from fp32 torch is not
promised here but measured (`bedside.model.deviation`).
"""

import os
import shutil
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from bedside.errors import ConfigError
from bedside.model.program import Program

Runner = Callable[..., Any]

_INSTEAD = 'set engine = "openvino"'


def choose_device(wanted: str) -> torch.device:
    """Return the device to run on.

    Args:
        wanted: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ConfigError: The machine has no such device.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as exc:
        raise ConfigError(f"device {wanted!r}: not one of auto, cpu, cuda, cuda:N") from exc
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise ConfigError(
                f"device {wanted}: this machine has {count} CUDA devices", hint="bedside doctor"
            )
    elif device.type != "cpu":
        raise ConfigError(f"device {wanted!r}: not one of auto, cpu, cuda, cuda:N")
    return device


def make_runner(program: Program, *, engine: str, precision: str, device: torch.device) -> Runner | None:
    """Return what runs the network's forward pass, or None for the network itself (fp32 torch).

    Raises:
        ConfigError: The machine or the network does not allow it.
    """
    if engine == "torch" and precision == "fp32":
        return None
    if precision == "fp16" and device.type != "cuda":
        raise ConfigError("precision fp16: needs a CUDA device", hint='set precision = "bf16"')
    if precision not in {"fp32", "bf16", "fp16"}:
        raise ConfigError(f"precision {precision!r}: not one of fp32, bf16, fp16")
    if engine == "openvino":
        from bedside.model.openvino import OpenVinoRunner  # noqa: PLC0415 - an optional engine

        return OpenVinoRunner(program.network, precision=precision, device=device)
    if engine == "compile":
        return _compiled(program.network, precision, device)
    if engine != "torch":
        raise ConfigError(f"engine {engine!r}: not one of torch, openvino, compile")
    return _cast(program.network, precision, device)


def _cast(run: Runner, precision: str, device: torch.device) -> Runner:
    """Return a forward pass under autocast that gives float32, as the windows are put together in."""
    if precision == "fp32":
        return lambda windows, *args, **kwargs: run(windows, *args, **kwargs)
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    memory_format = torch.channels_last_3d

    def forward(windows: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if windows.ndim == 5:
            windows = windows.contiguous(memory_format=memory_format)
        with torch.autocast(device.type, dtype=dtype):
            return _as_float(run(windows, *args, **kwargs))

    return forward


def _as_float(output: Any) -> Any:
    if isinstance(output, torch.Tensor):
        return output.float()
    if isinstance(output, (list, tuple)):
        return type(output)(_as_float(part) for part in output)
    if isinstance(output, dict):
        return {key: _as_float(part) for key, part in output.items()}
    return output


def _compiled(network: nn.Module, precision: str, device: torch.device) -> Runner:
    if isinstance(network, torch.jit.ScriptModule):
        raise ConfigError("engine compile: cannot compile TorchScript", hint=_INSTEAD)
    compiler = os.environ.get("CXX", "g++")  # torch's own choice
    if device.type == "cpu" and shutil.which(compiler) is None:
        raise ConfigError(f"engine compile: {compiler} not found, which compiles the network", hint=_INSTEAD)
    from torch._dynamo.exc import TorchDynamoException  # noqa: PLC0415 - an optional engine

    # A compiler without the headers of C++ or Python is found out now, not by every study.
    try:
        torch.compile(_next, dynamic=False)(torch.zeros(8, device=device))
    except TorchDynamoException as exc:
        raise ConfigError(f"engine compile: {_first_line(exc)}", hint=_INSTEAD) from exc
    compiled = torch.compile(network, dynamic=False)

    def forward(windows: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        try:
            return compiled(windows, *args, **kwargs)
        except TorchDynamoException as exc:
            raise ConfigError(
                f"engine compile: cannot compile this network ({_first_line(exc)})", hint=_INSTEAD
            ) from exc

    return _cast(forward, precision, device)


def _next(numbers: torch.Tensor) -> torch.Tensor:
    return numbers + 1


def _first_line(exc: Exception) -> str:
    return str(exc).strip().partition("\n")[0][:200]
