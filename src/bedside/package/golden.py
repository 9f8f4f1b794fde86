"""The golden case of a release: a study, and the label maps that the model found in it when it was packaged.

Owns the case's files, so that the same case can be read back out of any MAP and replayed anywhere. Masks
are kept as runs of voxels, which every machine writes in the same bytes (compressors differ between
versions). It refuses a study that does not state that its patient's identity was removed: a release goes
to registries.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bedside.dicom.create import SeriesSpec, write_series
from bedside.dicom.identify import identify
from bedside.dicom.removed import identity_removed
from bedside.dicom.reread import read_masks
from bedside.errors import ConfigError, ModelFailed, UsageError
from bedside.model.bundle import Bundle
from bedside.oci.descriptor import sha256_digest
from bedside.oci.parts import Entry
from bedside.phantom.make import make_phantom
from bedside.ports import Outcome

#: Where it lies in a MAP, relative to the root.
FOLDER = "opt/bedside/golden"
CASE = "golden.json"
_FORMAT = 1
_SEED = 2026
_SHAPE, _SPACING_MM = (64, 256, 256), (3.0, 1.4, 1.4)
_MOST_VOXELS = 2**32


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What a golden case is read from.

    Attributes:
        seed: Of the phantom, where it is one.
        modality: Of the phantom.
        body_part: Of the phantom.
        files: Instances of a given study.
    """

    seed: int = 0
    modality: str = "CT"
    body_part: str = "ABDOMEN"
    files: tuple[Path, ...] = ()

    @classmethod
    def phantom(cls, bundle: Bundle) -> "Study":
        """Return the example phantom, of the kind that a bundle accepts."""
        accepted = bundle.acceptance
        parts = accepted.body_parts
        return cls(
            seed=_SEED,
            modality="MR" if "MR" in accepted.modalities and "CT" not in accepted.modalities else "CT",
            body_part="ABDOMEN" if not parts or "ABDOMEN" in parts else min(parts),
        )

    @classmethod
    def given(cls, folder: Path) -> "Study":
        """Return a study of someone's, if it may travel in a release.

        Raises:
            UsageError: It holds no instance, or one that does not state that its patient cannot be told.
        """
        paths = [folder] if folder.is_file() else sorted(p for p in folder.rglob("*") if p.is_file())
        files = tuple(path for path in paths if identify(path))
        if not files:
            raise UsageError("golden study: no DICOM instance in it", hint="bedside package --help")
        named = sum(not identity_removed(path) for path in files)
        if named:
            raise UsageError(
                f"golden study: Patient Identity Removed (0012,0062) is not YES in {named} of {len(files)} "
                "instances, and the study would travel in the release",
                hint="de-identify it first (PS3.15 E), or leave --golden out to use a phantom",
            )
        return cls(files=files)

    def write(self, folder: Path) -> Path:
        """Write the study into a new folder, its files named by content; return the folder."""
        folder.mkdir(parents=True)
        for source in self.files:
            data = source.read_bytes()
            (folder / f"{hashlib.sha256(data).hexdigest()}.dcm").write_bytes(data)
        if not self.files:
            made = make_phantom(self.seed, shape=_SHAPE, spacing_mm=_SPACING_MM)
            array = made.array if self.modality == "CT" else np.clip(made.array + 1000, 0, 3000)
            spec = SeriesSpec(
                seed=f"bedside golden {self.seed}",
                modality=self.modality,
                body_part=self.body_part,
                description="SYNTHETIC ABDOMEN",
                study_description="SYNTHETIC GOLDEN CASE",
                patient_id=f"PHANTOM-{self.seed}",
            )
            write_series(folder, array.astype(np.int16), made.affine, spec=spec)
        return folder

    def to_json(self, folder: Path) -> dict[str, object]:
        """Return JSON values, with the hash of what was written to ``folder``."""
        if self.files:
            names = sorted(path.name for path in folder.iterdir())
            return {"files": [f"input/{name}" for name in names], "digest": digest_of(folder)}
        phantom = {"seed": self.seed, "modality": self.modality, "body_part": self.body_part}
        return {"phantom": phantom, "digest": digest_of(folder)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """A golden case.

    Attributes:
        document: Content of ``golden.json``: format, bundle, study, settings, expected.
        masks: Per label name, (slices, rows, columns), bool.
        numbers: A classifier's numbers.
        inputs: Names and files of a study that travels with the case; empty for a phantom.
    """

    document: Mapping[str, object]
    masks: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    inputs: Mapping[str, Path] = field(default_factory=dict)

    @property
    def voxels(self) -> int:
        """Voxels of all masks."""
        return sum(int(np.count_nonzero(mask)) for mask in self.masks.values())

    @property
    def sop_instance_uids(self) -> tuple[str, ...]:
        """Of the source images, in the order of the masks' slices."""
        return tuple(map(str, _list(_mapping(self.document, "expected"), "sop_instance_uids")))

    @property
    def settings(self) -> Mapping[str, object]:
        """Engine and precision that the answer is of."""
        return _mapping(self.document, "settings")

    @property
    def input_digest(self) -> str:
        """Of the study that was read."""
        return str(_mapping(self.document, "study").get("digest", ""))

    def write_study(self, folder: Path) -> Path:
        """Write the study to a new folder; return the folder."""
        phantom = _mapping(self.document, "study").get("phantom")
        if isinstance(phantom, Mapping):
            study = Study(
                seed=int(phantom["seed"]),
                modality=str(phantom["modality"]),
                body_part=str(phantom["body_part"]),
            )
            return study.write(folder)
        return Study(files=tuple(self.inputs.values())).write(folder)


def capture(
    bundle: Bundle, study: Study, folder: Path, outcome: Outcome, output: Path, *, precision: str = "fp32"
) -> Golden:
    """Keep what came of a golden study.

    Args:
        bundle: What ran.
        study: What it read.
        folder: Where the study was written.
        outcome: The run's report.
        output: The run's files.
        precision: In which the network ran.

    Raises:
        ModelFailed: The run wrote neither masks nor numbers.
    """
    inputs = outcome.report.get("inputs")
    uids = list(map(str, _list(inputs if isinstance(inputs, Mapping) else {}, "sop_instance_uids")))
    masks, numbers = answer_of(outcome, output, uids)
    if not masks and not numbers:
        raise ModelFailed("the run wrote neither masks nor numbers")
    labels = [
        {"name": name, "voxels": int(np.count_nonzero(mask)), "runs": f"masks/{number}.runs"}
        for number, (name, mask) in enumerate(masks.items(), start=1)
    ]
    shape = list(next(iter(masks.values())).shape) if masks else []
    document = {
        "format": _FORMAT,
        "bundle": {"digest": bundle.digest, "name": bundle.name, "version": bundle.version},
        "study": study.to_json(folder),
        "settings": {"engine": "torch", "precision": precision},
        "expected": {"shape": shape, "labels": labels, "sop_instance_uids": uids, "numbers": numbers},
    }
    files = {path.name: path for path in sorted(folder.iterdir())} if study.files else {}
    return Golden(document=document, masks=masks, numbers=numbers, inputs=files)


def answer_of(
    outcome: Outcome, output: Path, sop_instance_uids: Sequence[str]
) -> tuple[dict[str, NDArray[np.bool_]], dict[str, float]]:
    """Return the masks that a run wrote, re-read from its SEG, and its numbers.

    Raises:
        InputRejected: The SEG is none of these images.
    """
    seg = output / "dicom/seg.dcm"
    masks = dict(read_masks(seg, sop_instance_uids)) if seg.is_file() else {}
    numbers = outcome.report.get("numbers")
    found = numbers if isinstance(numbers, Mapping) else {}
    return masks, {str(name): float(value) for name, value in found.items() if value is not None}


def golden_entries(golden: Golden) -> list[Entry]:
    """Return the files of a golden case in a MAP, below `FOLDER`."""
    case = json.dumps(golden.document, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"
    entries = [Entry(path=f"{FOLDER}/{CASE}", content=case)]
    for number, mask in enumerate(golden.masks.values(), start=1):
        entries.append(Entry(path=f"{FOLDER}/masks/{number}.runs", content=runs_of(mask)))
    entries.extend(
        Entry(path=f"{FOLDER}/input/{name}", content=path) for name, path in sorted(golden.inputs.items())
    )
    return entries


def write_golden(golden: Golden, folder: Path) -> None:
    """Write a golden case to a folder, as it lies in a MAP."""
    for entry in golden_entries(golden):
        target = folder / entry.path.removeprefix(f"{FOLDER}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(entry.content if isinstance(entry.content, bytes) else entry.content.read_bytes())


def read_golden(folder: Path) -> Golden:
    """Read a golden case that was written to a folder, or taken out of a MAP.

    Raises:
        ConfigError: It is none, or not whole.
    """
    try:
        document = json.loads((folder / CASE).read_bytes())
        if document["format"] != _FORMAT:
            raise ConfigError(
                f"golden case: format {document['format']}, this bedside reads {_FORMAT}",
                hint="pip install --upgrade bedside",
            )
        expected = document["expected"]
        shape = tuple(int(size) for size in expected["shape"])
        masks = {
            str(label["name"]): mask_of((folder / _safe(label["runs"])).read_bytes(), shape)
            for label in expected["labels"]
        }
        inputs = {Path(name).name: folder / _safe(name) for name in document["study"].get("files", ())}
        numbers = {str(name): float(value) for name, value in expected["numbers"].items()}
    except FileNotFoundError as exc:
        raise ConfigError(
            f"golden case: {Path(str(exc.filename)).name} is missing",
            hint="package it again without --no-prove",
        ) from exc
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigError(f"golden case: cannot be read ({type(exc).__name__})") from exc
    return Golden(document=document, masks=masks, numbers=numbers, inputs=inputs)


def runs_of(mask: NDArray[np.bool_]) -> bytes:
    """Return a mask as runs: pairs of (first voxel, length), unsigned 32-bit, little endian.

    Raises:
        ConfigError: The mask has more voxels than 32 bits can number.
    """
    if mask.size >= _MOST_VOXELS:
        raise ConfigError(f"golden case: {mask.size} voxels, at most {_MOST_VOXELS} can be kept")
    padded = np.concatenate([[False], mask.reshape(-1), [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    runs = np.stack([edges[::2], edges[1::2] - edges[::2]], axis=1)
    return runs.astype("<u4").tobytes()


def mask_of(runs: bytes, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the mask of `runs_of`.

    Raises:
        ValueError: The runs leave the shape.
    """
    mask = np.zeros(int(np.prod(shape)), dtype=np.bool_)
    for start, length in np.frombuffer(runs, dtype="<u4").reshape(-1, 2).astype(np.int64):
        if start + length > mask.size:
            raise ValueError("a run leaves the mask")
        mask[start : start + length] = True
    return mask.reshape(shape)


def digest_of(folder: Path) -> str:
    """Return ``sha256:`` over the contents of a folder's files, whatever they are called."""
    parts = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir())
    return sha256_digest("\n".join(parts).encode())


def _safe(name: object) -> Path:
    path = Path(str(name))
    if path.is_absolute() or ".." in path.parts:
        raise ValueError("a path leads outside the case")
    return path


def _mapping(document: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = document.get(key)
    return found if isinstance(found, Mapping) else {}


def _list(document: Mapping[str, object], key: str) -> Sequence[object]:
    found = document.get(key)
    return found if isinstance(found, list | tuple) else ()
