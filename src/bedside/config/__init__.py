"""``bedside.toml``: its schema, where each value came from, and the one reader of it.

Flag > environment > file > default. An unknown key is an error that names the nearest known one.
Environment variables are ``BEDSIDE_<SECTION>_<KEY>``, e.g. ``BEDSIDE_WORKER_COUNT=2``. Nothing is
read at import; `load` is the only reader, so that every value has exactly one source to name.
"""

from bedside.config.deploy import DeploySettings, NightSettings, PoolSettings
from bedside.config.dicom import AeSettings, DicomSettings
from bedside.config.identity import IdentitySettings
from bedside.config.load import Loaded, load
from bedside.config.notify import MetricsSettings, NotifySettings
from bedside.config.settings import (
    DEFAULT_FILE,
    AcceptSettings,
    FileSetSettings,
    IntakeSettings,
    LabelSettings,
    LedgerSettings,
    MachineSettings,
    Output,
    PipelineSettings,
    RuleSettings,
    Settings,
    StageSettings,
    SystemSettings,
    WorkerSettings,
)
from bedside.config.shown import Shown, shown

__all__ = [
    "DEFAULT_FILE",
    "AcceptSettings",
    "AeSettings",
    "DeploySettings",
    "DicomSettings",
    "FileSetSettings",
    "IdentitySettings",
    "IntakeSettings",
    "LabelSettings",
    "LedgerSettings",
    "Loaded",
    "MachineSettings",
    "MetricsSettings",
    "NightSettings",
    "NotifySettings",
    "Output",
    "PipelineSettings",
    "PoolSettings",
    "RuleSettings",
    "Settings",
    "Shown",
    "StageSettings",
    "SystemSettings",
    "WorkerSettings",
    "load",
    "shown",
]
