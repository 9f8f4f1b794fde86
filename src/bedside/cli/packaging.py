"""The steps of ``bedside package``: check, prove, compose, publish.

Owns their order: all that a person typed is checked before the first slow step, nothing has a manifest
in a registry before everything is made, and a proof that was passed is kept, so that the same bundle is
proved once.
"""

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bedside.cli.moving import Moving
from bedside.cli.packaged import Packaged
from bedside.cli.proved import prove
from bedside.cli.wishes import Wishes, check
from bedside.oci.archive import docker_reads
from bedside.oci.cache import LayerCache
from bedside.package.base.mirrors import given_mirrors
from bedside.package.models import bake_models
from bedside.package.publish import Publisher, Target
from bedside.package.workplace import Saying, Workplace
from bedside.wiring import open_registries


def clear(wishes: Wishes) -> int:
    """Remove cached layers and what they were made from, and return the bytes freed."""
    from bedside.package.base.unpacked import clear_materials

    return LayerCache(wishes.cache).clear() + clear_materials(wishes.cache)


def refresh(place: Path, mirrors: object) -> str:
    """Lock today's Debian packages into a file; return a sentence about it.

    Args:
        place: The file; replaced where it is there.
        mirrors: Addresses; none takes those of this machine's apt.

    Raises:
        ConfigError: A signature or hash is wrong, gpgv or Debian's keyring is not there.
        Unavailable: No mirror answers, or the file cannot be written.
    """
    from bedside.oci.storage import write_file
    from bedside.package.base.mirrors import apt_mirrors
    from bedside.package.base.resolve import lock_debian

    addresses = [str(one) for one in mirrors] if isinstance(mirrors, list | tuple) else []
    made = lock_debian(given_mirrors(addresses) if addresses else apt_mirrors(), now=datetime.now(UTC))
    write_file(place, made.to_json().encode())
    counted = ", ".join(f"{len(found)} packages for {name}" for name, found in made.packages.items())
    return f"locked Debian {made.suite} of {made.snapshot} into {place}: {counted}"


def package_bundles(wishes: Wishes, say: Saying) -> Packaged:
    """Make a MAP and bring it to its places.

    Raises:
        UsageError: Something was typed wrongly.
        ConfigError: The bundle does not pass its proof, or something is not what it says.
        Unavailable: A disk is full, or a mirror, an index or a registry is not there.
    """
    checked = check(wishes)
    cache = LayerCache(wishes.cache)
    moving = Moving(say)
    with (
        tempfile.TemporaryDirectory(prefix="bedside-package-") as scratch,
        open_registries(wishes.environment, insecure=bool(wishes.given["insecure"])) as registries,
        Publisher(checked.targets, cache=cache, registries=registries, tell=moving.tell) as publisher,
    ):
        proved = prove(wishes, checked, Path(scratch), say)
        place = Workplace(cache=cache, scratch=Path(scratch), say=say, take=publisher.take)
        # What changes from one build to the next goes first: a registry stores 20 MB while all that follows,
        # from this import on, is done.
        bake_models(checked.bundles, wishes.compression, place)
        from bedside.cli.composing import compose

        composed = compose(wishes, checked, proved, place, registries)
        cache.sweep()
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
