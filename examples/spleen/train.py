"""Trains the example's network on phantoms made while it trains; one thread, no dataset on disk.

    python examples/spleen/train.py --steps 900
    python examples/spleen/train.py --resume --first-seed 200000 --steps 400 --size 96 --rate 0.002

Phantoms are sampled directly on the network's grid (the anatomy is in millimetres), so a step costs
about a second on one core. Equal arguments on the same machine give equal weights, unless ``--minutes``
ends the training. ``docs/README.md`` has the lines that made the shipped weights.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.losses import DiceCELoss

from bedside.phantom.patches import PatchSpec, draw_patches

BUNDLE = Path(__file__).resolve().parent
#: Seeds below this are held out for evaluation and for tests.
FIRST_TRAINING_SEED = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and on what to train.

    Attributes:
        steps: Batches.
        size: Edge of a patch in voxels.
        batch: Patches in a batch.
        per_phantom: Patches cut from each phantom.
        rate: Highest learning rate; it falls to nothing along half a cosine.
        minutes: Longest time, whatever ``steps`` says.
        first_seed: Of the first phantom.
        resume: Whether to start from the bundle's weights.
        settle: Batches over which the batch norms' statistics are taken at the end; 0 keeps the running ones.
    """

    steps: int
    size: int
    batch: int
    per_phantom: int
    rate: float
    minutes: float
    first_seed: int
    resume: bool
    settle: int


def batches(config: ConfigParser, plan: Plan) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield (image, mask) tensors (batch, 1, x, y, z), scaled as the bundle's preprocessing scales."""
    transforms = {t["_target_"]: t for t in config.get("preprocessing")["transforms"]}
    scale = transforms["ScaleIntensityRanged"]
    low, high = scale["a_min"], scale["a_max"]
    spec = PatchSpec(
        spacing_mm=tuple(transforms["Spacingd"]["pixdim"]), size=(plan.size,) * 3, count=plan.per_phantom
    )
    seed, held = plan.first_seed, []
    while True:
        while len(held) < 3 * plan.batch:  # mixed, so that a batch is not of one person
            held.extend(draw_patches(seed, spec))
            seed += 1
        order = np.random.default_rng(seed).permutation(len(held))
        chosen, held = [held[i] for i in order[: plan.batch]], [held[i] for i in order[plan.batch :]]
        images = np.stack([np.clip((hu - low) / (high - low), 0, 1) for hu, _ in chosen])
        masks = np.stack([mask for _, mask in chosen])
        yield torch.from_numpy(images)[:, None].float(), torch.from_numpy(masks)[:, None].long()


def train(bundle: Path, plan: Plan) -> None:
    """Train the bundle's network and write ``models/model.pt``."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = ConfigParser()
    config.read_config(bundle / "configs" / "inference.json")
    network = config.get_parsed_content("network_def")
    if plan.resume:
        network.load_state_dict(torch.load(bundle / "models" / "model.pt", weights_only=True))
    optimizer = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=1e-4)
    loss_function = DiceCELoss(softmax=True, to_onehot_y=True, include_background=False, batch=True)
    began = time.monotonic()
    losses = []
    network.train()
    for step, (images, masks) in enumerate(batches(config, plan)):
        spent = (time.monotonic() - began) / 60
        # The rate falls to nothing when steps or time run out.
        done = max(step / max(1, plan.steps), spent / plan.minutes)
        if step >= plan.steps or done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = plan.rate * min(1.0, (step + 1) / 30) * 0.5 * (1 + np.cos(np.pi * done))
        optimizer.zero_grad(set_to_none=True)
        loss = loss_function(network(images), masks)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        losses.append(loss.item())
        if step % 25 == 0:
            print(f"step {step:5d}  {spent:5.1f} min  loss {np.mean(losses[-25:]):.3f}", flush=True)
    if plan.settle:
        settle(network, batches(config, replace(plan, first_seed=plan.first_seed + 50_000)), plan.settle)
    (bundle / "models").mkdir(exist_ok=True)
    torch.save(network.state_dict(), bundle / "models" / "model.pt")
    print(f"wrote {bundle / 'models' / 'model.pt'} after {len(losses)} steps")


def settle(network: torch.nn.Module, source: Iterator[tuple[torch.Tensor, torch.Tensor]], count: int) -> None:
    """Replace the batch norms' running statistics by plain means over many batches.

    Batches are small, so the last few, which a running mean remembers, are not what a study looks like.
    """
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
            module.momentum = None  # a plain mean
    network.train()
    with torch.no_grad():
        for images, _ in islice(source, count):
            network(images)


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, default=BUNDLE, help="bundle whose network is trained")
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--size", type=int, default=80, help="edge of a patch in voxels")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--per-phantom", type=int, default=3, help="patches cut from each phantom")
    parser.add_argument("--rate", type=float, default=4e-3, help="highest learning rate")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after this time in any case")
    parser.add_argument("--first-seed", type=int, default=FIRST_TRAINING_SEED)
    parser.add_argument("--settle", type=int, default=100, help="batches for the batch norms' statistics")
    parser.add_argument("--resume", action="store_true", help="start from the bundle's weights")
    arguments = vars(parser.parse_args())
    train(arguments.pop("bundle"), Plan(**arguments))


if __name__ == "__main__":
    main()
