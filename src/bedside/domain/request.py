"""What a model is asked to do with a study: the content of the protocol's ``run`` message."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bedside.domain.outputs import DEFAULT_OUTPUTS
from bedside.domain.pipeline import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """One study for one model.

    Attributes:
        job_identity: Seed of all derived UIDs.
        arrival_id: What is read, for the record.
        release: Digest of the model.
        release_name: Its name, for people and for the DICOM header.
        release_version: Its version, likewise.
        content_at: Date and time of derived objects, UTC.
        select: Expression that chooses the series; empty takes the only one that fits the model.
        outputs: Of `bedside.domain.outputs.OUTPUTS`.
        labels: Overrides of label names, codes and colours by voxel value; JSON values as in
            ``bedside.toml``.
        accept: Overrides of the input guard (modality, body_part, spacing_mm); JSON values.
    """

    job_identity: str
    arrival_id: str
    release: str
    release_name: str
    release_version: str
    content_at: datetime
    select: str = ""
    outputs: tuple[str, ...] = DEFAULT_OUTPUTS
    labels: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    accept: Mapping[str, object] = field(default_factory=dict)


def request_settings(stage: Stage) -> dict[str, Any]:
    """Return the settings of a stage that a request carries, as arguments of `RunRequest`."""
    settings = stage.settings
    outputs, labels, accept = settings.get("outputs"), settings.get("labels"), settings.get("accept")
    return {
        "select": str(settings.get("select", "")),
        "outputs": tuple(map(str, outputs)) if isinstance(outputs, list | tuple) else DEFAULT_OUTPUTS,
        "labels": labels if isinstance(labels, Mapping) else {},
        "accept": accept if isinstance(accept, Mapping) else {},
    }
