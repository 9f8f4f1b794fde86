"""Small MONAI bundles with fixed weights, written as MONAI's tools would write them.

Each builder returns a folder that ``python -m monai.bundle run`` can run by itself; the tests compare
bedside with that. The networks are untrained but calibrated on noise, so that every label is found.
"""

import json
from pathlib import Path
from typing import Any

import torch

LOAD = {"_target_": "LoadImaged", "keys": "image"}
CHANNEL_FIRST = {"_target_": "EnsureChannelFirstd", "keys": "image"}
RANGE = {
    "_target_": "ScaleIntensityRanged",
    "keys": "image",
    "a_min": -200,
    "a_max": 300,
    "b_min": 0.0,
    "b_max": 1.0,
    "clip": True,
}
TYPED = {"_target_": "EnsureTyped", "keys": "image"}
SAVE: dict[str, Any] = {
    "_target_": "SaveImaged",
    "keys": "pred",
    "output_dir": "@output_dir",
    "output_postfix": "seg",
    "separate_folder": False,
    "resample": False,
}


def orientation(axcodes: str) -> dict[str, Any]:
    return {"_target_": "Orientationd", "keys": "image", "axcodes": axcodes}


def spacing(*pixdim: float) -> dict[str, Any]:
    return {"_target_": "Spacingd", "keys": "image", "pixdim": list(pixdim), "mode": "bilinear"}


def inverted(*, nearest: bool = False) -> dict[str, Any]:
    return {
        "_target_": "Invertd",
        "keys": "pred",
        "transform": "@preprocessing",
        "orig_keys": "image",
        "nearest_interp": nearest,
        "to_tensor": True,
    }


def unet(outputs: int) -> dict[str, Any]:
    return {
        "_target_": "UNet",
        "spatial_dims": 3,
        "in_channels": 1,
        "out_channels": outputs,
        "channels": [4, 8, 16],
        "strides": [2, 2],
        "num_res_units": 0,
        "norm": "instance",
    }


def sliding(size: int = 32, batch: int = 2, **more: Any) -> dict[str, Any]:
    return {
        "_target_": "SlidingWindowInferer",
        "roi_size": [size] * 3,
        "sw_batch_size": batch,
        "overlap": 0.5,
    } | more


def configuration(
    *, network: dict[str, Any] | str, pre: list[Any], post: list[Any], inferer: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """Return an inference configuration laid out as the model zoo's are."""
    return {
        "imports": ["$import glob", "$import os"],
        "bundle_root": ".",
        "output_dir": "$@bundle_root + '/eval'",
        "dataset_dir": "/nowhere",
        "datalist": "$list(sorted(glob.glob(os.path.join(@dataset_dir, '*.nii*'))))",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "network_def": network,
        "network": "$@network_def.to(@device)",
        "preprocessing": {"_target_": "Compose", "transforms": pre},
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': i} for i in @datalist]",
            "transform": "@preprocessing",
        },
        "dataloader": {
            "_target_": "DataLoader",
            "dataset": "@dataset",
            "batch_size": 1,
            "shuffle": False,
            "num_workers": 0,
        },
        "inferer": inferer,
        "postprocessing": {"_target_": "Compose", "transforms": post},
        "handlers": [{"_target_": "StatsHandler", "iteration_log": False}],
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "val_handlers": "@handlers",
            "amp": True,
        },
        "checkpointloader": {
            "_target_": "CheckpointLoader",
            "load_path": "$@bundle_root + '/models/model.pt'",
            "load_dict": {"model": "@network"},
        },
        "initialize": ["$monai.utils.set_determinism(seed=123)", "$@checkpointloader(@evaluator)"],
        "run": ["$@evaluator.run()"],
    } | more


def metadata(name: str, channels: dict[str, str], *, kind: str = "image", **more: Any) -> dict[str, Any]:
    """Return metadata as the model zoo writes it."""
    return {
        "schema": "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json",
        "version": "1.2.3",
        "monai_version": "1.5.0",
        "pytorch_version": "2.6.0",
        "numpy_version": "1.26.0",
        "required_packages_version": {},
        "name": name,
        "task": f"Test of {name}",
        "description": name,
        "authors": "bedside",
        "copyright": "bedside",
        "network_data_format": {
            "inputs": {
                "image": {"type": "image", "format": "hounsfield", "modality": "CT", "num_channels": 1}
            },
            "outputs": {
                "pred": {
                    "type": kind,
                    "format": "segmentation" if kind == "image" else kind,
                    "channel_def": channels,
                }
            },
        },
    } | more


