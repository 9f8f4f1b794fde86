"""The proof before packaging: run once for a bundle, kept, and taken from there the next time.

Owns where proofs lie between two calls. A kept proof counts for the same bundle, the same bedside, the
same study and the same precision only.
"""

import json
import os
import shutil
from pathlib import Path

from bedside import __version__
from bedside.adapters.process import ChildOptions, ChildRunner
from bedside.model.bundle import Bundle
from bedside.model.layout import unpack_bundle
from bedside.oci.descriptor import sha256_digest
from bedside.oci.parts import Entry
from bedside.oci.storage import write_file
from bedside.package.golden import Study, golden_entries, read_golden, write_golden
from bedside.package.prove import prove
from bedside.package.workplace import Saying

_RECORD = "proof.json"


def proved_bundle(
    bundle: Bundle, study: Path | None, *, precision: str, cache: Path, scratch: Path, say: Saying
) -> tuple[tuple[Entry, ...], int, tuple[str, ...]]:
    """Prove a bundle, or find that it was proved.

    Args:
        bundle: Opened.
        study: For the golden case; a phantom where None.
        precision: Of the network, as the MAP runs it.
        cache: bedside's cache folder.
        scratch: Folder for what the proof writes.
        say: Told what is done now.

    Returns:
        The golden case's files, the memory that was needed in bytes, and warnings.

    Raises:
        ConfigError: The bundle crashes, or moves what it sees.
    """
    given = [sha256_digest(path.read_bytes()) for path in Study.given(study).files] if study else []
    key = sha256_digest(json.dumps([__version__, bundle.digest, sorted(given), precision]).encode())
    place = cache / "proofs" / key.partition(":")[2]
    if not (place / _RECORD).is_file():
        _run(bundle, study, precision, place, scratch, say)
    record = json.loads((place / _RECORD).read_bytes())
    entries = tuple(golden_entries(read_golden(place)))
    return entries, int(record["peakMemoryBytes"]), tuple(map(str, record["warnings"]))


def _run(bundle: Bundle, study: Path | None, precision: str, place: Path, scratch: Path, say: Saying) -> None:
    folder = bundle.path.absolute()
    if folder.is_file():
        folder = unpack_bundle(folder, scratch / "bundle")
    work = scratch / "proof"
    work.mkdir()
    runner = ChildRunner(
        bundles=lambda _digest: folder, scratch=work, environment=os.environ, options=ChildOptions()
    )
    try:
        proof = prove(bundle, runner, scratch=work, progress=say, study=study, precision=precision)
    finally:
        runner.close()
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    write_golden(proof.golden, place)
    record = {"peakMemoryBytes": proof.peak_memory_bytes, "warnings": list(proof.warnings)}
    write_file(place / _RECORD, json.dumps(record).encode())
