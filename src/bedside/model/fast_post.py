"""The usual end of a pipeline: activation, Invertd, AsDiscreted, without full-size float volumes.

Owns the equivalent that makes the decision first. Interpolation takes a weighted mean of eight corners: where
all eight agree, and by more than rounding could undo, the label is known without interpolating. Only the
seams between labels are interpolated, in MONAI's own arithmetic (`bedside.model.interpolation`), so the
labels are those of MONAI, voxel for voxel. Everything not recognised exactly is left to MONAI.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from monai.data.meta_tensor import MetaTensor
from monai.transforms import Activationsd, AsDiscreted, Invertd
from monai.transforms.transform import apply_transform
from numpy.typing import NDArray

from bedside.model.capture import CaptureImaged
from bedside.model.fast_pre import is_plain, placement_between
from bedside.model.interpolation import Line, Placement, lines, sampled_points
from bedside.model.program import flat
from bedside.model.resampling import in_slabs, recorded

_KEY = "pred"
#: A margin between labels that no rounding undoes: of probabilities, and of a network's raw outputs.
_SURE = 1e-4
_SURE_RAW = 1e-2
_SURE_SHARE = 1e-5
#: Doubtful voxels decided together: bounds memory at a few hundred bytes each.
_CHUNK = 250_000
_MOST_LABELS = 254
#: Planes of the network's grid looked at together.
_ROWS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decision:
    """How channels become labels: the largest wins, or each passes a threshold."""

    before: Callable[[torch.Tensor], torch.Tensor] | None
    after: Callable[[torch.Tensor], torch.Tensor] | None
    threshold: float | None
    sure: float
    limit: float

    def final(self, values: torch.Tensor) -> torch.Tensor:
        """Decide from interpolated single-precision values (channels, n), as AsDiscrete does."""
        if self.after is not None:
            values = self.after(values)
        if self.threshold is None:
            return torch.argmax(values, dim=0, keepdim=True).to(torch.uint8)
        return (values >= self.threshold).to(torch.uint8)


def finished(postprocessing: Any, data: dict[str, Any]) -> dict[str, Any]:
    """Run a bundle's postprocessing, by equivalents where they are known to be equal.

    Args:
        postprocessing: The bundle's pipeline.
        data: The batch's item and the network's output, as MONAI's engines join them.

    Returns:
        The dictionary that the pipeline leaves.
    """
    transforms = flat(postprocessing)
    with in_slabs():
        if not is_plain(postprocessing):
            return dict(postprocessing(data))
        count = 0
        recognised = _recognised(transforms)
        if recognised:
            discrete = _inverted(recognised[1], recognised[2], data)
            if discrete is not None:
                count = recognised[0]
                # A transform that goes on computing expects what AsDiscreted gives: single precision.
                only_saved = all(type(transform) is CaptureImaged for transform in transforms[count:])
                data = data | {_KEY: discrete if only_saved else discrete.float().contiguous()}
        for transform in transforms[count:]:
            done = _largest(transform, data)
            data = data | {_KEY: done} if done is not None else apply_transform(transform, data)
        return data


def _only_pred(transform: Any) -> bool:
    return tuple(transform.keys) == (_KEY,)


def _activation(transform: Any) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """Return what an Activationsd computes, or None where it is not one of the known."""
    if type(transform) is not Activationsd or not _only_pred(transform) or transform.other[0] is not None:
        return None
    if transform.converter.kwargs or transform.converter.other is not None:
        return None
    if transform.softmax[0] and not transform.sigmoid[0]:
        return lambda values: torch.softmax(values, dim=0)
    if transform.sigmoid[0] and not transform.softmax[0]:
        return torch.sigmoid
    return None


def _discretised(transform: Any) -> tuple[bool, float | None] | None:
    """Return (argmax, threshold) of an AsDiscreted that does one of the two and nothing else."""
    if type(transform) is not AsDiscreted or not _only_pred(transform):
        return None
    if transform.to_onehot[0] is not None or transform.rounding[0] is not None or transform.converter.kwargs:
        return None
    argmax, threshold = bool(transform.argmax[0]), transform.threshold[0]
    if argmax == (threshold is not None):
        return None
    return argmax, threshold


def _recognised(transforms: list[Any]) -> tuple[int, Any, _Decision] | None:
    """Return how many transforms are replaced, the Invertd among them, and the decision they make."""
    rest = list(transforms)
    before = _activation(rest[0]) if rest else None
    if before is not None:
        rest.pop(0)
    if not rest or type(rest[0]) is not Invertd or not _only_pred(rest[0]):
        return None
    invert = rest.pop(0)
    if callable(invert.post_func[0]) or invert.nearest_interp[0]:
        return None
    after = _activation(rest[0]) if rest and before is None else None
    if after is not None:
        rest.pop(0)
    found = _discretised(rest[0]) if rest else None
    if found is None:
        return None
    _, threshold = found
    raw = before is None
    limit = math.nan if threshold is None else float(threshold)
    if threshold is not None and after is not None:
        if after is not torch.sigmoid or not 0 < threshold < 1:
            return None
        limit = math.log(threshold / (1 - threshold))
    decision = _Decision(
        before=before, after=after, threshold=threshold, sure=_SURE_RAW if raw else _SURE, limit=limit
    )
    return len(transforms) - len(rest) + 1, invert, decision


def _inverted(invert: Any, decision: _Decision, data: Mapping[str, Any]) -> Any:
    """Return the discrete prediction on the grid before preprocessing, or None where MONAI has to do it."""
    prediction, image = data.get(_KEY), data.get(invert.orig_keys[0])
    if not isinstance(prediction, torch.Tensor) or not isinstance(image, MetaTensor):
        return None
    if prediction.ndim != 4 or prediction.dtype != torch.float32 or prediction.device.type != "cpu":
        return None
    if prediction.shape[0] > _MOST_LABELS or (decision.threshold is None and prediction.shape[0] < 2):
        return None
    empty = MetaTensor(torch.empty((0, *prediction.shape[1:])), meta=deepcopy(image.meta))
    if tuple(image.shape[1:]) != tuple(prediction.shape[1:]):
        return None
    start = np.asarray(image.affine)
    with recorded() as requests:
        bookkept = invert({**data, _KEY: empty})[_KEY]
    if len(requests) != 1 or not isinstance(bookkept, MetaTensor):
        return None
    request = requests[0]
    between = start @ np.asarray(request.transform)
    placement = placement_between(between, np.asarray(bookkept.affine))
    axes = request.axes()
    if placement is None or axes is None or request.in_size != tuple(prediction.shape[1:]):
        return None
    if [request.out_size[axis] for axis in placement.order] != list(bookkept.shape[1:]):
        return None
    values = prediction.as_tensor() if isinstance(prediction, MetaTensor) else prediction
    if decision.before is not None:
        values = decision.before(values)
    elif values.numel():
        decision = replace(decision, sure=max(decision.sure, float(values.abs().max()) * _SURE_SHARE))
    by_axis = lines(axes, Placement(order=(0, 1, 2), flipped=(False, False, False)))
    labels = _decided(values.contiguous(), by_axis, placement, decision)
    return MetaTensor(labels, meta=bookkept.meta, applied_operations=bookkept.applied_operations)


def _decided(
    values: torch.Tensor, by_axis: list[Line], placement: Placement, decision: _Decision
) -> torch.Tensor:
    """Decide every voxel of the output grid.

    Args:
        values: (channels, i, j, k) float32 on the network's grid.
        by_axis: How (i, j, k) are sampled.
        placement: How the sampled axes make the output's.
        decision: How channels become labels.

    Returns:
        (1 or channels, i', j', k') uint8, a view whose memory runs k' slowest, as a series' does.
    """
    channels = [channel.numpy() for channel in values]
    if decision.threshold is None:
        codes = [_codes_of_largest(values, decision.sure).numpy()]
    else:
        codes = [_codes_of_threshold(channel, decision).numpy() for channel in values]
    # Memory order of a series: slices, rows, columns are the output's third, second and first axis.
    order = [placement.order[axis] for axis in (2, 1, 0)]
    flipped = [placement.flipped[axis] for axis in (2, 1, 0)]
    turned = [_turned(by_axis[axis], back) for axis, back in zip(order, flipped, strict=True)]
    results = []
    for number, code in enumerate(codes):
        sure = _agreeing(code).transpose(order)
        used = channels if decision.threshold is None else [channels[number]]
        seams = _Seams(used, by_axis, order, turned, decision)
        results.append(_spread(np.ascontiguousarray(sure), turned, seams))
    return torch.from_numpy(np.stack(results)).permute(0, 3, 2, 1)


def _codes_of_largest(values: torch.Tensor, sure: float) -> torch.Tensor:
    """Return label + 1 where the largest channel leads by more than ``sure``, else 0; uint8."""
    codes = torch.ones(values.shape[1:], dtype=torch.uint8)
    for start in range(0, values.shape[1], _ROWS):  # in parts: the temporaries are as large as the input
        part, code = values[:, start : start + _ROWS], codes[start : start + _ROWS]
        best = part[0].clone()
        second = torch.full_like(best, -math.inf)
        for number in range(1, len(part)):
            channel = part[number]
            second = torch.maximum(second, torch.minimum(best, channel))
            code[channel > best] = number + 1
            best = torch.maximum(best, channel)
        code[~((best - second) > sure)] = 0  # also where a value is not a number
    return codes


def _codes_of_threshold(channel: torch.Tensor, decision: _Decision) -> torch.Tensor:
    """Return 2 well above the threshold, 1 well below it, else 0; uint8."""
    above = (channel > decision.limit + decision.sure).to(torch.uint8)
    below = (channel < decision.limit - decision.sure).to(torch.uint8)
    return above * 2 + below


def _agreeing(code: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return each cell's code where its eight corners have the same, else 0. The last cell is its corner."""
    for axis in range(3):
        first: list[Any] = [slice(None)] * 3
        first[axis] = slice(None, -1)
        following = list(first)
        following[axis] = slice(1, None)
        cell = code.copy()
        cell[tuple(first)] *= code[tuple(first)] == code[tuple(following)]
        code = cell
    return code


def _turned(line: Line, back: bool) -> Line:
    """Return a line whose output runs the other way."""
    if not back:
        return line
    return Line(
        low=line.low[::-1],
        high=line.high[::-1],
        low_weight=line.low_weight[::-1],
        high_weight=line.high_weight[::-1],
        nearest=line.nearest[::-1],
    )


class _Seams:
    """Decides the voxels between labels by interpolating them as MONAI does."""

    def __init__(
        self,
        channels: list[NDArray[np.float32]],
        by_axis: list[Line],
        order: Sequence[int],
        turned: list[Line],
        decision: _Decision,
    ) -> None:
        self._channels = channels
        self._decision = decision
        # Lines by axis of the network's grid, with outputs numbered as in memory.
        self._lines = list(by_axis)
        for axis, line in zip(order, turned, strict=True):
            self._lines[axis] = line
        self._order = order

    def decide(self, plane: NDArray[np.uint8], index: int) -> None:
        """Fill in the undecided (0) voxels of one output plane, with codes (label + 1)."""
        where = np.flatnonzero(plane.reshape(-1) == 0)
        for start in range(0, where.size, _CHUNK):
            part = where[start : start + _CHUNK]
            second, third = np.divmod(part, plane.shape[1])
            in_memory = (np.full_like(part, index), second, third)
            points = tuple(in_memory[list(self._order).index(axis)] for axis in range(3))
            values = sampled_points(self._channels, self._lines, (points[0], points[1], points[2]), (0, 1, 2))
            labels = self._decision.final(torch.from_numpy(values).float())
            plane.reshape(-1)[part] = labels[0].numpy() + 1


def _spread(sure: NDArray[np.uint8], turned: list[Line], seams: _Seams) -> NDArray[np.uint8]:
    """Give every output voxel its cell's label, and decide the rest; (slices, rows, columns) uint8."""
    rows_low, columns_low = turned[1].low, turned[2].low
    result = np.empty([len(line.low) for line in turned], dtype=np.uint8)

    def planes(indices: range) -> None:
        kept, plane = -1, np.empty(0, dtype=np.uint8)
        for index in indices:
            cell = int(turned[0].low[index])
            if cell != kept:
                plane = np.take(np.take(sure[cell], columns_low, axis=1), rows_low, axis=0)
                kept = cell
            result[index] = plane
            seams.decide(result[index], index)
            result[index] -= 1

    threads = max(1, min(torch.get_num_threads(), len(result)))
    share = -(-len(result) // threads)
    with ThreadPoolExecutor(threads) as pool:  # numpy lets go of the interpreter lock
        list(pool.map(planes, [range(n * share, min((n + 1) * share, len(result))) for n in range(threads)]))
    return result


def _largest(transform: Any, data: Mapping[str, Any]) -> Any:
    """Do AsDiscreted(argmax) without torch's slow reduction along the first axis; None for any other."""
    found = _discretised(transform)
    prediction = data.get(_KEY)
    if (
        found is None
        or not found[0]
        or not isinstance(prediction, MetaTensor)
        or prediction.device.type != "cpu"
    ):
        return None
    if not prediction.is_floating_point() or not 2 <= prediction.shape[0] <= _MOST_LABELS:
        return None
    values = prediction.as_tensor()
    best, label = values[0].clone(), torch.zeros(values.shape[1:])
    for number in range(1, len(values)):
        better = values[number] > best
        label[better] = float(number)
        best[better] = values[number][better]
    if bool(torch.isnan(values).any()):  # argmax takes the first of them
        return None
    return MetaTensor(label[None], meta=prediction.meta, applied_operations=prediction.applied_operations)