def network_of(definition: dict[str, Any], seed: int) -> torch.nn.Module:
    """Return a network with fixed random weights whose outputs are centred on noise."""
    from monai.bundle import ConfigParser

    torch.manual_seed(seed)
    parser = ConfigParser({"net": definition})
    network: torch.nn.Module = parser.get_parsed_content("net").eval()
    with torch.no_grad():
        out = network(torch.rand(1, 1, 32, 32, 32))
        if out.ndim == 2:
            return network
        parameters = list(network.parameters())
        mean, spread = out.flatten(2).mean((0, 2)), out.flatten(2).std((0, 2)).mean()
        parameters[-1].sub_(mean)
        for parameter in parameters[-2:]:
            parameter.mul_(2.0 / spread)
    return network


def write(root: Path, config: dict[str, Any], meta: dict[str, Any], *, yaml: bool = False) -> Path:
    """Write a bundle's configuration; YAML where asked."""
    (root / "configs").mkdir(parents=True)
    (root / "models").mkdir()
    (root / "configs/metadata.json").write_text(json.dumps(meta, indent=2))
    if yaml:
        from yaml import safe_dump

        (root / "configs/inference.yaml").write_text(safe_dump(config, sort_keys=False))
    else:
        (root / "configs/inference.json").write_text(json.dumps(config, indent=2))
    return root


