"""Finds the example bundle, in a checkout or in an installed wheel."""

from importlib.resources import files
from pathlib import Path

from bedside.errors import ConfigError


def example_bundle() -> Path:
    """Return the folder of the spleen bundle that bedside ships.

    Raises:
        ConfigError: The installation lacks it.
    """
    package = Path(str(files("bedside")))
    for folder in (package / "examples" / "spleen", package.parents[1] / "examples" / "spleen"):
        if (folder / "configs" / "metadata.json").is_file():
            return folder
    raise ConfigError(
        f"example bundle: not in {package / 'examples' / 'spleen'}, the installation is not whole",
        hint="pip install --force-reinstall bedside",
    )
