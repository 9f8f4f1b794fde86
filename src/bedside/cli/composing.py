"""From what was asked and proved to a publication: what lies below the models, the MAP, what belongs to it.

Owns the order of these steps. Finding and composing the rest takes as long as a registry takes for the
models, which are on their way already.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from bedside.cli.packaged import Member, member_of
from bedside.cli.proved import Proved
from bedside.cli.wishes import Checked, Wishes
from bedside.oci.cache import LayerCache
from bedside.oci.manifest import created_at
from bedside.oci.map import Resources
from bedside.oci.map.spec import model_folder
from bedside.oci.parts import Assembled
from bedside.oci.registry.registries import Registries
from bedside.package.build import build, check_packed
from bedside.package.licences import Licence, licence_entries, licence_of
from bedside.package.order import Order
from bedside.package.publish import Publication
from bedside.package.record import attached, recorded
from bedside.package.stack import Below, resolve_stack
from bedside.package.targets import tag_of
from bedside.package.wheels.lock import Variant
from bedside.package.workplace import Workplace


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """What came of it.

    Attributes:
        publication: The MAP and what belongs to it.
        members: One per platform, for a person.
        warnings: What a person should know, in sentences.
    """

    publication: Publication
    members: tuple[Member, ...]
    warnings: tuple[str, ...]


def compose(
    wishes: Wishes, checked: Checked, proved: Proved, place: Workplace, registries: Registries
) -> Composed:
    """Find what lies below the models, and make the MAP and its artifacts.

    Raises:
        ConfigError: A bundle, base or wheel is not what it says.
        Unavailable: The disk is full, or a mirror, an index or a registry is not there.
    """
    place.say("finding base and wheels", None)
    below = _below(wishes, checked, place.cache, registries)
    resolved = [
        resolve_stack(below, checked.bundles, platform=platform, cache=wishes.cache)
        for platform in checked.platforms
    ]
    licences = [licence_of(bundle) for bundle in checked.bundles]
    order = _order(wishes, checked, proved, licences)
    asked = _asked(wishes, order)
    stacks = [recorded(order, one, asked) for one in resolved]
    made = build(order, stacks, place)
    publication = Publication(
        assembled=made,
        attached=attached(order, resolved, stacks, made, asked, cache=place.cache),
        signatures=_signatures(checked, made, place.cache),
        name=checked.name,
    )
    for part in publication.blobs():
        place.take(part)
    check_packed(order, place)  # last: blobs may be on their way without it, manifests not
    return Composed(
        publication=publication,
        members=tuple(member_of(one, order, stacks) for one in made.members or (made,)),
        warnings=tuple(one.warning for one in licences if one.warning),
    )


def _below(wishes: Wishes, checked: Checked, cache: LayerCache, registries: Registries) -> Below:
    below = Below(
        variant=Variant(wishes.given["variant"]),
        base_lock=wishes.given["base_lock"],
        mirrors=checked.mirrors,
        requirements=checked.requirements,
    )
    if wishes.given["base"] == "debian":
        return below
    from bedside.package.foreign_base import BaseSource, open_base

    source = BaseSource(
        text=wishes.given["base"],
        cache=cache,
        registries=registries,
        compression=wishes.compression,
    )
    return replace(below, base=partial(open_base, source))


def _order(wishes: Wishes, checked: Checked, proved: Proved, licences: Sequence[Licence]) -> Order:
    bundle = checked.bundles[0]
    return Order(
        bundles=checked.bundles,
        # By the bundle's own version: another tag or registry must not change the digest.
        name=f"{model_folder(bundle.name)}:{tag_of(bundle.version)}",
        compression=wishes.compression,
        settings=checked.settings,
        timeout_s=int(wishes.given["timeout_s"]),
        resources=Resources(
            memory_bytes=proved.memory_bytes, gpu=1 if wishes.given["variant"] == "cuda" else 0
        ),
        licenses=licences[0].expression,
        evidence=(*proved.entries, *(entry for one in checked.bundles for entry in licence_entries(one))),
        created_at=created_at(wishes.environment),
    )


def _asked(wishes: Wishes, order: Order) -> dict[str, object]:
    """Return what was asked for, as the provenance says it; no path and no place, they change nothing."""
    return {
        "variant": str(wishes.given["variant"]),
        "base": str(wishes.given["base"]),
        "compression": str(order.compression),
        "settings": dict(order.settings),
        "timeout_s": order.timeout_s,
    }


def _signatures(checked: Checked, made: Assembled, cache: LayerCache) -> dict[str, Assembled]:
    if checked.key is None:
        return {}
    from bedside.package.sign import sign
    from bedside.package.signature import signature_tag

    references = [target.reference for target in checked.targets if target.reference]
    here = checked.name.partition(":")[0]
    repository = f"{references[0].host}/{references[0].repository}" if references else here
    # The members too: a machine registers the one for its platform, and verifies that.
    signed = [made.descriptor, *(member.descriptor for member in made.members)]
    return {
        signature_tag(one.digest): sign(one, checked.key, repository=repository, cache=cache)
        for one in signed
    }
