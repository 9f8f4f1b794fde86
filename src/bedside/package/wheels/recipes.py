"""Layers of wheels: CUDA libraries, torch, everything else, in the order in which they rarely change.

Owns which wheel lies in which layer and the key of each. Nothing is fetched, unpacked or compiled before a
layer has to be made; each wheel is unpacked once into the cache and serves every layer it is part of.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bedside.errors import ConfigError
from bedside.oci.descriptor import Platform, sha256_digest
from bedside.oci.parts import Entry, Recipe
from bedside.oci.storage import locked, refusals
from bedside.package.base.interpreter import Interpreter
from bedside.package.base.unpacked import folder_entries
from bedside.package.wheels.lock import Wheel, WheelLock
from bedside.package.wheels.pip import Pinned, download
from bedside.package.wheels.prune import RULES
from bedside.package.wheels.unpack import SITE_PACKAGES, unpack_wheel

#: What the container image's environment needs so that Python finds the wheels, whatever its base.
ENVIRONMENT = (f"PYTHONPATH=/{SITE_PACKAGES}",)
#: A build of today may still read what was unpacked so recently.
IN_USE_S = 24 * 3600.0
_CUDA_LIBRARIES = ("nvidia-", "cuda-")


def wheel_recipes(
    lock: WheelLock, *, cache: Path, interpreter: Interpreter, platform: Platform | None = None
) -> tuple[Recipe, ...]:
    """Return the layers of a lock, from the least to the most volatile.

    Args:
        lock: See `bedside.package.wheels.lock.read_wheel_lock`.
        cache: bedside's cache folder.
        interpreter: See `bedside.package.base.debian.debian_interpreter`.
        platform: What the layers run on; linux/amd64 if not said.

    Raises:
        ConfigError: the lock has no wheel of something for the platform.
    """
    platform = platform or Platform()
    groups: dict[str, list[Wheel]] = {"CUDA libraries": [], "torch": [], "packages": []}
    for wheel in lock.wheels:
        if wheel.name.startswith(_CUDA_LIBRARIES):
            groups["CUDA libraries"].append(wheel)
        else:
            groups["torch" if wheel.name == "torch" else "packages"].append(wheel)
    return tuple(
        wheel_recipe(
            wheels,
            _comment(title, wheels),
            cache=cache,
            interpreter=interpreter,
            platform=platform,
            prune=True,
        )
        for title, wheels in groups.items()
        if wheels
    )


def wheel_recipe(
    wheels: Sequence[Wheel],
    comment: str,
    *,
    cache: Path,
    interpreter: Interpreter,
    platform: Platform,
    prune: bool,
) -> Recipe:
    """Return one layer of some wheels.

    Args:
        wheels: What it holds.
        comment: For the history of the container image.
        cache: bedside's cache folder.
        interpreter: Makes the bytecode.
        platform: What the layer runs on.
        prune: Leave out tests, headers and the like; for wheels that were proven to work without.
    """
    pinned = [
        Pinned(
            name=wheel.name,
            version=wheel.version,
            sha256=wheel.for_architecture(platform.architecture).sha256,
        )
        for wheel in wheels
    ]
    trees = cache / "wheels"
    rules = f"{RULES if prune else 'whole'}-{interpreter.bytecode}"
    inputs = ["wheels", rules, SITE_PACKAGES, [item.sha256 for item in pinned]]
    return Recipe(
        key=sha256_digest(json.dumps(inputs).encode()),
        comment=comment,
        entries=partial(_entries, pinned, trees, rules, interpreter, platform.architecture, prune),
    )


def _comment(title: str, wheels: Sequence[Wheel]) -> str:
    if len(wheels) == 1:
        return f"{wheels[0].name} {wheels[0].version}"
    return f"{title}: {len(wheels)} wheels"


def _entries(
    pinned: Sequence[Pinned],
    trees: Path,
    rules: str,
    interpreter: Interpreter,
    architecture: str,
    prune: bool,
) -> Iterator[Entry]:
    places = {
        item.sha256: trees / f"{item.sha256[:32]}-{sha256_digest(rules.encode())[7:15]}" for item in pinned
    }
    with refusals(trees):
        trees.mkdir(parents=True, exist_ok=True)
    with locked(trees / ".lock"):
        missing = [item for item in pinned if not places[item.sha256].is_dir()]
        if missing:
            _unpack_all(missing, places, trees, interpreter, architecture, prune)
    taken: dict[str, str] = {}
    for item in pinned:
        for entry in folder_entries(places[item.sha256], below=SITE_PACKAGES):
            if taken.setdefault(entry.path, item.name) != item.name:
                continue  # shared namespace files of the same content, e.g. nvidia/__init__.py
            yield entry


def _unpack_all(
    missing: Sequence[Pinned],
    places: dict[str, Path],
    trees: Path,
    interpreter: Interpreter,
    architecture: str,
    prune: bool,
) -> None:
    """Fetch and unpack wheels, the biggest first, as many at a time as there are processors."""
    with refusals(trees), TemporaryDirectory(dir=trees, prefix=".fetching-") as folder:
        found = download(missing, architecture=architecture, folder=Path(folder))
        for item in missing:
            if item.sha256 not in found:
                raise ConfigError(f"{item.name} {item.version}: pip brought another file than the lock names")
        _sweep(trees, set(places.values()))
        files = sorted((found[item.sha256].stat().st_size, item.sha256) for item in missing)
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            list(
                pool.map(
                    lambda digest: unpack_wheel(
                        found[digest], places[digest], interpreter=interpreter, prune=prune
                    ),
                    [digest for _, digest in reversed(files)],
                )
            )


def _sweep(trees: Path, kept: set[Path]) -> None:
    """Remove trees that another version of the rules left, unless a build of today may still read them."""
    current = {place.name.partition("-")[0] for place in kept}
    for place in trees.glob("[0-9a-f]*-*"):
        stale = place.name.partition("-")[0] in current and place not in kept
        if stale and place.stat().st_mtime < time.time() - IN_USE_S:
            shutil.rmtree(place, ignore_errors=True)
