"""Writes phantoms as NIfTI in the layout of the Medical Segmentation Decathlon, for ``train.json``.

    python examples/spleen/make_dataset.py --folder dataset --count 20

``imagesTr``/``labelsTr`` hold training seeds, ``imagesTs``/``labelsTs`` held-out ones.
"""

import argparse
from pathlib import Path

import nibabel
import numpy as np

from bedside.phantom import LABELS, Phantom, make_phantom

FIRST_TRAINING_SEED = 100_000
#: LPS, as DICOM has it, to RAS, as NIfTI has it.
_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def save(phantom: Phantom, image: Path, label: Path) -> None:
    """Write a phantom's HU and its spleen as NIfTI, axes (column, row, slice)."""
    affine = _RAS @ phantom.affine[:, [2, 1, 0, 3]]
    mask = (phantom.masks == LABELS["spleen"]).astype(np.uint8)
    for path, array in ((image, phantom.array), (label, mask)):
        path.parent.mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(array.transpose(2, 1, 0), affine), path)


def main() -> None:
    """Read the arguments and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("dataset"))
    parser.add_argument("--count", type=int, default=20, help="training studies")
    parser.add_argument("--held-out", type=int, default=2, help="test studies")
    parser.add_argument("--size", type=int, default=192, help="rows and columns")
    parser.add_argument("--slices", type=int, default=90)
    arguments = parser.parse_args()
    seeds = [("Tr", FIRST_TRAINING_SEED + i) for i in range(arguments.count)]
    seeds += [("Ts", i) for i in range(arguments.held_out)]
    shape = (arguments.slices, arguments.size, arguments.size)
    for part, seed in seeds:
        phantom = make_phantom(
            seed, shape=shape, spacing_mm=(3.0, 410 / arguments.size, 410 / arguments.size)
        )
        name = f"phantom_{seed}.nii.gz"
        save(phantom, arguments.folder / f"images{part}" / name, arguments.folder / f"labels{part}" / name)
        print(f"{part} {name}", flush=True)


if __name__ == "__main__":
    main()
