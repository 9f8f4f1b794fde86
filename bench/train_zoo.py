"""Train the bench bundle: the zoo's spleen architecture, on phantoms made on the network's own grid.

    python bench/train_zoo.py [--steps 1000] [--out .bench/spleen_zoo]

Random weights would not do for the bench: their masks are noise, whose surface and measurements cost
what no real mask costs. Small patches first and large ones last: features are learnt on the cheap,
then where things lie, and the running statistics of the batch norms, on the windows of inference.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.inferers import SlidingWindowInferer
from monai.losses import DiceCELoss

from bedside.phantom import make_phantom

HERE = Path(__file__).resolve().parent
#: (slices, rows, columns) spacing of the network's grid.
GRID_MM = (2.0, 1.5, 1.5)
SHAPE = (190, 240, 280)


def sample(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return one invented person as the network sees them: (R, A, S) intensities 0–1 and spleen mask."""
    phantom = make_phantom(seed, shape=SHAPE, spacing_mm=GRID_MM)
    image = (phantom.array.astype(np.float32) + 57) / 221
    return _axes(np.clip(image, 0, 1)), _axes(phantom.masks == phantom.labels["spleen"])


def _axes(array: np.ndarray) -> torch.Tensor:
    """Turn (slices, rows, columns), which run to S, P, L, to the network's R, A, S."""
    return torch.from_numpy(np.ascontiguousarray(array.transpose(2, 1, 0)[::-1, ::-1]))


def patch(
    image: torch.Tensor, mask: torch.Tensor, size: int, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a random cube, about the spleen in every other one: what is no spleen must be learnt too."""
    room = np.array(image.shape) - size
    if rng.random() < 0.5:
        inside = mask.nonzero()
        centre = inside[int(rng.integers(len(inside)))].numpy()
        low = np.clip(centre - size // 2 + rng.integers(-size // 3, size // 3 + 1, 3), 0, room)
    else:
        low = rng.integers(0, room + 1)
    cut = tuple(slice(int(a), int(a) + size) for a in low)
    return image[cut][None], mask[cut][None]


def held_out_dice(network: torch.nn.Module, seed: int = 900) -> float:
    """Return the spleen's Dice on a person that training never saw."""
    image, mask = sample(seed)
    inferer = SlidingWindowInferer((96, 96, 96), sw_batch_size=4, overlap=0.25)
    network.eval()
    with torch.no_grad():
        found = inferer(image[None, None], network)[0].argmax(0).bool()
    return float(2 * (found & mask).sum() / (found.sum() + mask.sum()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--large", type=int, default=750, help="of these, the last ones on 96³ windows")
    parser.add_argument("--resume", action="store_true", help="go on from the weights in --out")
    parser.add_argument("--rate", type=float, default=4e-3, help="highest learning rate")
    parser.add_argument("--people", type=int, default=28)
    parser.add_argument("--out", type=Path, default=HERE.parent / ".bench" / "spleen_zoo")
    options = parser.parse_args()
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    shutil.copytree(HERE / "zoo_bundle", options.out, dirs_exist_ok=True)
    config = ConfigParser()
    config.read_config(str(options.out / "configs" / "inference.json"))
    network = config.get_parsed_content("network_def")
    weights = options.out / "models" / "model.pt"
    if options.resume:
        network.load_state_dict(torch.load(weights, weights_only=True))
    people = [sample(seed) for seed in range(options.people)]
    loss_of = DiceCELoss(to_onehot_y=True, softmax=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=options.rate, total_steps=options.steps)
    begun = time.perf_counter()
    for step in range(options.steps):
        size, count = (64, 2) if step < options.steps - options.large else (96, 2)
        pairs = [patch(*people[int(rng.integers(len(people)))], size, rng) for _ in range(count)]
        image = torch.stack([p[0] for p in pairs])
        image = image * (1 + 0.1 * torch.randn(count, 1, 1, 1, 1)) + 0.05 * torch.randn(count, 1, 1, 1, 1)
        image = (image + 0.03 * torch.randn_like(image)).clamp(0, 1)
        with torch.autocast("cpu", torch.bfloat16):
            scores = network(image)
        loss = loss_of(scores.float(), torch.stack([p[1] for p in pairs]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 20 == 0:
            print(f"step {step} loss {loss.item():.3f} after {time.perf_counter() - begun:.0f} s", flush=True)
    weights.parent.mkdir(exist_ok=True)
    torch.save(network.state_dict(), weights)
    print(f"held-out Dice on the network's grid: {held_out_dice(network):.3f}")


if __name__ == "__main__":
    main()
