"""Bundles for tests of proofs: one that is right, and one for each way of being wrong.

All are the bundle that computes next to nothing (threshold in place of a network), changed in one place.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nothing_bundle
from bedside.adapters.process import ChildOptions, ChildRunner
from bedside.model.bundle import open_bundle
from bedside.package.prove import Proof, prove

Change = Callable[[dict[str, Any], dict[str, Any]], None]

ORIENTATION = {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"}
SPACING = {"_target_": "Spacingd", "keys": "image", "pixdim": [2.0, 2.5, 3.0], "mode": "bilinear"}
INVERT = {
    "_target_": "Invertd",
    "keys": "pred",
    "transform": "@preprocessing",
    "orig_keys": "image",
    "nearest_interp": False,
    "to_tensor": True,
}

#: What a transform of the bundle's own does to a channel-first tensor; put in place of ``BODY``.
OWN_CODE = "import torch\n\n\ndef own(image):\n    {body}\n    return image\n"


def lambdad(key: str) -> dict[str, Any]:
    return {"_target_": "Lambdad", "keys": key, "func": "$own.own"}


def pre(config: dict[str, Any]) -> list[Any]:
    """The preprocessing's transforms, with an orientation, a spacing and their inversion added."""
    transforms: list[Any] = config["preprocessing"]["transforms"]
    return transforms


def post(config: dict[str, Any]) -> list[Any]:
    transforms: list[Any] = config["postprocessing"]["transforms"]
    return transforms


def write_proof_bundle(
    folder: Path, *, change: Change | None = None, own: str = "", invert: bool = True, spacing: bool = True
) -> Path:
    """Write a bundle that reorients, resamples and inverts.

    Args:
        change: Changes configuration and metadata.
        own: Statements of the bundle's own transform over ``image``; `change` puts it in place.
        invert: Whether the postprocessing undoes the preprocessing.
        spacing: Whether it resamples.
    """
    nothing_bundle.write_bundle(folder)
    files = [folder / "configs/inference.json", folder / "configs/metadata.json"]
    config, metadata = (json.loads(file.read_text()) for file in files)
    transforms = pre(config)
    del transforms[2]
    transforms.append(ORIENTATION)
    if spacing:
        transforms.append(SPACING)
    if invert:
        post(config).insert(0, INVERT)
    if own:
        config["imports"].append("$import own")
        (folder / "own.py").write_text(OWN_CODE.format(body=own))
    if change:
        change(config, metadata)
    for file, content in zip(files, (config, metadata), strict=True):
        file.write_text(json.dumps(content))
    return folder


@contextmanager
def runner_of(bundle: Path, scratch: Path) -> Iterator[ChildRunner]:
    """Give a runner of one bundle in child processes."""
    scratch.mkdir(parents=True, exist_ok=True)
    runner = ChildRunner(
        bundles=lambda _digest: bundle,
        scratch=scratch,
        environment=os.environ,
        options=ChildOptions(device="cpu", threads=1),
    )
    try:
        yield runner
    finally:
        runner.close()


def proof_of(bundle: Path, scratch: Path, *, study: Path | None = None, precision: str = "fp32") -> Proof:
    """Prove a bundle as ``bedside package`` does."""
    with runner_of(bundle, scratch / "children") as runner:
        return prove(
            open_bundle(bundle),
            runner,
            scratch=scratch / "proof",
            progress=lambda _doing, _fraction: None,
            study=study,
            precision=precision,
        )
