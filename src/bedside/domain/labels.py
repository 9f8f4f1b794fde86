"""A model's labels and input guard, with what the deployment says instead.

Pure: JSON-like overrides from ``bedside.toml`` in, domain values out. Overrides name a label by its
voxel value, because names may be what is to be changed.
"""

from collections.abc import Mapping
from dataclasses import replace

from bedside.domain.acceptance import Acceptance
from bedside.domain.codes import label_for
from bedside.domain.volume import Code, Label
from bedside.errors import ConfigError


def override(labels: tuple[Label, ...], overrides: Mapping[str, Mapping[str, object]]) -> tuple[Label, ...]:
    """Return labels with the deployment's names, codes and colours.

    Args:
        labels: What the bundle says.
        overrides: By voxel value (a string, as TOML keys are): ``name``, ``code`` and ``category``
            (value, scheme, meaning) and ``colour`` (sRGB); None or a missing key keeps the bundle's. A
            value that the bundle does not name adds a label.

    Raises:
        ConfigError: A key is no voxel value, or a code or colour is not of its form.
    """
    known = {label.value: label for label in labels}
    for key, changes in overrides.items():
        if not key.isdecimal() or int(key) < 1:
            raise ConfigError(
                f"labels.{key}: not a voxel value; labels are named by whole numbers from 1",
                hint="bedside config show",
            )
        value = int(key)
        known[value] = _changed(known.get(value), value, changes)
    return tuple(known[value] for value in sorted(known))


def _changed(label: Label | None, value: int, changes: Mapping[str, object]) -> Label:
    name = str(changes.get("name") or "")
    if label is None:
        label = label_for(name or f"label {value}", value)
    elif name:
        label = replace(label_for(name, value), name=name) if name != label.name else label
    if changes.get("code"):
        label = replace(label, code=_code(changes["code"], f"labels.{value}.code"))
    if changes.get("category"):
        label = replace(label, category=_code(changes["category"], f"labels.{value}.category"))
    if changes.get("colour"):
        label = replace(label, colour=_colour(changes["colour"], f"labels.{value}.colour"))
    return label


def _code(parts: object, where: str) -> Code:
    if not isinstance(parts, (list, tuple)) or len(parts) != 3:
        raise ConfigError(f"{where}: needs three strings: value, scheme, meaning")
    value, scheme, meaning = (str(part) for part in parts)
    return Code(value=value, scheme=scheme, meaning=meaning)


def _colour(parts: object, where: str) -> tuple[int, int, int]:
    if not isinstance(parts, (list, tuple)) or len(parts) != 3:
        raise ConfigError(f"{where}: needs three numbers: red, green, blue")
    red, green, blue = (int(str(part)) for part in parts)
    if not all(0 <= part <= 255 for part in (red, green, blue)):
        raise ConfigError(f"{where}: {red}, {green}, {blue} are not all within 0–255")
    return red, green, blue


def accept(acceptance: Acceptance, overrides: Mapping[str, object]) -> Acceptance:
    """Return an input guard with the deployment's limits; a limit not overridden stays.

    Args:
        acceptance: What the bundle says.
        overrides: ``modality``, ``body_part`` (lists; an empty one accepts all), ``min_slices``,
            ``spacing_mm`` (least and most). None or a missing key keeps the bundle's.

    Raises:
        ConfigError: A limit is not of its form.
    """
    if overrides.get("modality") is not None:
        acceptance = replace(acceptance, modalities=_names(overrides["modality"], "accept.modality"))
    if overrides.get("body_part") is not None:
        acceptance = replace(acceptance, body_parts=_names(overrides["body_part"], "accept.body_part"))
    if overrides.get("min_slices") is not None:
        acceptance = replace(
            acceptance, min_slices=int(_number(overrides["min_slices"], "accept.min_slices"))
        )
    if overrides.get("spacing_mm") is not None:
        pair = overrides["spacing_mm"]
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ConfigError("accept.spacing_mm: needs two numbers, least and most")
        least, most = (_number(part, "accept.spacing_mm") for part in pair)
        if not 0 <= least <= most:
            raise ConfigError(f"accept.spacing_mm: {least:g}–{most:g} is no range")
        acceptance = replace(acceptance, spacing_mm=(least, most))
    return acceptance


def _names(values: object, where: str) -> frozenset[str]:
    if isinstance(values, str):
        values = [values]
    if not isinstance(values, (list, tuple, set, frozenset)):
        raise ConfigError(f"{where}: needs a list of names")
    return frozenset(str(value).strip().upper() for value in values)


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigError(f"{where}: {value!r} is no number")
    return float(value)
