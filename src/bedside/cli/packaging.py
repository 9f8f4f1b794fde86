"""The steps of ``bedside package``: check, prove, compose, publish.

Owns their order: all that a person typed is checked before the first slow step, nothing is published
before everything is made, and a proof that was passed is kept, so that the same bundle is proved once.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedside.cli.packaged import Packaged, member_of
from bedside.errors import ConfigError, UsageError
from bedside.model.bundle import Bundle, open_bundle
from bedside.oci.archive import docker_reads
from bedside.oci.cache import LayerCache, cache_folder
from bedside.oci.compress import Compression
from bedside.oci.descriptor import Platform
from bedside.oci.manifest import created_at
from bedside.oci.map import Resources
from bedside.oci.map.spec import model_folder
from bedside.oci.parts import Assembled, Entry
from bedside.oci.registry.progress import Progress, Step
from bedside.oci.registry.registries import Registries
from bedside.package.base.mirrors import given_mirrors
from bedside.package.base.unpacked import clear_materials
from bedside.package.build import Saying, build
from bedside.package.foreign_base import BaseSource, open_base
from bedside.package.licences import Licence, licence_entries, licence_of
from bedside.package.order import Order
from bedside.package.publish import Publication, Target, check_tag, parse_target, publish, tag_of
from bedside.package.record import attached, recorded
from bedside.package.stack import Below, resolve_stack
from bedside.package.wheels.lock import Variant
from bedside.wiring import open_registries

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_GIB = 1 << 30
#: What a MAP says it needs where nobody measured.
UNMEASURED_BYTES = 4 * _GIB
_ARCHITECTURES = ("amd64", "arm64")
#: What a proof imports; packaging alone does without.
_PROVING = ("torch", "monai", "numpy", "pydicom", "highdicom")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a person asked for, as typed.

    Attributes:
        bundles: Folders or archives.
        given: Options by their names.
        environment: Of the process.
    """

    bundles: tuple[Path, ...]
    given: Mapping[str, Any]
    environment: Mapping[str, str]

    @property
    def cache(self) -> Path:
        """Bedside's cache folder."""
        chosen = self.given.get("cache_folder")
        return Path(chosen).absolute() if chosen else cache_folder(self.environment)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proved:
    """What a proof leaves for the MAP."""

    entries: tuple[Entry, ...] = ()
    memory_bytes: int = UNMEASURED_BYTES
    warnings: tuple[str, ...] = ()
    proved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """What was typed, checked."""

    bundles: tuple[Bundle, ...]
    platforms: tuple[Platform, ...]
    targets: tuple[Target, ...]
    name: str
    below: Below
    settings: Mapping[str, object] = field(default_factory=dict)
    key: "EllipticCurvePrivateKey | None" = None


def wishes_of(bundles: Sequence[Path], given: Mapping[str, object], environment: Mapping[str, str]) -> Wishes:
    """Return what was typed as one value."""
    return Wishes(bundles=tuple(bundles), given=given, environment=environment)


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
    checked = _check(wishes)
    cache = LayerCache(wishes.cache)
    with (
        tempfile.TemporaryDirectory(prefix="bedside-package-") as scratch,
        open_registries(wishes.environment, insecure=bool(wishes.given["insecure"])) as registries,
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
        made = build(order, stacks, cache=cache, scratch=Path(scratch), say=say)
        publication = Publication(
            assembled=made,
            attached=attached(order, resolved, made, asked, cache=cache),
            signatures=_signatures(checked, made, cache),
            name=checked.name,
        )
        say("publishing", None)
        publish(publication, checked.targets, cache=cache, registries=registries, tell=_telling(say))
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


def _check(wishes: Wishes) -> _Checked:
    given = wishes.given
    bundles = tuple(open_bundle(path) for path in wishes.bundles)
    tag = check_tag(given["tag"] or tag_of(bundles[0].version))
    repository = model_folder(bundles[0].name)
    outputs = [parse_target(text) for text in given["outputs_to"]]
    pushes = [parse_target(text, registry=True) for text in given["pushes"]]
    targets = (*outputs, *pushes) or (parse_target(f"{repository}-{tag}"),)
    requirements = given["requirements"]
    if requirements and not requirements.is_file():
        raise UsageError(f"--requirements {requirements}: no such file", hint="bedside package --help")
    if given["golden"] and not given["golden"].exists():
        golden = given["golden"]
        raise UsageError(f"--golden {golden}: no such file or folder", hint="bedside package --help")
    return _Checked(
        bundles=bundles,
        platforms=tuple(_platform(text) for text in dict.fromkeys(given["platforms"])),
        targets=targets,
        name=f"{repository}:{tag}",
        below=Below(
            variant=Variant(given["variant"]),
            base_lock=given["base_lock"],
            mirrors=given_mirrors(given["mirrors"]) if given["mirrors"] else None,
            requirements=tuple(requirements.read_text().splitlines()) if requirements else (),
        ),
        settings=_settings(given),
        key=_signing_key(wishes),
    )


def _signing_key(wishes: Wishes) -> "EllipticCurvePrivateKey | None":
    if not wishes.given["sign_key"]:
        return None
    from bedside.package.sign import read_private_key

    return read_private_key(wishes.given["sign_key"], wishes.environment.get("BEDSIDE_SIGN_PASSPHRASE", ""))


def _platform(text: str) -> Platform:
    system, _, rest = text.partition("/")
    architecture, _, variant = rest.partition("/")
    if system != "linux" or architecture not in _ARCHITECTURES:
        known = ", ".join(f"linux/{one}" for one in _ARCHITECTURES)
        raise UsageError(f"--platform {text}: expected {known}", hint="bedside package --help")
    return Platform(os=system, architecture=architecture, variant=variant)


def _settings(given: Mapping[str, Any]) -> dict[str, object]:
    from bedside.domain.expression import parse
    from bedside.domain.request import OUTPUTS

    names = [part.strip() for part in given["outputs"].split(",") if part.strip()]
    for name in names:
        if name not in OUTPUTS:
            raise UsageError(
                f"--outputs {name}: expected {', '.join(OUTPUTS)}", hint="bedside package --help"
            )
    settings: dict[str, object] = {"outputs": names}
    if given["select"]:
        parse(given["select"])
        settings["select"] = given["select"]
    if given["precision"] != "fp32":
        settings["precision"] = given["precision"]
    return settings


def _prove(wishes: Wishes, checked: _Checked, scratch: Path, say: Saying) -> _Proved:
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


def _order(wishes: Wishes, checked: _Checked, proved: _Proved, licences: Sequence[Licence]) -> Order:
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


def _signatures(checked: _Checked, made: Assembled, cache: LayerCache) -> dict[str, Assembled]:
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


def _telling(say: Saying) -> Callable[[Progress], None]:
    moved: dict[str, tuple[int, int]] = {}

    def tell(progress: Progress) -> None:
        size = progress.descriptor.size_bytes
        done = progress.done_bytes if progress.step is Step.MOVING else size
        moved[progress.descriptor.digest] = (done, size)
        whole = sum(total for _, total in moved.values())
        sent = sum(part for part, _ in moved.values())
        # The same words while the share grows: where nobody watches, each change of words is a line.
        say(f"publishing {whole / 1e6:.0f} MB", sent / whole if whole else None)

    return tell
