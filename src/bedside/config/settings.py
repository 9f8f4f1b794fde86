"""The schema of ``bedside.toml``: every section, key, type, default and its one-line meaning.

Owns what can be said; refuses to read anything (`load` does). Frozen pydantic models, because the
JSON schema and the documentation are generated from them and so cannot drift.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bedside.config.deploy import DeploySettings
from bedside.config.dicom import DicomSettings
from bedside.config.identity import IdentitySettings
from bedside.config.notify import MetricsSettings, NotifySettings
from bedside.config.portal import PortalSettings
from bedside.config.serve import ServeSettings
from bedside.config.upload import UploadSettings

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


class StoreSettings(_Section):
    """Where the objects of the tenants lie."""

    url: str = Field("", description="s3://BUCKET or s3://BUCKET/PREFIX; empty is the folder system.root.")
    endpoint_url: str = Field("", description="Of an S3-compatible server that is not AWS.")


class QueueSettings(_Section):
    """Events of the drop-box and hints of waiting jobs, where a queue brings them (SQS)."""

    url: str = Field("", description="SQS queue of S3 events and job hints; empty watches the drop-box.")
    pools: dict[str, str] = Field(
        default_factory=dict,
        description="URL of the SQS queue of each pool's hints; of a pool that is not here, url.",
    )
    dead_url: str = Field("", description="SQS queue of what url buried; empty asks SQS which it is.")


class ArchiveSettings(_Section):
    """Where results go that a viewer or a PACS shall have."""

    datastore: str = Field("", description="Id of an AWS HealthImaging datastore; empty archives nothing.")
    role: str = Field("", description="ARN of the role that import jobs read the store with.")
    studies: bool = Field(True, description="Archive the study too that a result was read from.")


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
    grace_s: float = Field(
        20.0, ge=0, description="How long a job may go on after a wish to stop, before it is given back."
    )
    backoff_s: float = Field(5.0, ge=0, description="Wait before the second attempt; doubles each time.")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N.")
    warm: int = Field(2, ge=1, description="Models kept loaded; the least recently used goes first.")
    threads: int = Field(0, ge=0, description="CPU threads of a model; 0 is all cores.")
    engine: Literal["auto", "podman", "docker", "runc", "none"] = Field(
        "auto",
        description="Runs MAPs: podman, docker, runc, none (the kernel alone), or the first that works.",
    )
    container_memory_bytes: int = Field(
        0, ge=0, description="Most memory of a MAP's container; 0 is no limit."
    )
    container_pids: int = Field(4096, ge=1, description="Most processes and threads of a MAP's container.")


class MachineSettings(_Section):
    """What this machine is and costs, so that results can say what they took."""

    type: str = Field("", description="Kind of machine, e.g. g4dn.xlarge; empty leaves costs out of results.")
    price_usd_per_h: float = Field(0.0, ge=0, description="What an hour of it costs, in USD.")


class LabelSettings(_Section):
    """What a voxel value means, where the bundle does not say or says otherwise."""

    name: str = Field("", description="Name of the structure; empty keeps the bundle's.")
    code: tuple[str, str, str] | None = Field(None, description="Type: value, scheme, meaning.")
    category: tuple[str, str, str] | None = Field(None, description="Category: value, scheme, meaning.")
    colour: tuple[int, int, int] | None = Field(None, description="sRGB, 0-255.")


class AcceptSettings(_Section):
    """What a model accepts; overrides what the bundle's metadata says."""

    modality: tuple[str, ...] | None = Field(None, description="Modality (0008,0060) values.")
    body_part: tuple[str, ...] | None = Field(None, description="Body Part Examined (0018,0015) values.")
    min_slices: int | None = Field(None, ge=1, description="Fewest slices of a series.")
    spacing_mm: tuple[float, float] | None = Field(None, description="Least and most, for every axis.")


