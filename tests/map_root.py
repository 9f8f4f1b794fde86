"""A folder that mimics the root of a MAP: its runtime, its contract and a bundle, as the layers have them."""

import os
import sys
from pathlib import Path

from bedside.model.bundle import open_bundle
from bedside.oci.map import MapSpec, map_environment, paths
from bedside.oci.map.spec import model_folder
from bedside.oci.tar import arranged
from bedside.package.base.unpacked import write_entries
from bedside.package.models import model_recipe
from bedside.package.runtime_files import contract_recipe, runtime_recipe


def write_root(root: Path, bundle: Path, **more: object) -> MapSpec:
    """Write everything of a MAP that is bedside's own; the packages stay this machine's."""
    opened = open_bundle(bundle)
    spec = MapSpec(
        title=opened.name,
        version=opened.version,
        bedside_version="0.1.0",
        bundle_digest=opened.digest,
        models=(model_folder(opened.name),),
        python=sys.executable,
        **more,  # type: ignore[arg-type]
    )
    for recipe in (runtime_recipe(), contract_recipe(spec), model_recipe(opened, root / ".scratch")):
        write_entries(arranged(recipe.entries()), root)
    return spec


def root_environment(root: Path, spec: MapSpec) -> dict[str, str]:
    """Return the variables of the container image, its folders those of ``root``."""
    made = map_environment(spec)
    moved = {
        "HOLOSCAN_INPUT_PATH": f"{root}{paths.INPUT}",
        "HOLOSCAN_OUTPUT_PATH": f"{root}{paths.OUTPUT}",
        "HOLOSCAN_MODEL_PATH": f"{root}{paths.MODELS}",
        "HOLOSCAN_CONFIG_PATH": f"{root}{paths.APP_CONFIG}",
        "PYTHONPATH": f"{root}{paths.RUNTIME}",
        "PATH": os.environ["PATH"],
    }
    return {**made, **moved}
