"""The configuration of a MAP's container image: user, variables, labels, entry.

Owns what an engine reads before anything inside runs. Both generations' variables and labels are set,
so that a host of either finds what it looks for. MAP specification 1.0, "Table of Environment Variables"
and "Image Annotations"; 0.1, "Initial Conditions".
"""

from collections.abc import Mapping

from bedside.oci.map import paths
from bedside.oci.map.spec import MapSpec, semantic_version

#: User and group that a MAP runs as where nobody says otherwise; any other works too.
USER = "1000:1000"

#: The version of the protocol that the MAP speaks as a warm child (docs/protocol.md).
PROTOCOL = "1"

#: Version of the Holoscan SDK and the App SDK inside: there is none of either.
NO_SDK = "0.0.0"

LABEL_PROTOCOL = "org.bedside.protocol"
LABEL_VERSION = "org.bedside.version"
LABEL_BUNDLE = "org.bedside.bundle.digest"
LABEL_MODEL = "org.bedside.model"

_FALLBACK_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def holoscan_environment(spec: MapSpec) -> dict[str, str]:
    """Return the variables of generation 1.0, those that the field has beside the specification's too."""
    return {
        "HOLOSCAN_APPLICATION": paths.APPLICATION,
        "HOLOSCAN_APP_MANIFEST_PATH": paths.APP_MANIFEST,
        "HOLOSCAN_CONFIG_PATH": paths.APP_CONFIG,
        "HOLOSCAN_DOCS": paths.DOCS,
        "HOLOSCAN_DOCS_PATH": paths.DOCS,
        "HOLOSCAN_INPUT_PATH": f"{paths.INPUT}/",
        "HOLOSCAN_LOGS": paths.LOGS,
        "HOLOSCAN_LOGS_PATH": paths.LOGS,
        "HOLOSCAN_MODEL_PATH": f"{paths.MODELS}/",
        "HOLOSCAN_OUTPUT_PATH": f"{paths.OUTPUT}/",
        "HOLOSCAN_PKG_MANIFEST_PATH": paths.PKG_MANIFEST,
        "HOLOSCAN_TIMEOUT": str(spec.timeout_s),
        "HOLOSCAN_VERSION": NO_SDK,
        "HOLOSCAN_WORKDIR": f"{paths.WORKDIR}/",
    }


def monai_environment(spec: MapSpec) -> dict[str, str]:
    """Return the variables of generation 0.1."""
    return {
        "MONAI_APPLICATION": f"{paths.MONAI_APPLICATION}/",
        "MONAI_HOSTNAME": "none",
        "MONAI_HOSTVERSION": "0.0.0",
        "MONAI_INPUTPATH": f"{paths.MONAI_INPUT}/",
        "MONAI_JOBID": "0" * 32,
        "MONAI_MODELPATH": f"{paths.MONAI_MODELS}/",
        "MONAI_OUTPUTPATH": f"{paths.MONAI_OUTPUT}/",
        "MONAI_TIMEOUT": str(spec.timeout_s),
        "MONAI_WORKDIR": f"{paths.MONAI_WORKDIR}/",
    }


def map_environment(spec: MapSpec) -> dict[str, str]:
    """Return all variables of the container image: the base's, the contract's, the runtime's."""
    return {
        **spec.environment,
        "PATH": f"{spec.environment.get('PATH') or _FALLBACK_PATH}:{paths.PROGRAMS}",
        **holoscan_environment(spec),
        **monai_environment(spec),
        "PYTHONPATH": ":".join(spec.python_path),
        "PYTHONDONTWRITEBYTECODE": "1",
        # Libraries ask for a user's name, and an arbitrary uid has none.
        "USER": "bedside",
        "LOGNAME": "bedside",
    }


def map_labels(spec: MapSpec) -> dict[str, str]:
    """Return the labels: the specification's, the field's, and bedside's own."""
    version = semantic_version(spec.version)
    labels = {
        **spec.annotations,
        "org.opencontainers.image.title": spec.title,
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.description": spec.description,
        "org.opencontainers.image.licenses": spec.licenses,
        "org.opencontainers.image.base.name": spec.base_name,
        "org.opencontainers.image.base.digest": spec.base_digest,
        "org.opencontainers.image.ref.name": spec.tag,
        "base": spec.base_name,
        "tag": spec.tag,
        "version": version,
        "sdk_version": semantic_version(spec.bedside_version),
        "org.nvidia.holoscan": NO_SDK,
        "org.monai.deploy.app-sdk": NO_SDK,
        LABEL_PROTOCOL: PROTOCOL,
        LABEL_VERSION: spec.bedside_version,
        LABEL_BUNDLE: spec.bundle_digest,
        LABEL_MODEL: f"{paths.MODELS}/{spec.models[0]}",
    }
    return {name: labels[name] for name in sorted(labels) if labels[name]}


def map_config(spec: MapSpec) -> dict[str, object]:
    """Return the ``config`` object of the container image's configuration.

    Returns:
        What replaces the base's: nothing of its command, user or entry is kept. See the OCI image
        specification, "Image Configuration".
    """
    environment: Mapping[str, str] = map_environment(spec)
    return {
        "User": USER,
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Entrypoint": [paths.TOOLS],
        "WorkingDir": paths.WORKDIR,
        "Labels": map_labels(spec),
    }
