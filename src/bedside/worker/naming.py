"""Which release a person means: by digest, by its beginning, or by a name that was given to it.

Owns the order of looking and refuses to guess: what fits two releases is an error that lists both.
"""

from collections.abc import Mapping, Sequence

from bedside.domain.pipeline import Release
from bedside.errors import NotFound, UsageError
from bedside.oci.map.spec import model_folder

#: Fewest hex digits that are taken for the beginning of a digest.
FEWEST_DIGITS = 4

#: Hex digits of a digest in messages and tables.
SHOWN_DIGITS = 12

_HEX = frozenset("0123456789abcdef")


def find_release(text: str, releases: Sequence[Release], names: Mapping[str, str]) -> Release:
    """Return the release that is called so.

    Args:
        text: A digest with or without ``sha256:``, the beginning of one, a name that was given
            (``NAME:VERSION``, a registry's reference), or the name of a model with one release; a model's
            name as its bundle says it, or as ``bedside package`` writes it.
        releases: All, newest first.
        names: Digest by given name.

    Raises:
        NotFound: None is.
        UsageError: Several are.
    """
    if text in names:
        return _of(names[text], releases)
    digits = text.removeprefix("sha256:")
    fitting: list[Release] = []
    if len(digits) >= FEWEST_DIGITS and set(digits) <= _HEX:
        fitting = [r for r in releases if r.digest.removeprefix("sha256:").startswith(digits)]
    fitting = fitting or [r for r in releases if text in _names(r)]
    if not fitting:
        known = ", ".join(dict.fromkeys(f"{r.name}:{r.version}" for r in releases)) or "none"
        raise NotFound(f"no release {text}; registered: {known}", hint="bedside release list")
    if len(fitting) > 1:
        raise UsageError(
            f"{text} is {len(fitting)} releases: {', '.join(described(r) for r in fitting[:5])}",
            hint="type the beginning of its digest: bedside release list",
        )
    return fitting[0]


def described(release: Release) -> str:
    """Return a release in a few words: name, version, and enough of the digest to type."""
    return f"{release.name} {release.version} ({short(release.digest)})"


def short(digest: str) -> str:
    """Return enough of a digest to type."""
    return digest.removeprefix("sha256:")[:SHOWN_DIGITS]


def _names(release: Release) -> tuple[str, ...]:
    plain = model_folder(release.name)
    version = release.version
    return release.name, f"{release.name}:{version}", plain, f"{plain}:{version}"


def _of(digest: str, releases: Sequence[Release]) -> Release:
    for release in releases:
        if release.digest == digest:
            return release
    raise NotFound(f"release {digest}: it has a name and is not registered", hint="bedside release list")