def lps_softmax(root: Path) -> Path:
    """Three labels by softmax; LPS, another spacing, Gaussian blending."""
    config = configuration(
        network=unet(3),
        pre=[LOAD, CHANNEL_FIRST, orientation("LPS"), spacing(1.7, 1.3, 2.9), RANGE, TYPED],
        post=[
            {"_target_": "Activationsd", "keys": "pred", "softmax": True},
            inverted(),
            {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
            SAVE,
        ],
        inferer=sliding(mode="gaussian"),
    )
    write(root, config, metadata("lps_softmax", {"0": "background", "1": "liver", "2": "spleen"}))
    torch.save(network_of(unet(3), 1).state_dict(), root / "models/model.pt")
    return root


def overlapping_sigmoid(root: Path) -> Path:
    """Two overlapping masks by sigmoid and threshold; RAS; weights wrapped as {'model': ...}."""
    config = configuration(
        network=unet(2),
        pre=[LOAD, CHANNEL_FIRST, orientation("RAS"), spacing(2.0, 2.0, 2.0), RANGE, TYPED],
        post=[
            {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
            inverted(),
            {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5},
            SAVE | {"output_dtype": "$np.uint8"},
        ],
        inferer=sliding(batch=3),
        imports=["$import glob", "$import os", "$import numpy as np"],
    )
    write(root, config, metadata("overlapping_sigmoid", {"0": "liver", "1": "liver tumor"}))
    torch.save({"model": network_of(unet(2), 2).state_dict()}, root / "models/model.pt")
    return root


def classifier(root: Path) -> Path:
    """Three numbers, no mask."""
    network = {
        "_target_": "DenseNet",
        "spatial_dims": 3,
        "in_channels": 1,
        "out_channels": 3,
        "init_features": 4,
        "growth_rate": 2,
        "block_config": [2, 2],
    }
    config = configuration(
        network=network,
        pre=[
            LOAD | {"ensure_channel_first": True},
            orientation("RAS"),
            RANGE,
            {"_target_": "Resized", "keys": "image", "spatial_size": [32, 32, 32]},
            TYPED,
        ],
        post=[{"_target_": "Activationsd", "keys": "pred", "softmax": True}],
        inferer={"_target_": "SimpleInferer"},
        run=[
            "$@evaluator.run()",
            "$torch.save(@evaluator.state.output[0]['pred'].as_tensor(), @output_dir + '/numbers.pt')",
        ],
    )
    write(
        root,
        config,
        metadata("classifier", {"0": "normal", "1": "nodule", "2": "mass"}, kind="probabilities"),
    )
    torch.save(network_of(network, 3).state_dict(), root / "models/model.pt")
    return root


def torchscript(root: Path) -> Path:
    """YAML, TorchScript weights, PLI, nearest inversion after argmax, largest component kept."""
    config = configuration(
        network="$torch.jit.load(@bundle_root + '/models/model.ts', map_location=@device)",
        pre=[LOAD, CHANNEL_FIRST, orientation("PLI"), spacing(1.9, 2.3, 3.1), RANGE, TYPED],
        post=[
            {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
            inverted(nearest=True),
            {"_target_": "KeepLargestConnectedComponentd", "keys": "pred", "applied_labels": [1]},
            SAVE,
        ],
        inferer=sliding(size=24),
        initialize=["$monai.utils.set_determinism(seed=123)"],
    )
    del config["checkpointloader"]
    write(root, config, metadata("torchscript", {"0": "background", "1": "spleen"}), yaml=True)
    scripted = torch.jit.script(network_of(unet(2), 4))
    torch.jit.save(scripted, root / "models/model.ts")
    return root


def unoriented(root: Path) -> Path:
    """No Orientationd and no Invertd: the network sees the file's own order, saving resamples."""
    config = configuration(
        network=unet(2),
        pre=[LOAD, CHANNEL_FIRST, spacing(2.1, 1.6, 2.4), RANGE, TYPED],
        post=[
            {"_target_": "Activationsd", "keys": "pred", "softmax": True},
            {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
            SAVE | {"resample": True},
        ],
        inferer=sliding(),
        handlers=[
            {
                "_target_": "CheckpointLoader",
                "load_path": "$@bundle_root + '/models/model.pt'",
                "load_dict": {"model": "@network"},
            },
            {"_target_": "StatsHandler", "iteration_log": False},
        ],
        initialize=["$monai.utils.set_determinism(seed=123)"],
    )
    del config["checkpointloader"]
    write(root, config, metadata("unoriented", {"0": "background", "1": "kidney"}))
    torch.save(network_of(unet(2), 5).state_dict(), root / "models/model.pt")
    return root


SCRIPT = '''
from monai.transforms import MapTransform


class Sharpened(MapTransform):
    """A bundle's own transform, which bedside has never heard of."""

    def __call__(self, data):
        d = dict(data)
        for key in self.key_iterator(d):
            d[key] = d[key] * 1.5 - 0.1
        return d


def prepare(batch, device=None, non_blocking=False, **kwargs):
    return batch["ct"].to(device), None
'''


def own_code(root: Path) -> Path:
    """The bundle's own transform and batch preparation, another key name, crop to the foreground."""
    keys = {"keys": "ct"}
    config = configuration(
        network=unet(2),
        pre=[
            LOAD | keys,
            CHANNEL_FIRST | keys,
            orientation("RAS") | keys,
            spacing(1.5, 1.5, 2.0) | keys,
            RANGE | keys,
            {"_target_": "scripts.own.Sharpened", "keys": "ct"},
            {"_target_": "CropForegroundd", "keys": "ct", "source_key": "ct", "margin": 4},
            TYPED | keys,
        ],
        post=[
            inverted() | {"orig_keys": "ct"},
            {"_target_": "Activationsd", "keys": "pred", "softmax": True},
            {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
            SAVE,
        ],
        inferer=sliding(),
        dataset={
            "_target_": "Dataset",
            "data": "$[{'ct': i} for i in @datalist]",
            "transform": "@preprocessing",
        },
    )
    config["evaluator"]["prepare_batch"] = "$prepare"
    config["imports"].append("$from scripts.own import prepare")
    meta = metadata("own_code", {"0": "background", "1": "liver"})
    meta["network_data_format"]["inputs"] = {"ct": meta["network_data_format"]["inputs"]["image"]}
    write(root, config, meta)
    (root / "scripts").mkdir()
    (root / "scripts/__init__.py").write_text("")
    (root / "scripts/own.py").write_text(SCRIPT)
    torch.save(network_of(unet(2), 6).state_dict(), root / "models/model.pt")
    return root


BUILDERS = {
    builder.__name__: builder
    for builder in (lps_softmax, overlapping_sigmoid, classifier, torchscript, unoriented, own_code)
}
