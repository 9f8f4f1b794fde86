"""What a person asked of ``bedside package``, checked as a whole before the first slow step.

Owns the reading of what was typed: nothing here fetches, proves or makes anything, and nothing that was
mistyped gets further than this.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedside.errors import UsageError
from bedside.model.bundle import Bundle, open_bundle
from bedside.oci.cache import cache_folder
from bedside.oci.compress import Compression
from bedside.oci.descriptor import Platform
from bedside.oci.map.spec import model_folder
from bedside.package.base.mirrors import Mirrors, given_mirrors
from bedside.package.targets import Target, check_tag, parse_target, tag_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_ARCHITECTURES = ("amd64", "arm64")


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
    def compression(self) -> Compression:
        """Of the layers that are made."""
        return Compression(self.given["compression"])

    @property
    def cache(self) -> Path:
        """Bedside's cache folder."""
        chosen = self.given.get("cache_folder")
        return Path(chosen).absolute() if chosen else cache_folder(self.environment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was typed, checked."""

    bundles: tuple[Bundle, ...]
    platforms: tuple[Platform, ...]
    targets: tuple[Target, ...]
    name: str
    mirrors: Mirrors | None
    requirements: tuple[str, ...]
    settings: Mapping[str, object] = field(default_factory=dict)
    key: "EllipticCurvePrivateKey | None" = None


def wishes_of(bundles: Sequence[Path], given: Mapping[str, object], environment: Mapping[str, str]) -> Wishes:
    """Return what was typed as one value."""
    return Wishes(bundles=tuple(bundles), given=given, environment=environment)


def check(wishes: Wishes) -> Checked:
    """Check what was typed.

    Raises:
        UsageError: Something was typed wrongly.
        ConfigError: A bundle is none, or the key cannot be read.
    """
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
    return Checked(
        bundles=bundles,
        platforms=tuple(_platform(text) for text in dict.fromkeys(given["platforms"])),
        targets=targets,
        name=f"{repository}:{tag}",
        mirrors=given_mirrors(given["mirrors"]) if given["mirrors"] else None,
        requirements=tuple(requirements.read_text().splitlines()) if requirements else (),
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
    from bedside.domain.outputs import OUTPUTS

    names = [part.strip() for part in given["outputs"].split(",") if part.strip()]
    for name in names:
        if name not in OUTPUTS:
            raise UsageError(
                f"--outputs {name}: expected {', '.join(OUTPUTS)}", hint="bedside package --help"
            )
    settings: dict[str, object] = {"outputs": names}
    if given["select"]:
        from bedside.domain.expression import parse

        parse(given["select"])
        settings["select"] = given["select"]
    if given["precision"] != "fp32":
        settings["precision"] = given["precision"]
    return settings
