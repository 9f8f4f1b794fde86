"""Stands in for a bundle's network in a proof of geometry: answers where something bright lies.

Owns the answer's form, which is the real network's (channels, structure, logits or probabilities or
labels), so that everything round the network (transforms, inferer, postprocessing) runs as it does for a
patient. It knows no coordinates: like a network it sees intensities and nothing else, so a transform that
turns voxels without saying so in the affine turns the answer with them. It refuses networks whose
channels are not those that the bundle's metadata names.
"""

from collections.abc import Mapping
from typing import Any

import torch
from monai.data.meta_tensor import MetaTensor
from torch import nn

from bedside.domain.volume import Label
from bedside.errors import ModelFailed

#: Larger than any rounding, small enough for every softmax.
_LOGIT = 10.0


class Probe:
    """A network's stand-in. Not for several threads at once.

    Args:
        network: The real one; called once, to learn the form of its answers.
        labels: What the bundle can find, from its metadata.
    """

    def __init__(self, network: nn.Module, labels: tuple[Label, ...]) -> None:
        self._network = network
        self._labels = _in_turn(labels)
        self._studies = 0
        self._label = self._labels[0]
        self._threshold = 0.0
        self._contrast = 0.0
        self._spacing_mm: tuple[float, ...] = ()
        self._form: Any = None
        self._form_size: tuple[int, ...] = ()

    def see(self, item: Any) -> None:
        """Look at a whole study as preprocessing leaves it, before its windows come.

        Each study is answered with the bundle's next label.
        """
        image = _image(item)
        self._label = self._labels[self._studies % len(self._labels)]
        self._studies += 1
        low, high = (float(image.min()), float(image.max())) if image.numel() else (0.0, 0.0)
        self._contrast = high - low
        self._threshold = (high + low) / 2 if self._contrast > 0 else float("inf")
        self._spacing_mm = ()
        if isinstance(image, MetaTensor):
            self._spacing_mm = tuple(float(length) for length in image.affine[:3, :3].norm(dim=0))

    def __call__(self, windows: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """Answer a batch of windows, (windows, channels, *space)."""
        if self._form is None:
            self._form = self._network(windows[:1], *args, **kwargs)
            self._form_size = tuple(windows.shape[2:])
        bright = windows[:, windows.shape[1] // 2, None] > self._threshold
        return self._answer(self._form, bright)

    def notes(self) -> dict[str, object]:
        """Return what the last study's result has to be read with: label, contrast, spacing. JSON values."""
        return {
            "label": self._label.value,
            "contrast": self._contrast,
            "spacing_mm": [round(length, 4) for length in self._spacing_mm],
        }

    def _answer(self, form: Any, bright: torch.Tensor) -> Any:
        if isinstance(form, torch.Tensor):
            return self._filled(form, bright) if form.ndim > 2 else form.expand(len(bright), *form.shape[1:])
        if isinstance(form, Mapping):
            return {key: self._answer(part, bright) for key, part in form.items()}
        if isinstance(form, (list, tuple)):
            return type(form)([self._answer(part, bright) for part in form])
        return form

    def _filled(self, form: torch.Tensor, bright: torch.Tensor) -> torch.Tensor:
        """Return a tensor of the real answer's form that holds the label where it is bright."""
        # Networks may answer at another resolution; studies differ in size where there are no windows.
        size = tuple(
            round(length * answered / shown)
            for length, answered, shown in zip(bright.shape[2:], form.shape[2:], self._form_size, strict=True)
        )
        if tuple(bright.shape[2:]) != size:
            bright = nn.functional.interpolate(bright.float(), size=size, mode="nearest") > 0
        channels = int(form.shape[1])
        if channels == 1:
            low, high = _levels(form, self._label.value)
            return torch.where(bright, high, low).to(form.dtype)
        low, high = _levels(form, 1)
        own = self._channel(channels)
        answer = torch.full((len(bright), channels, *size), low, dtype=form.dtype, device=form.device)
        answer[:, own, None][bright] = high
        if self._has_background(channels):
            answer[:, :1][~bright] = high
        return answer

    def _has_background(self, channels: int) -> bool:
        return channels > len(self._labels)

    def _channel(self, channels: int) -> int:
        own = self._label.value - (0 if self._has_background(channels) else 1)
        if not 0 <= own < channels:
            raise ModelFailed(
                f"network gives {channels} channels, none for label {self._label.value} "
                f"({self._label.name}) that metadata.json names",
                hint="correct channel_def in configs/metadata.json",
            )
        return own


def _in_turn(labels: tuple[Label, ...]) -> tuple[Label, ...]:
    """Return the labels, the last one second: few studies then tell whether all of them are shifted."""
    return labels if len(labels) < 3 else (labels[0], labels[-1], *labels[1:-1])


def _image(item: Any) -> torch.Tensor:
    """Return the image among what preprocessing leaves."""
    found = list(item.values()) if isinstance(item, Mapping) else [item]
    if isinstance(item, Mapping) and "image" in item:
        found.insert(0, item["image"])
    for value in found:
        if isinstance(value, torch.Tensor):
            return value
    raise ModelFailed("preprocessing leaves no tensor for the network")


def _levels(form: torch.Tensor, label: int) -> tuple[float, float]:
    """Return what the real network's form says for "not here" and "here"."""
    values = form.detach()
    if not values.is_floating_point():
        return 0.0, float(label)
    if form.shape[1] == 1 and bool((values >= 0).all() and (values == values.round()).all()):
        return 0.0, float(label)
    if bool((values >= 0).all() and (values <= 1).all()):
        return 0.0, 1.0
    # As far apart as the network's own answers: what follows may have thresholds of any size.
    return min(-_LOGIT, float(values.min())), max(_LOGIT, float(values.max()))
