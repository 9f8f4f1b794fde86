"""The steps of ``bedside package``: all that a person typed is checked before the first slow step.

Owns that the layers of the models, which are what changes, are begun by a second process at once.
"""

import tempfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bedside.cli.packaged import Packaged
from bedside.cli.wishes import Wishes, check
from bedside.oci.cache import LayerCache
from bedside.package.ahead import ahead
from bedside.package.base.mirrors import given_mirrors
from bedside.package.models import bake_models
from bedside.package.workplace import Saying, Workplace


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
    with tempfile.TemporaryDirectory(prefix="bedside-package-") as scratch:
        second = Workplace(cache=cache, scratch=Path(scratch) / "ahead")
        with ahead(partial(bake_models, checked.bundles, wishes.compression, second)):
            from bedside.cli.publishing import publish_bundles

            return publish_bundles(wishes, checked, Workplace(cache=cache, scratch=Path(scratch), say=say))
