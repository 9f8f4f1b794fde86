"""One study without a queue: its request, and its result moved into a folder.

Owns what ``bedside run`` and the application inside a MAP have in common, so that the same files give
the same bytes by either: the identity of derived objects follows from the files, when they came and
what was run on them.
"""

import hashlib
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from bedside.domain.identity import short_id
from bedside.domain.pipeline import Pipeline, Stage
from bedside.domain.request import RunRequest, request_settings
from bedside.domain.result import RESULT_FILE
from bedside.model.bundle import Bundle

#: What a result consists of; only these are replaced by a later one.
WRITTEN = ("dicom", "surfaces", "nifti", "preview.png", RESULT_FILE)


def newest(paths: Iterable[Path]) -> datetime:
    """Return when the newest of some files was written, to the second: the time a study came."""
    return datetime.fromtimestamp(int(max(path.stat().st_mtime for path in paths)), UTC)


def single_request(bundle: Bundle, stage: Stage, arrival: str, received_at: datetime) -> RunRequest:
    """Return what is asked of a model for one study without a queue.

    Args:
        bundle: The model.
        stage: Its settings; ``stage.release`` is recorded as what ran.
        arrival: Identity of the study's files.
        received_at: When they came, UTC; the date of derived objects.
    """
    version = Pipeline(name=bundle.name, stages=(stage,)).version
    return RunRequest(
        job_identity=short_id(["run", arrival, version, received_at.isoformat()]),
        arrival_id=arrival,
        release=stage.release,
        release_name=bundle.name,
        release_version=bundle.version,
        content_at=received_at,
        **request_settings(stage),
    )


def move_in(written: Path, output: Path, result: bytes) -> None:
    """Replace an earlier result by this one, ``result.json`` first to go and last to come.

    Args:
        written: What the run wrote, on the same file system as ``output``.
        output: Where the result shall lie.
        result: Content of ``result.json``.
    """
    for name in reversed(WRITTEN):
        old = output / name
        if old.is_dir():
            shutil.rmtree(old)
        else:
            old.unlink(missing_ok=True)
    for path in sorted(written.iterdir()):
        path.rename(output / path.name)
    temporary = written / RESULT_FILE
    temporary.write_bytes(result)
    temporary.rename(output / RESULT_FILE)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
