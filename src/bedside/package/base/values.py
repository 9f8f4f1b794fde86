"""`Base`: the layers and the configuration under a MAP, whatever source they came from.

Owns the one value that all sources (Debian lock, registry, OCI layout, rootfs tar) end in, so that the
composition of a MAP never asks where its base came from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bedside.oci.descriptor import Platform
from bedside.oci.parts import Layer, Recipe
from bedside.package.base.lock import DebianPackage


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What a MAP stands on.

    Attributes:
        name: For people and provenance, e.g. ``debian bookworm at 20261127T000000Z`` or a reference with
            its digest.
        digest: ``sha256:…`` of what `name` names: a manifest, a tar, or the lock.
        platform: What it runs on.
        layers: From the lowest up; a `Recipe` where bedside makes the layer, a `Layer` where it exists.
        config: The ``config`` object of the container image's configuration: ``Env``, ``Labels``, ….
        packages: Debian packages within, where bedside chose them; else empty.
    """

    name: str
    digest: str
    platform: Platform
    layers: tuple[Recipe | Layer, ...]
    config: Mapping[str, Any] = field(default_factory=dict)
    packages: tuple[DebianPackage, ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        """``Env`` of `config`, by name."""
        pairs = (str(line).partition("=") for line in self.config.get("Env") or ())
        return {name: value for name, _, value in pairs}
