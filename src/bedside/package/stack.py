"""What lies below the models: a base, wheels and bedside's runtime, for one platform.

Owns the choice among the sources of a base, and which wheels a bundle adds to those that the runtime
needs anyway. Fetches nothing but what must be known to name the layers.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bedside.model.bundle import Bundle
from bedside.model.layout import METADATA, open_layout
from bedside.oci.descriptor import Platform
from bedside.package.base.debian import debian_base, debian_interpreter
from bedside.package.base.lock import read_debian_lock
from bedside.package.base.mirrors import Mirrors
from bedside.package.base.values import Base
from bedside.package.order import Stack
from bedside.package.runtime_files import runtime_recipe
from bedside.package.wheels.lock import Variant, Wheel, WheelLock, read_wheel_lock
from bedside.package.wheels.recipes import wheel_recipe, wheel_recipes
from bedside.package.wheels.resolve import bundle_requirements, completed, further_wheels


@dataclass(frozen=True, slots=True, kw_only=True)
class Below:
    """What is wanted below the models.

    Attributes:
        variant: What computes.
        base_lock: Another lock of Debian packages than the one that bedside brings.
        base: Opens a base from elsewhere; the lock's where None.
        mirrors: Debian archives; those of this machine's apt where None.
        requirements: Lines of a requirements file, beside what the bundles say.
    """

    variant: Variant = Variant.CPU
    base_lock: Path | None = None
    base: Callable[[Platform], Base] | None = None
    mirrors: Mirrors | None = None
    requirements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A stack and what it was made from, for SBOM and provenance.

    Attributes:
        stack: The layers.
        lock: Of the wheels.
        further: Wheels that the bundles or the person added.
    """

    stack: Stack
    lock: WheelLock
    further: tuple[Wheel, ...]


def resolve_stack(below: Below, bundles: Sequence[Bundle], *, platform: Platform, cache: Path) -> Resolved:
    """Find what lies below the models on one platform.

    Args:
        below: What is wanted.
        bundles: Whose requirements count.
        platform: What it runs on.
        cache: bedside's cache folder.

    Raises:
        ConfigError: A lock lacks something for the platform, or requirements cannot be met.
        Unavailable: Requirements must be resolved and no index answers.
    """
    debian = read_debian_lock(below.base_lock)
    interpreter = debian_interpreter(debian, cache=cache, mirrors=below.mirrors)
    if below.base is None:
        base = debian_base(debian, cache=cache, platform=platform, mirrors=below.mirrors)
    else:
        base = below.base(platform)
    lock = completed(read_wheel_lock(below.variant), platform.architecture)
    packages = list(wheel_recipes(lock, cache=cache, interpreter=interpreter, platform=platform))
    wanted = [line for one in bundles for line in bundle_requirements(_metadata(one), lock)]
    further = further_wheels((*wanted, *below.requirements), lock, architecture=platform.architecture)
    if further:
        comment = f"requirements of the model: {len(further)} wheels"
        packages.append(
            wheel_recipe(
                further, comment, cache=cache, interpreter=interpreter, platform=platform, prune=False
            )
        )
    packages.append(runtime_recipe(interpreter))
    return Resolved(stack=Stack(base=base, packages=tuple(packages)), lock=lock, further=further)


def _metadata(bundle: Bundle) -> Mapping[str, Any]:
    with closing(open_layout(bundle.path)) as layout, layout.open(METADATA) as stream:
        document = json.loads(stream.read())
    return document if isinstance(document, dict) else {}
