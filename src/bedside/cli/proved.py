"""The proof of a bundle before it is packaged, and what it leaves for the MAP.

Owns when it is asked for and whether it can run here; `bedside.cli.proving` runs it.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from bedside.cli.wishes import Checked, Wishes
from bedside.errors import ConfigError
from bedside.oci.parts import Entry
from bedside.package.workplace import Saying

_GIB = 1 << 30
#: What a proof imports; packaging alone does without.
_PROVING = ("torch", "monai", "numpy", "pydicom", "highdicom")
#: What a MAP says it needs where nobody measured.
UNMEASURED_BYTES = 4 * _GIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """What a proof leaves for the MAP.

    Attributes:
        entries: The golden case.
        memory_bytes: What the MAP says it needs.
        warnings: What a person should know, in sentences.
        proved: Whether there was a proof.
    """

    entries: tuple[Entry, ...] = ()
    memory_bytes: int = UNMEASURED_BYTES
    warnings: tuple[str, ...] = ()
    proved: bool = False


def prove(wishes: Wishes, checked: Checked, scratch: Path, say: Saying) -> Proved:
    """Run phantoms through the bundles, unless nobody wants to know.

    Raises:
        ConfigError: A bundle does not pass, or what the proof needs is not installed.
    """
    if not wishes.given["prove"]:
        return Proved(warnings=("the bundle was not proved: nobody knows where its masks come back",))
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
    return Proved(entries=entries, memory_bytes=needed, warnings=warnings, proved=True)
