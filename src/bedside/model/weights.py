"""Puts trained weights into a bundle's network, in every form in which bundles ship them.

Owns the reading of checkpoints: state dicts, state dicts wrapped by training scripts, and TorchScript.
It refuses pickles that hold anything but tensors (``weights_only``), for a checkpoint is data. MONAI's own
``CheckpointLoader`` needs Ignite; this one has its arguments and its outcome.
"""

import logging
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from monai.networks.utils import copy_model_state

from bedside.errors import ConfigError

_LOG = logging.getLogger(__name__)
#: Names under which training scripts wrap a network's state dict.
_WRAPPERS = ("model", "state_dict", "model_state_dict", "network", "net", "network_weights")


def is_torchscript(path: Path) -> bool:
    """Return whether a weights file is TorchScript (code and weights) rather than a state dict."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


class CheckpointLoader:
    """``monai.handlers.CheckpointLoader`` without Ignite; see there for the arguments."""

    def __init__(
        self,
        load_path: str,
        load_dict: Mapping[str, Any],
        name: str | None = None,
        map_location: Any = None,
        strict: bool = True,
        strict_shape: bool = True,
    ) -> None:
        del name
        self.load_path = Path(load_path)
        self.load_dict = dict(load_dict)
        self.map_location = map_location
        self.strict = strict and strict_shape
        self.strict_shape = strict_shape

    def attach(self, engine: Any) -> None:
        """Load at once: nothing changes weights between attaching and starting."""
        self(engine)

    def __call__(self, engine: Any = None) -> None:
        """Load the checkpoint into the networks of ``load_dict``.

        Raises:
            ConfigError: The file is missing, unreadable, or does not fit the network.
        """
        del engine
        targets = {key: obj for key, obj in self.load_dict.items() if isinstance(obj, torch.nn.Module)}
        if all(isinstance(network, torch.jit.ScriptModule) for network in targets.values()):
            return
        checkpoint = _read(self.load_path, self.map_location)
        if len(self.load_dict) == 1 and next(iter(self.load_dict)) not in checkpoint:
            checkpoint = {next(iter(self.load_dict)): _unwrapped(checkpoint)}
        for key, network in targets.items():
            if key not in checkpoint:
                raise ConfigError(
                    f"weights {self.load_path.name}: no entry {key!r} among {sorted(checkpoint)[:8]}"
                )
            state = checkpoint[key]
            if not self.strict_shape:
                state = copy_model_state(network, state, inplace=False)[0]
            _fill(network, state, self.load_path.name, strict=self.strict)


def _read(path: Path, map_location: Any) -> dict[str, Any]:
    if not path.is_file():
        present = ", ".join(sorted(item.name for item in path.parent.glob("*"))) or "nothing"
        raise ConfigError(
            f"weights: no {path.parent.name}/{path.name}; {path.parent.name}/ holds {present}",
            hint="give the file the name that the inference configuration uses",
        )
    if is_torchscript(path):
        load: Any = torch.jit.load  # not annotated in torch
        return dict(load(path, map_location="cpu").state_dict())
    try:
        loaded = torch.load(path, map_location=map_location or "cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError) as exc:
        raise ConfigError(
            f"weights {path.name}: not a state dict of tensors ({str(exc).splitlines()[0]})",
            hint="save them again with torch.save(network.state_dict(), path)",
        ) from exc
    if not isinstance(loaded, Mapping):
        raise ConfigError(f"weights {path.name}: holds a {type(loaded).__name__}, not a state dict")
    return dict(loaded)


def _unwrapped(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Take a network's state out of what a training script wrapped round it."""
    if not any(isinstance(value, torch.Tensor) for value in checkpoint.values()):
        for wrapper in _WRAPPERS:
            if isinstance(checkpoint.get(wrapper), Mapping):
                return dict(checkpoint[wrapper])
    return checkpoint


def _fill(network: torch.nn.Module, state: Mapping[str, Any], name: str, *, strict: bool) -> None:
    if state and all(key.startswith("module.") for key in state):  # saved from DataParallel
        state = {key.removeprefix("module."): value for key, value in state.items()}
    try:
        missing = network.load_state_dict(dict(state), strict=strict)
    except RuntimeError as exc:
        raise ConfigError(
            f"weights {name}: do not fit the network ({' '.join(str(exc).split())[:400]})",
            hint="check network_def in the inference configuration against the training configuration",
        ) from exc
    if missing.missing_keys:
        _LOG.warning(
            "weights leave parts of the network as they were",
            extra={"action": "weights.partial", "parts": len(missing.missing_keys)},
        )
