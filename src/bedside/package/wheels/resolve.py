"""Makes locks of wheels, and finds what a bundle needs besides.

Owns the questions to pip whose answers become locks: what the runtime imports, for each platform and
variant, and what a bundle's metadata or the user's requirements add. Nothing is downloaded for an answer
where the index offers metadata.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any
from urllib.parse import unquote

from packaging.utils import canonicalize_name

from bedside.errors import ConfigError
from bedside.package.wheels.lock import PYTHON, Variant, Wheel, WheelFile, WheelLock
from bedside.package.wheels.pip import report
from bedside.package.wheels.prune import INSTALLERS, NOT_LOCKED

ARCHITECTURES = ("amd64", "arm64")
#: What `bedside.runtime` and what it imports need; torch comes besides, by variant.
RUNTIME = (
    "highdicom", "monai", "nibabel", "numpy", "pillow", "pydicom", "pyjpegls", "pylibjpeg",
    "pylibjpeg-openjpeg", "pylibjpeg-rle", "python-gdcm", "pytorch-ignite", "pyyaml", "scikit-image",
    "scipy",
)  # fmt: skip
#: In metadata of bundles, for training, tests or exporting: no inference imports them.
TRAINING_ONLY = frozenset(
    {"fire", "mlflow", "onnx", "onnxruntime", "pytest", "tensorboard", "tensorrt", "torch-tensorrt", "tqdm"}
)


def lock_wheels(
    variant: Variant,
    *,
    torch: str,
    constraints: Sequence[str],
    architectures: Sequence[str] = ARCHITECTURES,
) -> WheelLock:
    """Return a lock of what the runtime needs: the same versions on every platform.

    Args:
        variant: CPU or CUDA.
        torch: Version without local part.
        constraints: Lines of a constraints file: the versions that were tested.
        architectures: Machines; the first one decides the versions. A wheel that another one lacks is in
            the lock without it, and packaging for that machine says so.

    Raises:
        ConfigError: no wheel of something fits the first machine.
        Unavailable: no index answers.
    """
    exact = f"torch=={torch}+cpu" if variant is Variant.CPU else f"torch==={torch}"
    limits = [line for line in constraints if not line.lower().startswith("torch==")]
    first, *others = architectures
    chosen = [
        wheel_of(item, first) for item in report((*RUNTIME, exact), architecture=first, constraints=limits)
    ]
    found = {wheel.name: wheel for wheel in chosen if wheel.name not in NOT_LOCKED}
    for architecture in others:
        for wheel in _same_versions(list(found.values()), architecture):
            files = {**found[wheel.name].files, **wheel.files}
            found[wheel.name] = replace(found[wheel.name], files=files)
    return WheelLock(variant=variant, python=PYTHON, wheels=tuple(found[name] for name in sorted(found)))


def _same_versions(wheels: Sequence[Wheel], architecture: str) -> list[Wheel]:
    """Return the wheels of another machine in the same versions, less what is not made for it."""
    bound = [wheel for wheel in wheels if "any" not in wheel.files]
    try:
        lines = [f"{wheel.name}==={wheel.version}" for wheel in bound]
        return [
            wheel_of(item, architecture)
            for item in report(lines, architecture=architecture, dependencies=False)
        ]
    except ConfigError:
        if len(bound) < 2:
            return []
    half = len(bound) // 2
    return [*_same_versions(bound[:half], architecture), *_same_versions(bound[half:], architecture)]


def completed(lock: WheelLock, architecture: str) -> WheelLock:
    """Return a lock that has all of its wheels for a machine, asking pip for those that it lacks.

    A lock lacks a wheel for a machine where no index of its makers had it. The version is the lock's, the
    file is the one that this machine's indexes offer.

    Raises:
        ConfigError: no index has a wheel of that version for the machine.
        Unavailable: no index answers.
    """
    lacking = [wheel for wheel in lock.wheels if not wheel.files.keys() & {"any", architecture}]
    if not lacking:
        return lock
    lines = [f"{wheel.name}==={wheel.version}" for wheel in lacking]
    found = {
        wheel.name: wheel.files
        for wheel in (
            wheel_of(item, architecture)
            for item in report(lines, architecture=architecture, dependencies=False)
        )
    }
    wheels = (replace(one, files={**one.files, **found.get(one.name, {})}) for one in lock.wheels)
    return replace(lock, wheels=tuple(wheels))


def further_wheels(requirements: Iterable[str], lock: WheelLock, *, architecture: str) -> tuple[Wheel, ...]:
    """Return the wheels that requirements add to a lock's, sorted by name.

    Args:
        requirements: Lines of a requirements file.
        lock: What is there anyway, in exactly its versions.
        architecture: ``amd64`` or ``arm64``.

    Raises:
        ConfigError: they contradict the lock, or no wheel fits.
        Unavailable: no index answers.
    """
    wanted = [line for line in requirements if line.strip() and not line.lstrip().startswith("#")]
    if not wanted:
        return ()
    there = {wheel.name for wheel in lock.wheels}
    limits = [f"{wheel.name}=={wheel.version}" for wheel in lock.wheels]
    found = [
        wheel_of(item, architecture) for item in report(wanted, architecture=architecture, constraints=limits)
    ]
    return tuple(sorted((w for w in found if w.name not in there | INSTALLERS), key=lambda wheel: wheel.name))


def bundle_requirements(metadata: Mapping[str, Any], lock: WheelLock) -> tuple[str, ...]:
    """Return what a bundle's ``metadata.json`` says it needs and the lock does not have.

    Versions of what the lock has are those the runtime was tested with, whatever the bundle was trained
    with; the proof before packaging tells whether the bundle works with them.
    """
    there = {wheel.name for wheel in lock.wheels}
    wanted: dict[str, str] = {}
    for field in ("required_packages_version", "optional_packages_version"):
        section = metadata.get(field)
        for name, version in section.items() if isinstance(section, Mapping) else ():
            plain = canonicalize_name(str(name))
            if plain not in there | NOT_LOCKED | TRAINING_ONLY:
                wanted[plain] = f"{plain}=={version}" if version else plain
    return tuple(wanted[name] for name in sorted(wanted))


def wheel_of(item: Mapping[str, Any], architecture: str) -> Wheel:
    """Return the wheel of one entry of pip's installation report."""
    metadata, info = item["metadata"], item["download_info"]
    filename = unquote(str(info["url"]).rsplit("/", 1)[-1])
    name = canonicalize_name(str(metadata["name"]))
    digest = str((info.get("archive_info", {}).get("hashes") or {}).get("sha256", ""))
    if not digest:
        raise ConfigError(f"{name}: the index states no SHA-256 of {filename}")
    return Wheel(
        name=name,
        version=_version(filename, str(metadata["version"])),
        licence=_licence(metadata),
        files={
            "any" if filename.endswith("-any.whl") else architecture: WheelFile(
                filename=filename, sha256=digest
            )
        },
    )


def _version(filename: str, version: str) -> str:
    """Return the version of a file's name, which has the local part that metadata may lack."""
    named = filename.split("-")[1].replace("_", "+", 1)
    return named if named.startswith(version) else version


def _licence(metadata: Mapping[str, Any]) -> str:
    """Return a licence's expression, or its short name; texts of licences are in the wheel.

    Old versions of pip leave the expression out of their report; an installed distribution has it.
    """
    classifiers = metadata.get("classifier")
    texts = [metadata.get("license_expression"), metadata.get("license")]
    try:
        installed = distribution(str(metadata["name"])).metadata
    except PackageNotFoundError:
        pass
    else:
        texts += [*(installed.get_all("License-Expression") or ()), *(installed.get_all("License") or ())]
        classifiers = classifiers or installed.get_all("Classifier")
    for text in texts:
        if text and "\n" not in str(text).strip() and len(str(text)) <= 200:
            return str(text).strip()
    names = [str(line).rsplit(" :: ", 1)[-1] for line in classifiers or () if "License ::" in str(line)]
    return " AND ".join(sorted(names))
