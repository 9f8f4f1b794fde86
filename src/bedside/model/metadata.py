"""What a bundle's ``metadata.json`` says: names, labels, outputs, and what the model accepts.

Owns the reading of MONAI's metadata schema; it never invents a limit: what the metadata does not state
is accepted, and an optional ``bedside`` key in the same file may state it. See the MONAI bundle
specification, "metadata.json File".
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bedside.domain.acceptance import Acceptance
from bedside.domain.codes import label_for
from bedside.domain.labels import accept, override
from bedside.domain.volume import Label
from bedside.errors import ConfigError

#: Modality as bundles write it → Modality (0008,0060). Anything else states no modality.
_MODALITIES = {
    "CT": "CT",
    "MR": "MR",
    "MRI": "MR",
    "PT": "PT",
    "PET": "PT",
    "US": "US",
    "CR": "CR",
    "DX": "DX",
}
_BACKGROUND = frozenset({"background", "bg", "other", "others"})
#: Values of ``format`` of an output that is a mask.
_MASK_FORMATS = frozenset({"segmentation", "labels", "label", "mask", "masks", "segmentation mask"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The part of ``metadata.json`` that bedside uses.

    Attributes:
        name: Of the bundle.
        version: Of the bundle.
        task: What it does, for people.
        inputs: Names of the network's inputs, e.g. ``("image",)``.
        channels: Names of the output's channels in order, background included.
        first_is_background: Whether channel 0 is background, so that channel and voxel value agree.
        labels: Of the masks; empty for a model that gives numbers.
        acceptance: What the model accepts.
    """

    name: str
    version: str
    task: str
    inputs: tuple[str, ...]
    channels: tuple[str, ...]
    first_is_background: bool
    labels: tuple[Label, ...]
    acceptance: Acceptance


def read_metadata(document: object, *, name: str) -> Metadata:
    """Return what a parsed ``metadata.json`` says.

    Args:
        document: The parsed JSON.
        name: Name to use where the metadata states none.

    Raises:
        ConfigError: A part that bedside needs is not of its form.
    """
    root = _mapping(document, "metadata.json")
    data_format = _mapping(root.get("network_data_format", {}), "network_data_format")
    inputs = _mapping(data_format.get("inputs", {}), "network_data_format.inputs")
    outputs = _mapping(data_format.get("outputs", {}), "network_data_format.outputs")
    output = _mapping(
        outputs.get("pred", next(iter(outputs.values()), {})), "network_data_format.outputs.pred"
    )
    channels = _channels(output)
    first_is_background = bool(channels) and channels[0].lower() in _BACKGROUND
    ours = _mapping(root.get("bedside", {}), "bedside")
    labels = _labels(channels, first_is_background) if _is_mask(output) else ()
    return Metadata(
        name=str(root.get("name") or name),
        version=str(root.get("version") or "0"),
        task=str(root.get("task") or root.get("description") or ""),
        inputs=tuple(str(key) for key in inputs),
        channels=channels,
        first_is_background=first_is_background,
        labels=override(labels, _overrides(ours)),
        acceptance=accept(_acceptance(inputs), _mapping(ours.get("accepts", {}), "bedside.accepts")),
    )


def _mapping(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"metadata.json: {where} is {type(value).__name__}, not an object")
    return value


def _channels(output: Mapping[str, object]) -> tuple[str, ...]:
    named = output.get("channel_def") or {}
    if isinstance(named, list):
        named = {str(index): name for index, name in enumerate(named)}
    named = _mapping(named, "channel_def")
    try:
        indices = {int(key): str(name) for key, name in named.items()}
    except ValueError as exc:
        raise ConfigError(f"metadata.json: channel_def has a key that is no channel number ({exc})") from exc
    count = output.get("num_channels")
    size = max([*indices, (int(count) - 1) if isinstance(count, int) and not indices else -1]) + 1
    return tuple(
        indices.get(index, f"label {index}" if indices or index else "background") for index in range(size)
    )


def _is_mask(output: Mapping[str, object]) -> bool:
    kind, form = str(output.get("type", "image")).lower(), str(output.get("format", "")).lower()
    return kind in {"image", "segmentation", "label", "labels"} or form in _MASK_FORMATS


def _labels(channels: tuple[str, ...], first_is_background: bool) -> tuple[Label, ...]:
    first = 0 if first_is_background else 1
    return tuple(
        label_for(name, index + first)
        for index, name in enumerate(channels)
        if not (first_is_background and index == 0)
    )


def _acceptance(inputs: Mapping[str, object]) -> Acceptance:
    image = inputs.get("image", next(iter(inputs.values()), {}))
    stated = image.get("modality", "") if isinstance(image, Mapping) else ""
    values = stated if isinstance(stated, list) else str(stated).replace(",", "/").split("/")
    known = {_MODALITIES.get(str(value).strip().upper(), "") for value in values}
    return Acceptance(modalities=frozenset(known) if known and "" not in known else frozenset())


def _overrides(ours: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    labels = _mapping(ours.get("labels", {}), "bedside.labels")
    return {key: _mapping(value, f"bedside.labels.{key}") for key, value in labels.items()}
