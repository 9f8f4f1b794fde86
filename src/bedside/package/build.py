"""From an order to a container image: layers from the least to the most volatile, then the manifest.

Owns the order of the layers: base, wheels, runtime, each model, evidence, contract. A changed model is
one changed layer and one small one, whatever the rest weighs. Publishes nothing.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from bedside import __version__
from bedside.errors import Unavailable
from bedside.model.bundle import Bundle
from bedside.model.layout import digest_of, open_layout
from bedside.oci.compress import Compression
from bedside.oci.descriptor import sha256_digest
from bedside.oci.layer import bake, layer_key
from bedside.oci.manifest import Making, assemble, index
from bedside.oci.map import MapSpec, map_config
from bedside.oci.map.image import map_labels
from bedside.oci.map.spec import model_folder
from bedside.oci.parts import Assembled, Entry, Layer, Recipe
from bedside.package.models import model_recipes
from bedside.package.order import Order, Stack
from bedside.package.runtime_files import contract_recipe
from bedside.package.workplace import Workplace


def build(order: Order, stacks: Sequence[Stack], place: Workplace) -> Assembled:
    """Compose a MAP; what it holds is certain only after `check_packed`.

    Args:
        order: What is wanted.
        stacks: One per platform; several make an index.
        place: Where, and who hears of it.

    Raises:
        UsageError: Two bundles have the same name.
        ConfigError: A bundle, base or wheel is not what it says.
        Unavailable: The disk is full, or a mirror is not there.
    """
    models = model_recipes(order.bundles, place.scratch)
    members = []
    for stack in stacks:
        spec = map_spec(order, stack)
        recipes = [*stack.base.layers, *stack.packages, *models]
        evidence = (*order.evidence, *stack.record)
        if evidence:
            recipes.append(evidence_recipe(evidence))
        recipes.append(contract_recipe(spec))
        layers = list(_layers(recipes, order.compression, place))
        making = Making(
            config=map_config(spec),
            platform=stack.base.platform,
            created_at=order.created_at,
            annotations=_annotations(spec),
        )
        members.append(assemble(layers, making, cache=place.cache))
    if len(members) == 1:
        return members[0]
    return index(members, annotations=_annotations(map_spec(order, stacks[0])))


def map_spec(order: Order, stack: Stack) -> MapSpec:
    """Return what a MAP says of itself on one platform."""
    bundle = order.bundle
    return MapSpec(
        title=bundle.name,
        version=bundle.version,
        bedside_version=__version__,
        bundle_digest=bundle.digest,
        models=tuple(model_folder(one.name) for one in order.bundles),
        description=bundle.task,
        resources=order.resources,
        timeout_s=order.timeout_s,
        settings=order.settings,
        environment=stack.base.environment,
        base_name=stack.base.name,
        base_digest=stack.base.digest,
        tag=order.name,
        licenses=order.licenses,
    )


def evidence_recipe(entries: Sequence[Entry]) -> Recipe:
    """Return the layer of what a MAP carries about itself: golden case, SBOM, provenance, licences."""
    content = sorted((one.path, one.target, one.mode, sha256_digest(_bytes(one.content))) for one in entries)
    return Recipe(
        key=sha256_digest(json.dumps(["evidence", content]).encode()),
        comment="golden case, SBOM, provenance, licences",
        entries=lambda: entries,
    )


def check_packed(order: Order, place: Workplace) -> None:
    """Read bundles again after they were packed; a layer of other files is no longer known to the cache.

    Raises:
        Unavailable: They are others than when they were opened.
    """
    for bundle, recipe in zip(order.bundles, model_recipes(order.bundles, place.scratch), strict=True):
        try:
            check_unchanged(bundle)
        except Unavailable:
            place.cache.forget(layer_key(recipe, order.compression))
            raise


def check_unchanged(bundle: Bundle) -> None:
    """Read a bundle's files again after they were packed.

    Raises:
        Unavailable: They are others than when the bundle was opened.
    """
    with closing(open_layout(bundle.path)) as layout:
        found = digest_of(layout)
    if found != bundle.digest:
        raise Unavailable(
            f"bundle {bundle.name}: its files changed while they were packed "
            f"({bundle.digest[:19]}… became {found[:19]}…)",
            hint="bedside package again, when nothing writes to it",
        )


def _layers(recipes: Sequence[Recipe | Layer], compression: Compression, place: Workplace) -> Iterator[Layer]:
    for number, one in enumerate(recipes):
        if isinstance(one, Layer):
            layer = one
        else:
            place.say(f"layer {number + 1} of {len(recipes)}: {one.comment}", number / len(recipes))
            layer = bake(one, cache=place.cache, compression=compression)
        place.take(layer.part)
        yield layer


def _annotations(spec: MapSpec) -> dict[str, str]:
    """Return those labels that are OCI's own; a manifest's readers look for them there."""
    return {name: text for name, text in map_labels(spec).items() if name.startswith("org.opencontainers.")}


def _bytes(content: bytes | Path) -> bytes:
    return content if isinstance(content, bytes) else content.read_bytes()
