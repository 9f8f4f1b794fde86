"""The limit: the network's forward pass over the windows of one study, and nothing else.

    python bench/forward.py BUNDLE STUDY [--rounds N]   → JSON list of seconds

Same windows, same batch, same threads as the bundle's inferer; fp32; the batches are cut out before
the clock starts, results are thrown away.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from monai.bundle import ConfigParser
from monai.data.utils import dense_patch_slices
from monai.inferers.utils import _get_scan_interval
from monai.transforms import Compose, LoadImaged


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("bundle", type=Path)
    arguments.add_argument("study", type=Path)
    arguments.add_argument("--rounds", type=int, default=1)
    options = arguments.parse_args()
    parser = ConfigParser()
    parser.read_config(str(options.bundle / "configs" / "inference.json"))
    network = parser.get_parsed_content("network_def")
    weights = torch.load(options.bundle / "models" / "model.pt", map_location="cpu", weights_only=True)
    network.load_state_dict(weights.get("model", weights))
    network.eval()
    inferer = parser.get_parsed_content("inferer")
    before = [
        t for t in parser.get_parsed_content("preprocessing").transforms if not isinstance(t, LoadImaged)
    ]
    volume = LoadImaged(keys="image", reader="PydicomReader")({"image": str(options.study)})
    image = Compose(before)(volume)["image"].as_tensor().unsqueeze(0)
    size = tuple(image.shape[2:])
    step = _get_scan_interval(size, inferer.roi_size, 3, (inferer.overlap,) * 3)
    windows = [
        torch.nn.functional.pad(
            part := image[(slice(None), slice(None), *cut)],
            [
                n
                for roi, have in zip(reversed(inferer.roi_size), reversed(part.shape[2:]), strict=True)
                for n in (0, roi - have)
            ],
        )
        for cut in dense_patch_slices(size, inferer.roi_size, step)
    ]
    batches = [
        torch.cat(windows[i : i + inferer.sw_batch_size])
        for i in range(0, len(windows), inferer.sw_batch_size)
    ]
    seconds = []
    with torch.no_grad():
        network(batches[0])
        for _ in range(options.rounds):
            begun = time.perf_counter()
            for batch in batches:
                network(batch)
            seconds.append(time.perf_counter() - begun)
    print(json.dumps({"windows": len(windows), "seconds": seconds}))


if __name__ == "__main__":
    main()
