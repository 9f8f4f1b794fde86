"""A MONAI bundle that computes next to nothing and behaves as the study says, and a program likewise.

A real bundle: MONAI's own transforms, inferer and evaluator, and one function of the bundle's own
code, which is where the behaviour is. The brightest voxel of a study says which, so that one warm
model serves many tests.
"""

import json
from pathlib import Path

import numpy as np

from bedside.dicom.create import SeriesSpec, write_series
from bedside.model.bundle import open_bundle

#: What a study can ask for; its brightest voxel is 100 HU and ten more for each place in this list.
BEHAVIOURS = ("works", "needs_clean_environment", "fails", "dies", "prints", "sleeps", "takes_1", "rejects")

BEHAVE = f'''
import os
import sys
import time

BEHAVIOURS = {BEHAVIOURS!r}


def behave(image):
    """Do what the study asks for."""
    behaviour = BEHAVIOURS[int(image.max() - 100) // 10]
    if behaviour == "needs_clean_environment":
        held = [name for name, value in os.environ.items() if "credential" in value]
        if held or os.environ.get("OMP_NUM_THREADS") != "1":
            raise ValueError("no such organ")
    if behaviour == "fails":
        raise ValueError("no such organ")
    if behaviour == "dies":
        os._exit(9)
    if behaviour == "prints":
        print("a bundle prints", flush=True)
        os.write(1, b"\\x00\\x00\\x00\\x05hello" * 100)
        sys.stdin.read()
    if behaviour == "sleeps":
        for _ in range(3000):
            time.sleep(0.1)
    if behaviour == "takes_1":
        time.sleep(1)
    return image
'''

PROGRAM = """
import os
import pathlib
import sys
import time

behaviour, source, target = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
assert os.environ["BEDSIDE_INPUT"] == str(source) and os.environ["BEDSIDE_OUTPUT"] == str(target)
if behaviour == "needs_clean_environment":
    held = [name for name, value in os.environ.items() if "credential" in value]
    assert not held and os.environ["OMP_NUM_THREADS"] == "1"
if behaviour == "fails":
    raise ValueError("Doe^Jane")
if behaviour == "dies":
    os._exit(9)
if behaviour == "rejects":
    (target / "report.json").write_text('{"reason": "two slices are missing"}')
    sys.exit(4)
if behaviour == "prints":
    print("a program prints " * 100000)
if behaviour == "sleeps":
    for _ in range(3000):
        time.sleep(0.1)
if behaviour == "takes_1":
    time.sleep(1)
(target / "count.txt").write_text(str(len(list(source.iterdir()))))
"""


def write_bundle(folder: Path, *, version: str = "1.0") -> Path:
    """Write a bundle whose mask is everything above 50 HU."""
    config = {
        "bundle_root": ".",
        "output_dir": "$@bundle_root + '/eval'",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "imports": ["$import behave", "$import torch"],
        "network_def": {"_target_": "torch.nn.Identity"},
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image"},
                {"_target_": "EnsureChannelFirstd", "keys": "image"},
                {"_target_": "Lambdad", "keys": "image", "func": "$behave.behave"},
            ],
        },
        "initialize": ["$@network.load_state_dict({})"],
        "dataset": {"_target_": "Dataset", "data": [], "transform": "@preprocessing"},
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1},
        "inferer": {"_target_": "SimpleInferer"},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "AsDiscreted", "keys": "pred", "threshold": 50},
                {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir"},
            ],
        },
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
        },
        "evaluating": ["$@evaluator.run()"],
    }
    metadata = {
        "name": "nothing",
        "version": version,
        "monai_version": "1.6.1",
        "task": "nothing",
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "hounsfield",
                    "modality": "CT",
                    "num_channels": 1,
                    "spatial_shape": ["*", "*", "*"],
                }
            },
            "outputs": {
                "pred": {
                    "type": "image",
                    "format": "segmentation",
                    "num_channels": 2,
                    "channel_def": {"0": "background", "1": "spleen"},
                }
            },
        },
    }
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "inference.json").write_text(json.dumps(config, indent=2))
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata, indent=2))
    (folder / "behave.py").write_text(BEHAVE)
    return folder


def digest(bundle: Path) -> str:
    """Return the digest of a bundle."""
    return open_bundle(bundle).digest


def write_study(
    folder: Path, *, behaviour: str = "works", seed: str = "nothing", slices: int = 6, size: int = 24
) -> Path:
    """Write a small series: air with a block of tissue in it; MR, which the model refuses, to be rejected."""
    array = np.full((slices, size, size), -1000, dtype=np.int16)
    array[1 : slices - 1, 4 : size // 2, 6 : size - 4] = 100 + 10 * BEHAVIOURS.index(behaviour)
    affine = np.diag([0.0, 0.0, 0.0, 1.0])
    affine[:3, 0] = (0, 0, 2.5)
    affine[:3, 1] = (0, 0.8, 0)
    affine[:3, 2] = (0.8, 0, 0)
    modality = "MR" if behaviour == "rejects" else "CT"
    write_series(folder, array, affine, spec=SeriesSpec(seed=seed, modality=modality))
    return folder
