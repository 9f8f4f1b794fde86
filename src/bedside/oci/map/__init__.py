"""The MAP contract: which paths, variables, labels and manifests make a container image a MAP.

Both generations are written: the MONAI application package 1.0, which is the Holoscan application
package (App SDK 0.6 and later), and 0.1 (App SDK up to 0.5.1). docs/map.md compares them field by field.
"""

from bedside.oci.map.entries import map_entries
from bedside.oci.map.image import map_config, map_environment, map_labels
from bedside.oci.map.reading import Contract, read_contract
from bedside.oci.map.spec import MapSpec, Resources

__all__ = [
    "Contract",
    "MapSpec",
    "Resources",
    "map_config",
    "map_entries",
    "map_environment",
    "map_labels",
    "read_contract",
]
