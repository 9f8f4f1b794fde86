"""One study, one bundle, no queue: the steps of ``bedside run``.

Owns the order that makes a cold run fast (the model loads while the study is unpacked and hashed) and
a crash harmless (results are written beside and moved in, ``result.json`` last). Derived objects
carry the time the study came, which is part of their identity, so that the same files give the same
bytes again and no UID ever names two contents.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bedside.adapters.process import ChildOptions, ChildRunner
from bedside.dicom.identify import identify
from bedside.domain.arrival import StoredFile, arrival_id
from bedside.domain.pipeline import Pipeline, Stage, StageKind
from bedside.errors import InputRejected, UsageError
from bedside.model.bundle import Bundle, open_bundle
from bedside.model.layout import unpack_bundle
from bedside.ports import Progress, Task
from bedside.runtime.record import StageReport, compose_result, list_files, result_bytes
from bedside.runtime.single import move_in, newest, single_request
from bedside.worker.unpack import Limits, UnpackedFile, hash_file, is_zip, unpack


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to run on what.

    Attributes:
        bundle: Folder or archive.
        study: ZIP, folder or single instance.
        output: Folder of the result.
        replace: Whether an earlier result there may be replaced.
        settings: Of the stage: select, outputs, precision, engine.
        options: Of the model's process.
        limits: Of a ZIP.
    """

    bundle: Path
    study: Path
    output: Path
    replace: bool
    settings: Mapping[str, object]
    options: ChildOptions
    limits: Limits


def check(wanted: Wanted) -> Bundle:
    """Check all that a person typed before the first slow step, and open the bundle.

    Raises:
        UsageError: The study is missing, or the output folder holds something.
        ConfigError: It is no bundle.
    """
    check_places(wanted)
    return open_bundle(wanted.bundle)


def check_places(wanted: Wanted) -> None:
    """Check study and output folder.

    Raises:
        UsageError: The study is missing, or the output folder holds something.
    """
    if not wanted.study.exists():
        raise UsageError(f"{wanted.study} does not exist", hint="bedside run --help")
    if wanted.output.exists() and not wanted.output.is_dir():
        raise UsageError(f"{wanted.output} is a file, a folder is needed", hint="name another with -o")
    if wanted.output.is_dir() and any(wanted.output.iterdir()) and not wanted.replace:
        raise UsageError(f"{wanted.output} is not empty", hint="add --force, or name another with -o")


def run_single(wanted: Wanted, bundle: Bundle, progress: Progress) -> Mapping[str, object]:
    """Run a bundle on a study and leave its result in the output folder.

    Returns:
        The content of ``result.json``.

    Raises:
        InputRejected: The study cannot be read correctly, or the model does not accept it.
        ModelFailed: The model failed on it.
    """
    stage = Stage(
        name="infer",
        kind=StageKind.BUNDLE,
        release=bundle.digest,
        settings=wanted.settings,
        timeout_s=24 * 3600.0,
    )
    with scratch_in(wanted.output) as scratch:
        place = bundle.path.absolute()  # the child works in a folder of its own
        if place.is_file():
            place = unpack_bundle(place, scratch / "bundle")
        runner = ChildRunner(
            bundles=lambda _digest: place,
            scratch=scratch,
            environment=os.environ,
            options=wanted.options,
        )
        try:
            runner.warm_up(stage)
            progress("unpack", 0.0)
            folder, files, received_at = study_folder(wanted, scratch)
            task = Task(
                stage=stage,
                pipeline=Pipeline(name=bundle.name, stages=(stage,)),
                request=single_request(bundle, stage, arrival_id(files), received_at),
                input=folder,
                output=scratch / "output",
            )
            task.output.mkdir()
            outcome = runner.run(task, progress)
        finally:
            runner.close()
        content = compose_result(
            request=task.request,
            stages=[
                StageReport(
                    name=stage.name, release=stage.release, report=outcome.report, timings_s=outcome.timings_s
                )
            ],
            files=list_files(task.output, outcome.report),
            created_at=datetime.now(UTC),
        )
        move_in(task.output, wanted.output, result_bytes(content))
    return content


@contextmanager
def scratch_in(output: Path) -> Iterator[Path]:
    """Make a work folder inside the output folder, so that moving the result in is a rename."""
    made = not output.exists()
    output.mkdir(parents=True, exist_ok=True)
    done = False
    try:
        with tempfile.TemporaryDirectory(prefix=".bedside-", dir=output) as scratch:
            yield Path(scratch).absolute()
            done = True
    finally:
        if made and not done:
            output.rmdir()


def study_folder(wanted: Wanted, scratch: Path) -> tuple[Path, list[StoredFile], datetime]:
    """Return the folder that the model reads, the instances in it, and when they came."""
    folder, files, received_at = _input(wanted, scratch)
    return folder, list(_stored(files)), received_at


def _input(wanted: Wanted, scratch: Path) -> tuple[Path, list[UnpackedFile], datetime]:
    """Return the folder that the model reads, its files hashed, and when they came."""
    study = wanted.study.resolve()
    folder = scratch / "input"
    if study.is_dir():
        paths = sorted(path for path in study.rglob("*") if path.is_file())
        if not paths:
            raise InputRejected("study: the folder holds no files")
        return study, [hash_file(path) for path in paths], newest(paths)
    folder.mkdir()
    if is_zip(study):
        return folder, unpack(study, folder, wanted.limits), newest([study])
    (folder / "000001").symlink_to(study)
    return folder, [hash_file(study)], newest([study])


def _stored(files: list[UnpackedFile]) -> Iterator[StoredFile]:
    for file in files:
        found = identify(file.path)
        if found:
            yield StoredFile(
                sop_instance_uid=found.sop_instance_uid, sha256=file.sha256, size_bytes=file.size_bytes
            )
