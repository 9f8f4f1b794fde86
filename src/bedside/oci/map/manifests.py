"""Writes app.json and pkg.json of both generations, as exact bytes.

Owns the choice of forms where specification and field differ: a value that both can read, and where
there is none, the specification's. See docs/map.md for each field.
"""

import json

from bedside.oci.map import paths
from bedside.oci.map.spec import (
    API_VERSION,
    MONAI_API_VERSION,
    MapSpec,
    Resources,
    memory_text,
    semantic_version,
    tenths,
)

#: Run without a shell by those who split it, with one by those who do not: no quotes, no variables.
COMMAND = f"python3 {paths.APPLICATION}"

#: Folder names below the working directory.
INPUT_PATH, OUTPUT_PATH = "input/", "output/"

#: The specification's tables say "object", its text says these words; the field writes words.
FORMATS = ["file"]


def app_manifest(spec: MapSpec, environment: dict[str, str]) -> bytes:
    """Return ``/etc/holoscan/app.json``. MAP specification 1.0, "Application Manifest"."""
    return _bytes(
        {
            "apiVersion": API_VERSION,
            "command": COMMAND,
            "environment": environment,
            "input": {"formats": FORMATS, "path": INPUT_PATH},
            "output": {"format": FORMATS[0], "formats": FORMATS, "path": OUTPUT_PATH},
            "sdk": "bedside",
            "sdkVersion": semantic_version(spec.bedside_version),
            "timeout": spec.timeout_s,
            "type": "application",
            "version": semantic_version(spec.version),
            "workingDirectory": f"{paths.WORKDIR}/",
        }
    )


def pkg_manifest(spec: MapSpec) -> bytes:
    """Return ``/etc/holoscan/pkg.json``. MAP specification 1.0, "Package Manifest"."""
    return _bytes(
        {
            "apiVersion": API_VERSION,
            "applicationRoot": f"{paths.APPLICATION}/",
            "modelRoot": f"{paths.MODELS}/",
            "models": [{"name": name, "path": name} for name in spec.models],
            "resources": _resources(spec.resources),
            "version": semantic_version(spec.version),
        }
    )


def monai_app_manifest(spec: MapSpec, environment: dict[str, str]) -> bytes:
    """Return ``/etc/monai/app.json``. MAP specification 0.1, "Application Manifest"."""
    return _bytes(
        {
            "api-version": MONAI_API_VERSION,
            "command": COMMAND,
            "environment": environment,
            "input": {"formats": FORMATS, "path": INPUT_PATH},
            "output": {"format": FORMATS[0], "path": OUTPUT_PATH},
            "sdk-version": semantic_version(spec.bedside_version),
            "timeout": spec.timeout_s,
            "version": semantic_version(spec.version),
            "working-directory": f"{paths.MONAI_WORKDIR}/",
        }
    )


def monai_pkg_manifest(spec: MapSpec) -> bytes:
    """Return ``/etc/monai/pkg.json``. MAP specification 0.1, "Package Manifest"."""
    needs = spec.resources
    return _bytes(
        {
            "api-version": MONAI_API_VERSION,
            "application-root": f"{paths.MONAI_APPLICATION}/",
            "models": [{"name": name, "path": f"{paths.MONAI_MODELS}/{name}"} for name in spec.models],
            "resources": {
                "cpu": tenths(needs.cpu),
                "gpu": tenths(needs.gpu),
                "memory": memory_text(needs.memory_bytes),
                "shared-memory": memory_text(needs.shared_memory_bytes),
            },
            "sdk-version": semantic_version(spec.bedside_version),
            "version": semantic_version(spec.version),
        }
    )


def app_config(spec: MapSpec) -> bytes:
    """Return ``/var/holoscan/app.yaml``: title, resources, and the settings that the application runs with.

    YAML in the form of JSON, which is a part of YAML 1.2, so that it can be read without a YAML reader.
    """
    return _bytes(
        {
            "application": {
                "title": spec.title,
                "version": semantic_version(spec.version),
                "inputFormats": FORMATS,
                "outputFormats": FORMATS,
            },
            "resources": _resources(spec.resources),
            "bedside": dict(spec.settings),
        }
    )


def _resources(needs: Resources) -> dict[str, object]:
    limits: dict[str, object] = {
        "cpuLimit": tenths(needs.cpu_limit),
        "gpuLimit": tenths(needs.gpu_limit),
        "memoryLimit": needs.memory_limit_bytes and memory_text(needs.memory_limit_bytes),
        "gpuMemory": needs.gpu_memory_bytes and memory_text(needs.gpu_memory_bytes),
        "gpuMemoryLimit": needs.gpu_memory_limit_bytes and memory_text(needs.gpu_memory_limit_bytes),
    }
    return {
        "cpu": tenths(needs.cpu),
        "gpu": tenths(needs.gpu),
        "memory": memory_text(needs.memory_bytes),
        "sharedMemory": memory_text(needs.shared_memory_bytes),
        **{name: value for name, value in limits.items() if value},
    }


def _bytes(document: dict[str, object]) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
