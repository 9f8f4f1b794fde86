"""The steps of ``bedside package``: check, prove, compose, publish.

Owns their order: all that a person typed is checked before the first slow step, nothing has a manifest
in a registry before everything is made, and a proof that was passed is kept, so that the same bundle is
proved once.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from bedside.cli.moving import Moving
from bedside.cli.packaged import Packaged, member_of
from bedside.cli.wishes import Checked, Wishes, check
from bedside.errors import ConfigError
from bedside.oci.archive import docker_reads
from bedside.oci.cache import LayerCache
from bedside.oci.compress import Compression
from bedside.oci.manifest import created_at
from bedside.oci.map import Resources
from bedside.oci.map.spec import model_folder
from bedside.oci.parts import Assembled, Entry
from bedside.oci.registry.registries import Registries
from bedside.package.base.mirrors import given_mirrors
from bedside.package.base.unpacked import clear_materials
from bedside.package.build import Saying, Workplace, build
from bedside.package.licences import Licence, licence_entries, licence_of
from bedside.package.order import Order
from bedside.package.publish import Publication, Publisher, Target, tag_of
from bedside.package.record import attached, recorded
from bedside.package.stack import Below, resolve_stack
from bedside.wiring import open_registries

_GIB = 1 << 30
#: What a MAP says it needs where nobody measured.
UNMEASURED_BYTES = 4 * _GIB
#: What a proof imports; packaging alone does without.
_PROVING = ("torch", "monai", "numpy", "pydicom", "highdicom")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proved:
    """What a proof leaves for the MAP."""

    entries: tuple[Entry, ...] = ()
    memory_bytes: int = UNMEASURED_BYTES
    warnings: tuple[str, ...] = ()
    proved: bool = False


def clear(wishes: Wishes) -> int:
    """Remove cached layers and what they were made from, and return the bytes freed."""
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
        proved = _prove(wishes, checked, Path(scratch), say)
        say("finding base and wheels", None)
        below = _with_base(wishes, checked.below, cache, registries)
        resolved = [
            resolve_stack(below, checked.bundles, platform=platform, cache=wishes.cache)
            for platform in checked.platforms
        ]
        licences = [licence_of(bundle) for bundle in checked.bundles]
        order = _order(wishes, checked, proved, licences)
        asked = _asked(wishes, order)
        stacks = [recorded(order, one, asked) for one in resolved]
        place = Workplace(cache=cache, scratch=Path(scratch), say=say, take=publisher.take)
        made = build(order, stacks, place)
        publication = Publication(
            assembled=made,
            attached=attached(order, resolved, made, asked, cache=cache),
            signatures=_signatures(checked, made, cache),
            name=checked.name,
        )
        moving.begin()
        publisher.publish(publication)
    cache.sweep()
    return Packaged(
        name=checked.name,
        digest=made.descriptor.digest,
        targets=tuple(map(str, checked.targets)),
        members=tuple(member_of(one, order, stacks) for one in made.members or (made,)),
        warnings=(
            *proved.warnings,
            *(one.warning for one in licences if one.warning),
            *(_zstd_in_tar(checked.targets) if not docker_reads(made) else ()),
        ),
        proved=proved.proved,
    )


def _prove(wishes: Wishes, checked: Checked, scratch: Path, say: Saying) -> _Proved:
    if not wishes.given["prove"]:
        return _Proved(warnings=("the bundle was not proved: nobody knows where its masks come back",))
    missing = [name for name in _PROVING if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"the proof runs the model here and needs {', '.join(missing)}, which "
            f"{'is' if len(missing) == 1 else 'are'} not installed; packaging alone does not",
            hint="pip install 'bedside[worker]', or --no-prove",
        )
    from bedside.cli.proving import proved_bundle

    # The golden case is that of the first, which is the one that runs.
    entries: tuple[Entry, ...] = ()
    memory_bytes, warnings = 0, tuple[str, ...]()
    for number, bundle in reversed(list(enumerate(checked.bundles))):
        work = scratch / f"bundle-{number}"
        work.mkdir()
        entries, needed_bytes, more = proved_bundle(
            bundle,
            None if number else wishes.given["golden"],
            precision=wishes.given["precision"],
            cache=wishes.cache,
            scratch=work,
            say=say,
        )
        memory_bytes, warnings = max(memory_bytes, needed_bytes), (*more, *warnings)
    # Rounded up to whole GiB with a quarter to spare, so that the noise of one run changes no digest.
    needed = -(-memory_bytes * 5 // 4 // _GIB) * _GIB if memory_bytes else UNMEASURED_BYTES
    return _Proved(entries=entries, memory_bytes=needed, warnings=warnings, proved=True)


def _order(wishes: Wishes, checked: Checked, proved: _Proved, licences: Sequence[Licence]) -> Order:
    bundle = checked.bundles[0]
    return Order(
        bundles=checked.bundles,
        # By the bundle's own version: another tag or registry must not change the digest.
        name=f"{model_folder(bundle.name)}:{tag_of(bundle.version)}",
        compression=Compression(wishes.given["compression"]),
        settings=checked.settings,
        timeout_s=int(wishes.given["timeout_s"]),
        resources=Resources(
            memory_bytes=proved.memory_bytes, gpu=1 if wishes.given["variant"] == "cuda" else 0
        ),
        licenses=licences[0].expression,
        evidence=(*proved.entries, *(entry for one in checked.bundles for entry in licence_entries(one))),
        created_at=created_at(wishes.environment),
    )


def _with_base(wishes: Wishes, below: Below, cache: LayerCache, registries: Registries) -> Below:
    if wishes.given["base"] == "debian":
        return below
    from bedside.package.foreign_base import BaseSource, open_base

    source = BaseSource(
        text=wishes.given["base"],
        cache=cache,
        registries=registries,
        compression=Compression(wishes.given["compression"]),
    )
    return replace(below, base=partial(open_base, source))


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


def _zstd_in_tar(targets: Sequence[Target]) -> list[str]:
    tars = [str(target.archive) for target in targets if target.archive]
    return [f"{tar}: docker before version 23 does not load zstd; podman does" for tar in tars]
