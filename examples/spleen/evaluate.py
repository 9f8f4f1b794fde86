"""Measures the bundle on phantoms of held-out seeds, through its own inference configuration.

    python examples/spleen/evaluate.py --seeds 8

Each phantom is written as NIfTI, read, segmented and saved by ``monai.bundle`` as ``inference.json`` says,
and the saved mask is compared with the truth voxel for voxel. Prints a Markdown table.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import torch
from make_dataset import save
from monai.bundle import ConfigWorkflow

from bedside.phantom import LABELS, Phantom, make_phantom

BUNDLE = Path(__file__).resolve().parent
#: Corners of the promised range first, then draws from it: (slices, slice mm, pixel mm).
CORNERS = ((60, 2.0, 0.7), (150, 5.0, 0.9), (150, 2.5, 0.8), (150, 2.0, 0.8), (60, 5.0, 0.8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well one phantom was segmented."""

    seed: int
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    truth_ml: float
    found_ml: float
    dice: float
    wall_s: float


def held_out(index: int) -> tuple[int, tuple[int, int, int], tuple[float, float, float]]:
    """Return seed, shape and spacing of a held-out phantom; seeds from 1000 train nothing."""
    if index < len(CORNERS):
        slices, slice_mm, pixel_mm = CORNERS[index]
    else:
        rng = np.random.default_rng(index)
        slices, slice_mm, pixel_mm = int(rng.integers(60, 151)), rng.uniform(2, 5), rng.uniform(0.7, 0.9)
    return 1000 + index, (slices, 512, 512), (round(slice_mm, 2), round(pixel_mm, 3), round(pixel_mm, 3))


def segment(bundle: Path, image: Path, output: Path) -> np.ndarray:
    """Run the bundle on one NIfTI and return the mask it saved, axes (slice, row, column)."""
    workflow = ConfigWorkflow(
        config_file=str(bundle / "configs" / "inference.json"),
        meta_file=str(bundle / "configs" / "metadata.json"),
        logging_file=False,
        workflow_type="infer",
        bundle_root=str(bundle),
        dataset_dir=str(image.parent),
        datalist=[str(image)],
        output_dir=str(output),
    )
    workflow.initialize()
    workflow.run()
    workflow.finalize()
    (found,) = output.rglob("*.nii.gz")
    return np.asarray(nibabel.load(found).dataobj).squeeze().transpose(2, 1, 0)


def score(bundle: Path, phantom: Phantom) -> Score:
    """Segment one phantom and compare with its truth."""
    truth = phantom.masks == LABELS["spleen"]
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "phantom.nii"
        save(phantom, image, Path(folder) / "label.nii")
        began = time.monotonic()
        found = segment(bundle, image, Path(folder) / "out") == 1
        wall_s = time.monotonic() - began
    voxel_ml = abs(float(np.linalg.det(phantom.affine[:3, :3]))) / 1000
    both = int((truth & found).sum())
    return Score(
        seed=phantom.seed,
        shape=phantom.array.shape,
        spacing_mm=tuple(np.linalg.norm(phantom.affine[:3, :3], axis=0)),
        truth_ml=truth.sum() * voxel_ml,
        found_ml=found.sum() * voxel_ml,
        dice=2 * both / max(1, int(truth.sum()) + int(found.sum())),
        wall_s=wall_s,
    )


def main() -> None:
    """Read the arguments, measure, print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--seeds", type=int, default=8, help="held-out phantoms")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    print("| seed | slices × rows × columns | spacing (mm) | truth (mL) | found (mL) | Dice | seconds |")
    print("|---|---|---|---|---|---|---|")
    scores = []
    for index in range(arguments.seeds):
        seed, shape, spacing = held_out(index)
        one = score(arguments.bundle, make_phantom(seed, shape=shape, spacing_mm=spacing))
        scores.append(one.dice)
        size, gaps = " × ".join(map(str, shape)), " × ".join(f"{mm:g}" for mm in spacing)
        print(
            f"| {one.seed} | {size} | {gaps} | {one.truth_ml:.1f} | {one.found_ml:.1f} | {one.dice:.4f} "
            f"| {one.wall_s:.1f} |",
            flush=True,
        )
    print(f"\nmean Dice {np.mean(scores):.4f}, least {np.min(scores):.4f}, {len(scores)} phantoms")


if __name__ == "__main__":
    main()
