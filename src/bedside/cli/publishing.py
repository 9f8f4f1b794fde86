"""The slow half of ``bedside package``: prove, compose, publish.

Owns their order: nothing has a manifest in a registry before everything is made. It is imported, and with it
the registries' client, while a second process makes the layers of the models.
"""

from collections.abc import Sequence
from dataclasses import replace

from bedside.cli.moving import Moving
from bedside.cli.packaged import Packaged
from bedside.cli.proved import prove
from bedside.cli.wishes import Checked, Wishes
from bedside.oci.archive import docker_reads
from bedside.oci.cache import SWEEP_PAUSE_S
from bedside.package.models import bake_models
from bedside.package.publish import Publisher
from bedside.package.targets import Target
from bedside.package.workplace import Workplace
from bedside.wiring import open_registries


def publish_bundles(wishes: Wishes, checked: Checked, place: Workplace) -> Packaged:
    """Make a MAP of what was checked, and bring it to its places; raises as `package_bundles` does."""
    moving = Moving(place.say)
    with (
        open_registries(wishes.environment, insecure=bool(wishes.given["insecure"])) as registries,
        Publisher(checked.targets, cache=place.cache, registries=registries, tell=moving.tell) as publisher,
    ):
        proved = prove(wishes, checked, place.scratch, place.say)
        place = replace(place, take=publisher.take)
        # What changes from one build to the next goes first: a registry stores 20 MB while all that follows
        # is done.
        bake_models(checked.bundles, wishes.compression, place)
        from bedside.cli.composing import compose

        composed = compose(wishes, checked, proved, place, registries)
        place.cache.sweep(pause_s=SWEEP_PAUSE_S)
        moving.begin()
        publisher.publish(composed.publication)
    made = composed.publication.assembled
    return Packaged(
        name=checked.name,
        digest=made.descriptor.digest,
        targets=tuple(map(str, checked.targets)),
        members=composed.members,
        warnings=(
            *proved.warnings,
            *composed.warnings,
            *(_zstd_in_tar(checked.targets) if not docker_reads(made) else ()),
        ),
        proved=proved.proved,
    )


def _zstd_in_tar(targets: Sequence[Target]) -> list[str]:
    tars = [str(target.archive) for target in targets if target.archive]
    return [f"{tar}: docker before version 23 does not load zstd; podman does" for tar in tars]
