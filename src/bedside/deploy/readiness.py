"""Whether a deployment's machines have something to run, told from the configuration before one starts."""

from collections.abc import Sequence

from bedside.config import Settings
from bedside.config.settings import StageSettings
from bedside.oci.reference import names_host


def only_here(settings: Settings) -> Sequence[str]:
    """Return the pipelines that name a bundle, or a MAP, in a folder of this machine: others have it not."""
    return [
        pipeline.name
        for pipeline in settings.pipeline
        if any(_is_here(stage) for stage in (pipeline.stage or (pipeline,)))
    ]


def _is_here(stage: StageSettings) -> bool:
    return stage.bundle is not None or bool(stage.map and not names_host(stage.map))