class StageSettings(_Section):
    """One step of a pipeline."""

    name: str = Field("", description="Name of the stage, unique in its pipeline; empty is its number.")
    bundle: Path | None = Field(None, description="MONAI bundle: a folder or an archive.")
    map: str = Field("", description="MAP: an OCI layout folder, an archive of one, a registry reference.")
    command: tuple[str, ...] = Field((), description="Program that reads {input} and writes {output}.")
    pool: str = Field("default", description="Queue of the workers that run it.")
    select: str = Field("", description="Which series to read, e.g. 'Modality == \"CT\"'.")
    outputs: tuple[Output, ...] = Field(
        ("seg", "sr", "surface", "preview"), description="What to write besides result.json."
    )
    labels: dict[str, LabelSettings] = Field(default_factory=dict, description="By voxel value.")
    accept: AcceptSettings = Field(AcceptSettings(), description="Overrides of what the model accepts.")
    precision: Literal["fp32", "bf16", "fp16"] = Field("fp32", description="Number format of the network.")
    engine: Literal["torch", "openvino", "compile"] = Field("torch", description="What runs the network.")
    tolerance_dice: float = Field(0.999, ge=0, le=1, description="Least Dice against fp32 torch.")
    timeout_s: float = Field(3600.0, gt=0, description="Longest run before the attempt is ended.")


class PipelineSettings(StageSettings):
    """A pipeline; with one stage its keys stand here, with several under [[pipeline.stage]]."""

    name: str = Field(description="Unique name, used by rules.")
    max_attempts: int = Field(3, ge=1, description="Attempts at a stage before its job is dead.")
    stage: tuple[StageSettings, ...] = Field((), description="Several stages, in order.")


class RuleSettings(_Section):
    """Which arrivals start which pipeline."""

    name: str = Field(description="Unique name, shown by `job why`.")
    pipeline: str = Field(description="The pipeline it starts.")
    when: str = Field("", description="Expression over DICOM attributes; empty is always.")
    requires: tuple[str, ...] = Field((), description="Each must hold for some series.")
    priority: int = Field(0, description="Of the jobs it makes; higher runs first.")


class Settings(_Section):
    """The whole of ``bedside.toml``."""

    system: SystemSettings = Field(SystemSettings(), description="Where this deployment keeps things.")
    ledger: LedgerSettings = Field(LedgerSettings(), description="The database of jobs and arrivals.")
    store: StoreSettings = Field(StoreSettings(), description="Where the tenants' objects lie.")
    queue: QueueSettings = Field(QueueSettings(), description="What brings events of the drop-box.")
    archive: ArchiveSettings = Field(ArchiveSettings(), description="Where results are archived.")
    identity: IdentitySettings = Field(IdentitySettings(), description="Who says who people are.")
    intake: IntakeSettings = Field(IntakeSettings(), description="What the drop-box takes, and when.")
    worker: WorkerSettings = Field(WorkerSettings(), description="How jobs are worked on.")
    serve: ServeSettings = Field(ServeSettings(), description="What `bedside serve` answers to.")
    portal: PortalSettings = Field(PortalSettings(), description="Pages and API for browsers and scripts.")
    upload: UploadSettings = Field(
        UploadSettings(), description="What people may send through the portal, in parts."
    )
    dicom: DicomSettings = Field(
        DicomSettings(), description="What `bedside serve` receives by C-STORE, and from whom."
    )
    machine: MachineSettings = Field(MachineSettings(), description="What this machine costs.")
    notify: NotifySettings = Field(
        NotifySettings(), description="Who is told when something needs a person; each channel gets all."
    )
    metrics: MetricsSettings = Field(MetricsSettings(), description="Where counts and times of jobs go.")
    pipeline: tuple[PipelineSettings, ...] = Field((), description="What can run on a study.")
    rule: tuple[RuleSettings, ...] = Field((), description="Which arrivals start which pipeline.")
    deploy: DeploySettings = Field(
        DeploySettings(),
        description="What `bedside deploy` makes on AWS.",
    )

    @property
    def sending_origins(self) -> tuple[str, ...]:
        """Pages that may send to buckets: those of deploy.cors_origins, and the portal where it has a url."""
        return tuple(dict.fromkeys(filter(None, (*self.deploy.cors_origins, self.portal.url))))
