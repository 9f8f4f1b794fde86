"""Where a MAP comes from, as an in-toto statement with the SLSA v1 predicate.

Owns the statement in its two forms: inside the MAP, where it cannot name the MAP's own digest and is
about the models, and beside it in a registry, where it is about the MAP. It states no machine, user or
time of the build: equal inputs give equal bytes. See in-toto Statement v1 and SLSA Provenance v1.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bedside import __version__
from bedside.model.bundle import Bundle
from bedside.oci.descriptor import Descriptor
from bedside.package.base.values import Base

#: Where it lies in a MAP.
PATH = "opt/bedside/provenance.json"
MEDIA_TYPE = "application/vnd.in-toto+json"
_BUILDER = "https://github.com/bedside/bedside"
_BUILD_TYPE = f"{_BUILDER}/blob/main/docs/proof.md#provenance"
#: Key of a bundle's digest in a digest set: over sorted file names and hashes, so no plain sha256.
_BUNDLE_DIGEST = "bedsideBundle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What a MAP was made of.

    Attributes:
        name: ``repository:tag``.
        bundles: Its models.
        base: What it stands on.
        locks: Name to ``sha256:…`` of each lock that chose what is in it.
        parameters: What a person asked for (variant, compression, settings): JSON values.
    """

    name: str
    bundles: Sequence[Bundle]
    base: Base
    locks: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, object] = field(default_factory=dict)


def provenance_bytes(making: Making, *, subject: Descriptor | None = None) -> bytes:
    """Return the statement about a MAP, or, where its digest is not known yet, about its models.

    Args:
        making: What it was made of.
        subject: The MAP's manifest.
    """
    models = [{"name": _named(one), "digest": _of_bundle(one)} for one in making.bundles]
    about = [{"name": making.name, "digest": _digest(subject.digest)}] if subject else models
    dependencies: list[dict[str, Any]] = [
        {"name": "model", "uri": f"bundle:{_named(one)}", "digest": _of_bundle(one)} for one in making.bundles
    ]
    dependencies.append(
        {"name": "base", "annotations": {"name": making.base.name}, "digest": _digest(making.base.digest)}
    )
    dependencies.extend(
        {"name": name, "digest": _digest(lock)} for name, lock in sorted(making.locks.items())
    )
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": about,
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": _BUILD_TYPE,
                "externalParameters": {
                    "platform": str(making.base.platform),
                    **dict(sorted(making.parameters.items())),
                },
                "internalParameters": {},
                "resolvedDependencies": dependencies,
            },
            "runDetails": {"builder": {"id": _BUILDER, "version": {"bedside": __version__}}},
        },
    }
    return json.dumps(statement, indent=1, ensure_ascii=False).encode() + b"\n"


def _named(bundle: Bundle) -> str:
    return f"{bundle.name} {bundle.version}"


def _of_bundle(bundle: Bundle) -> dict[str, str]:
    return {_BUNDLE_DIGEST: bundle.digest.removeprefix("sha256:")}


def _digest(digest: str) -> dict[str, str]:
    algorithm, _, digits = digest.partition(":")
    return {algorithm: digits} if digits else {}
