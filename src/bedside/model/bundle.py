"""Opens a MONAI bundle: what it is called, what it finds, what it accepts, and its digest.

Owns everything that can be known without running anything: no torch, no import of the bundle's code, no
evaluation of its expressions, so that a registry may open a bundle it does not trust. What would fail
later for a reason visible now (no metadata, no inference config, weights missing or renamed) is refused
here, with the names.
"""

import json
import re
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bedside.domain.acceptance import Acceptance
from bedside.domain.volume import Label
from bedside.errors import ConfigError
from bedside.model.layout import METADATA, Layout, digest_of, open_layout
from bedside.model.metadata import read_metadata

#: Inference configurations, in order of preference.
INFERENCE = ("configs/inference.json", "configs/inference.yaml", "configs/inference.yml")
_WEIGHTS = re.compile(r"models/([\w.\-]+\.(?:pt|pth|ts|onnx|safetensors|ckpt))\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A MONAI bundle, opened but not loaded.

    Attributes:
        path: Its folder or archive.
        name: Its own name.
        version: Its own version.
        digest: ``sha256:`` and 64 hex digits over its files; the same for a folder and an archive of it.
        task: What it does, for people.
        labels: What its masks can hold; empty for a model that gives numbers.
        acceptance: What its metadata says it accepts.
        inputs: Names of the network's inputs.
        channels: Names of the output's channels, background included.
        first_is_background: Whether channel 0 is background.
        config: Relative name of the inference configuration.
        weights: Relative name of the weights that the configuration names, or that stand in for them
            (TorchScript for a state dict); empty where an expression computes the name.
    """

    path: Path
    name: str
    version: str
    digest: str
    task: str
    labels: tuple[Label, ...]
    acceptance: Acceptance
    inputs: tuple[str, ...]
    channels: tuple[str, ...]
    first_is_background: bool
    config: str
    weights: str


def open_bundle(path: Path) -> Bundle:
    """Read what a bundle says about itself, without running it.

    Args:
        path: A bundle's folder, a ZIP or tar of it, or a TorchScript file with its configuration inside.

    Raises:
        ConfigError: It is no bundle, or something it needs is missing or broken.
    """
    with closing(open_layout(path)) as layout:
        names = frozenset(layout.names())
        metadata = read_metadata(_json(layout, names), name=path.name.split(".")[0])
        config = _config_of(names)
        return Bundle(
            path=path,
            name=metadata.name,
            version=metadata.version,
            digest=digest_of(layout),
            task=metadata.task,
            labels=metadata.labels,
            acceptance=metadata.acceptance,
            inputs=metadata.inputs,
            channels=metadata.channels,
            first_is_background=metadata.first_is_background,
            config=config,
            weights=_weights(layout, config, names),
        )


def _json(layout: Layout, names: frozenset[str]) -> object:
    if METADATA not in names:
        raise ConfigError(
            f"bundle: no {METADATA} among its {len(names)} files",
            hint="python -m monai.bundle init_bundle NAME makes a skeleton",
        )
    with layout.open(METADATA) as stream:
        raw = stream.read()
    try:
        return json.loads(raw)
    except (UnicodeDecodeError, json.JSONDecodeError) as exc:
        raise ConfigError(
            f"bundle: {METADATA} is not JSON ({exc})", hint=f"python -m json.tool {METADATA}"
        ) from exc


def _config_of(names: frozenset[str]) -> str:
    for candidate in INFERENCE:
        if candidate in names:
            return candidate
    found = sorted(name for name in names if name.startswith("configs/"))
    raise ConfigError(
        f"bundle: no {INFERENCE[0]} (or .yaml); configs/ holds {', '.join(found) or 'nothing'}",
        hint="name the inference configuration configs/inference.json",
    )


def _weights(layout: Layout, config: str, names: frozenset[str]) -> str:
    if config.endswith(".json"):
        _check_json(layout, config)
    with layout.open(config) as stream:
        text = stream.read().decode("utf-8", "replace")
    wanted = list(dict.fromkeys(_WEIGHTS.findall(text)))
    present = sorted(name for name in names if name.startswith("models/"))
    for name in wanted:
        if f"models/{name}" in names:
            return f"models/{name}"
    if not wanted:
        return ""
    # Deployed bundles often ship the exported network only.
    if "models/model.ts" in names:
        return "models/model.ts"
    if not present:
        raise ConfigError(
            f"bundle: no weights: {config} names models/{wanted[0]}, and models/ is empty",
            hint="fetch the weights (python -m monai.bundle download_large_files) and pack the bundle again",
        )
    raise ConfigError(
        f"bundle: {config} names models/{wanted[0]}, but models/ holds {', '.join(present)}",
        hint=f"mv {present[0]} models/{wanted[0]}",
    )


def _check_json(layout: Layout, config: str) -> None:
    with layout.open(config) as stream:
        raw = stream.read()
    try:
        json.loads(raw)
    except (UnicodeDecodeError, json.JSONDecodeError) as exc:
        raise ConfigError(
            f"bundle: {config} is not JSON ({exc})", hint=f"python -m json.tool {config}"
        ) from exc
