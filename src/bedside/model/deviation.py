"""How far another engine or precision is from fp32 torch, measured and held against a tolerance.

Owns the comparison and the refusal. A deviation is measured once per session, on a part of the first
study chosen round what the model found there: where there is nothing to find, agreement proves little.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bedside.domain.volume import ModelOutput, Segmentation, Volume
from bedside.errors import ConfigError
from bedside.model.bundle import Bundle

#: Side of the part that is compared, in millimetres: a few windows of the usual models.
_PROBE_MM = 200.0


class _Chosen(Protocol):
    @property
    def engine(self) -> str: ...
    @property
    def precision(self) -> str: ...
    @property
    def tolerance_dice(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """What was measured.

    Attributes:
        dice: Per label name, against fp32 torch; 1 where both found nothing.
        voxels: Voxels that differ.
        of: Voxels compared.
        numbers: Largest difference of a classifier's numbers.
    """

    dice: Mapping[str, float] = field(default_factory=dict)
    voxels: int = 0
    of: int = 0
    numbers: float = 0.0

    def as_note(self) -> dict[str, object]:
        """Return it as JSON values."""
        return {
            "dice": dict(self.dice),
            "voxels": self.voxels,
            "of": self.of,
            "numbers": self.numbers,
            "against": "torch fp32",
        }

    def check(self, options: _Chosen, bundle: Bundle) -> None:
        """Refuse an engine and precision that deviate too much.

        Raises:
            ConfigError: A label's Dice is below the tolerance, or a number is off by more than its
                distance from 1.
        """
        chosen = f"bundle {bundle.name} with engine {options.engine}, precision {options.precision}"
        hint = 'set precision = "fp32" and engine = "torch", or state another tolerance_dice'
        for name, dice in self.dice.items():
            if dice < options.tolerance_dice:
                raise ConfigError(
                    f"{chosen}: Dice of {name} against fp32 torch is {dice:.5f}, "
                    f"below {options.tolerance_dice:g} ({self.voxels} of {self.of} voxels differ)",
                    hint=hint,
                )
        if self.numbers > 1 - options.tolerance_dice:
            raise ConfigError(
                f"{chosen}: numbers differ from fp32 torch by {self.numbers:.5f}, "
                f"more than {1 - options.tolerance_dice:.5f}",
                hint=hint,
            )


def compare(reference: ModelOutput, other: ModelOutput) -> Deviation:
    """Compare two outputs of one model on one volume."""
    numbers = [abs(reference.numbers[name] - other.numbers.get(name, np.inf)) for name in reference.numbers]
    result = Deviation(numbers=float(max(numbers, default=0.0)))
    if reference.segmentation is None or other.segmentation is None:
        return result
    dice = {}
    for label in reference.segmentation.labels:
        ours = other.segmentation.mask(label) if label in other.segmentation.labels else None
        dice[label.name] = _dice(reference.segmentation.mask(label), ours)
    differing = int(np.count_nonzero(reference.segmentation.array != other.segmentation.array))
    return replace(result, dice=dice, voxels=differing, of=int(reference.segmentation.array.size))


def _dice(first: NDArray[np.bool_], second: NDArray[np.bool_] | None) -> float:
    if second is None:
        return 0.0 if first.any() else 1.0
    total = int(first.sum()) + int(second.sum())
    return 2.0 * int(np.count_nonzero(first & second)) / total if total else 1.0


def probe_of(volume: Volume, found: Segmentation | None) -> Volume:
    """Return the part of a volume on which engines are compared.

    Args:
        volume: The study.
        found: What the model found in it, or None.

    Returns:
        A box of at most `_PROBE_MM` a side round the middle of what was found, or of the volume.
    """
    if found is None:
        return volume
    shape = np.array(volume.array.shape)
    masks = found.array if found.overlapping else found.array[None]
    filled: NDArray[np.bool_] = np.asarray(masks.any(axis=0))
    where = [np.flatnonzero(filled.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
    middle = np.array([(w[0] + w[-1]) // 2 if w.size else s // 2 for w, s in zip(where, shape, strict=True)])
    size = np.minimum(shape, np.ceil(_PROBE_MM / np.array(volume.source_spacing_mm)).astype(int))
    start = np.clip(middle - size // 2, 0, shape - size)
    box = tuple(slice(int(a), int(a + b)) for a, b in zip(start, size, strict=True))
    affine = volume.affine.copy()
    affine[:3, 3] = volume.affine[:3] @ np.array([*start, 1.0])
    return replace(volume, array=np.ascontiguousarray(volume.array[box]), affine=affine)
