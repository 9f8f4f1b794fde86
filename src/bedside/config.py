"""``bedside.toml``: its schema, where each value came from, and the values of the domain in it.

Flag > environment > file > default. An unknown key is an error that names the nearest known one.
Environment variables are ``BEDSIDE_<SECTION>_<KEY>``, e.g. ``BEDSIDE_WORKER_COUNT=2``. Nothing is
read at import; `load` is the only reader.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_FILE = Path("bedside.toml")

Output = Literal["seg", "sr", "surface", "preview", "nifti"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SystemSettings(_Section):
    """Where this deployment keeps things."""

    root: Path = Field(Path("bedside-data"), description="Folder of the store and the ledger.")
    tenants: tuple[str, ...] = Field(("default",), description="Each has its own drop-box, jobs and results.")


class LedgerSettings(_Section):
    """The database of jobs and arrivals."""

    url: str = Field("", description="SQLAlchemy URL; empty is SQLite under system.root.")


class FileSetSettings(_Section):
    """A set of files that belongs together and is not DICOM, e.g. one recording."""

    name: str = Field(description="Name of the set, used by rules.")
    patterns: tuple[str, ...] = Field(description="One file must match each, with the same stem.")
    pipeline: str = Field(description="Pipeline that a complete set starts.")


class IntakeSettings(_Section):
    """When something in the drop-box is complete, and what is too much."""

    quiet_s: float = Field(5.0, ge=0, description="A folder or file is complete when unchanged this long.")
    poll_s: float = Field(1.0, gt=0, description="Pause between two looks at the drop-box.")
    max_files: int = Field(20_000, gt=0, description="Most files in one ZIP or folder.")
    max_bytes: int = Field(20 * 2**30, gt=0, description="Most bytes that one ZIP may unpack to.")
    max_ratio: float = Field(200.0, gt=1, description="Most times a ZIP may grow when unpacked.")
    file_set: tuple[FileSetSettings, ...] = Field((), description="Sets of other files than DICOM.")


class WorkerSettings(_Section):
    """How jobs are worked on."""

    count: int = Field(1, ge=0, description="Worker processes that serve starts.")
    pools: tuple[str, ...] = Field((), description="Queues to lease from; empty is every pool.")
    lease_s: float = Field(
        60.0, gt=0, description="Another worker takes over after this long without a heartbeat."
    )
    poll_s: float = Field(0.5, gt=0, description="Pause when there is nothing to do.")
    backoff_s: float = Field(5.0, ge=0, description="Wait before the second attempt; doubles each time.")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N.")
    warm: int = Field(2, ge=1, description="Models kept loaded; the least recently used goes first.")
    threads: int = Field(0, ge=0, description="CPU threads of a model; 0 is all cores.")


class LabelSettings(_Section):
    """What a voxel value means, where the bundle does not say or says otherwise."""

    name: str = ""
    code: tuple[str, str, str] | None = Field(None, description="Type: value, scheme, meaning.")
    category: tuple[str, str, str] | None = Field(None, description="Category: value, scheme, meaning.")
    colour: tuple[int, int, int] | None = Field(None, description="sRGB, 0-255.")


class AcceptSettings(_Section):
    """What a model accepts; overrides what the bundle's metadata says."""

    modality: tuple[str, ...] | None = None
    body_part: tuple[str, ...] | None = None
    min_slices: int | None = Field(None, ge=1)
    spacing_mm: tuple[float, float] | None = Field(None, description="Least and most, for every axis.")


class StageSettings(_Section):
    """One step of a pipeline."""

    name: str = ""
    bundle: Path | None = Field(None, description="MONAI bundle: a folder or an archive.")
    command: tuple[str, ...] = Field((), description="Program that reads {input} and writes {output}.")
    pool: str = Field("default", description="Queue of the workers that run it.")
    select: str = Field("", description="Which series to read, e.g. 'Modality == \"CT\"'.")
    outputs: tuple[Output, ...] = ("seg", "sr", "surface", "preview")
    labels: dict[str, LabelSettings] = Field(default_factory=dict, description="By voxel value.")
    accept: AcceptSettings = AcceptSettings()
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    engine: Literal["torch", "openvino", "compile"] = "torch"
    tolerance_dice: float = Field(0.999, ge=0, le=1, description="Least Dice against fp32 torch.")
    timeout_s: float = Field(3600.0, gt=0)


class PipelineSettings(StageSettings):
    """A pipeline; with one stage its keys stand here, with several under [[pipeline.stage]]."""

    name: str
    max_attempts: int = Field(3, ge=1, description="Attempts before a job is dead.")
    stage: tuple[StageSettings, ...] = ()


class RuleSettings(_Section):
    """Which arrivals start which pipeline."""

    name: str
    pipeline: str
    when: str = Field("", description="Expression over DICOM attributes; empty is always.")
    requires: tuple[str, ...] = Field((), description="Each must hold for some series.")
    priority: int = 0


class Settings(_Section):
    """The whole of ``bedside.toml``."""

    system: SystemSettings = SystemSettings()
    ledger: LedgerSettings = LedgerSettings()
    intake: IntakeSettings = IntakeSettings()
    worker: WorkerSettings = WorkerSettings()
    pipeline: tuple[PipelineSettings, ...] = ()
    rule: tuple[RuleSettings, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Settings and, per dotted key, where its value came from (``default``, a file, a variable, ``flag``)."""

    settings: Settings
    sources: Mapping[str, str]
    path: Path | None
