"""What a person orders, and what it is made on: the two inputs of a MAP's composition.

Owns the values alone. An order says what the MAP is; a stack, one per platform, brings what lies below
the models. Neither knows where the MAP will go, so that its digest does not depend on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bedside.model.bundle import Bundle
from bedside.oci.compress import Compression
from bedside.oci.manifest import EPOCH
from bedside.oci.map import Resources
from bedside.oci.parts import Entry, Recipe
from bedside.package.base.values import Base


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A MAP that is wanted.

    Attributes:
        bundles: Opened; the first is the one that the application runs.
        name: ``repository:tag`` by the bundle's own name and version.
        compression: Of the layers that bedside makes.
        settings: Of the stage: outputs, select, engine, precision.
        timeout_s: Longest run; 0 is no end.
        resources: What the MAP says it needs.
        licenses: SPDX expression of the model; empty where nobody knows.
        evidence: Golden case, licences: what lies beside the models, the same on every platform.
        created_at: Its time.
    """

    bundles: tuple[Bundle, ...]
    name: str
    compression: Compression = Compression.GZIP
    settings: Mapping[str, object] = field(default_factory=dict)
    timeout_s: int = 0
    resources: Resources = field(default_factory=Resources)
    licenses: str = ""
    evidence: tuple[Entry, ...] = ()
    created_at: datetime = EPOCH

    @property
    def bundle(self) -> Bundle:
        """The bundle that the application runs."""
        return self.bundles[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What lies below the models, for one platform.

    Attributes:
        base: The lowest layers, with the platform.
        packages: Wheels, from the least to the most volatile, and bedside's runtime above them.
        record: Statements about what is in it (SBOM, provenance) that travel inside.
    """

    base: Base
    packages: tuple[Recipe, ...]
    record: tuple[Entry, ...] = ()
