"""One study, one MAP, no queue: ``bedside run`` with a container in place of a child.

Owns where the container image of a MAP is had from (a folder, a tar, the engine itself, a registry) and
what becomes of its output. A MAP of bedside writes its own ``result.json``, the same as `bedside run`
writes for its bundle; another's output is listed in one that is made here.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bedside.adapters.containers import ContainerOptions, ContainerRunner, Engine, Held
from bedside.adapters.containers.application import Application
from bedside.cli.single import Wanted, check_places, scratch_in, study_folder
from bedside.domain.arrival import arrival_id
from bedside.domain.identity import short_id
from bedside.domain.pipeline import Pipeline, Stage, StageKind
from bedside.domain.request import RunRequest, request_settings
from bedside.domain.result import RESULT_FILE
from bedside.errors import ModelFailed, NotFound, UsageError
from bedside.oci.cache import cache_folder
from bedside.oci.layout import LAYOUT_FILE, OciLayout
from bedside.oci.open import ContainerImage, open_place, read_container_image, split_place
from bedside.oci.reference import Reference, names_host
from bedside.ports import Outcome, Progress, Task
from bedside.runtime.record import StageReport, compose_result, list_files, result_bytes
from bedside.runtime.single import move_in
from bedside.worker.maps import MapStore, Pull, this_platform
from bedside.worker.unpack import is_zip

#: Settings that only a MAP of bedside understands, and what they are where nobody chose.
DEFAULTS: Mapping[str, object] = {
    "select": "",
    "outputs": ("seg", "sr", "surface", "preview"),
    "engine": "torch",
    "precision": "fp32",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRun:
    """How a MAP is to be run.

    Attributes:
        source: Layout folder, tar, name that the engine has, or registry reference.
        engine: Makes the engine; called when the rest was checked.
        options: Of the containers.
        pull: Reaches registries.
        timeout_s: The longest run.
    """

    source: str
    engine: Callable[[], Engine]
    options: ContainerOptions
    pull: Pull
    timeout_s: float


def is_map(source: str) -> bool:
    """Say whether what a person named is a MAP and no bundle, as far as its place tells."""
    place, _ = split_place(source)
    if place.exists():
        return place.suffix == ".tar" or (place / LAYOUT_FILE).is_file()
    return names_host(source) or (":" in source and not source.startswith(("/", ".")))


def run_map(wanted: Wanted, how: MapRun, progress: Progress) -> Mapping[str, object]:
    """Run a MAP on a study and leave its result in the output folder.

    Returns:
        The content of ``result.json``.

    Raises:
        UsageError: What was typed cannot be meant.
        NotFound: There is no such container image.
        ConfigError: It is no MAP.
        Unavailable: No engine works here, or the registry is out of reach.
        InputRejected: The study cannot be read correctly, or the model does not accept it.
        ModelFailed: The model failed on it.
    """
    check_places(wanted)
    engine = how.engine()
    with scratch_in(wanted.output) as scratch:
        progress("fetch", 0.0)
        found = _found(how, engine, scratch)
        runner = ContainerRunner(
            maps=lambda _: found,
            engine=engine,
            scratch=scratch,
            environment=os.environ,
            options=replace(how.options, warm=False),
        )
        try:
            application = runner.prepare("")
            _check_settings(wanted, application)
            progress("unpack", 0.0)
            task = _task(wanted, how, found, application, scratch)
            outcome = runner.run(task, progress)
        finally:
            runner.close()
        content = _content(task, outcome, engine)
        _make_room(task.output, wanted.output)
        move_in(task.output, wanted.output, result_bytes(content))
    return content


def _found(how: MapRun, engine: Engine, scratch: Path) -> ContainerImage | Held:
    """Return the container image that was named, on this machine."""
    place, name = split_place(how.source)
    if place.exists():
        layout, descriptor = open_place(place, OciLayout(scratch / "layout"), reference=name)
        return read_container_image(layout, descriptor, platform=this_platform())
    held = engine.find(how.source)
    if held is not None:
        return held
    if not names_host(how.source):
        raise NotFound(
            f"{how.source}: neither a file nor a container image that {engine.name} has",
            hint=f"{engine.name} images" if engine.name in ("podman", "docker") else "bedside run --help",
        )
    store = MapStore(folder=cache_folder(os.environ) / "maps", pull=how.pull, platform=this_platform())
    release = store.add(str(Reference.parse(how.source)), datetime.now(UTC))
    return store.image(release.digest)


def _check_settings(wanted: Wanted, application: Application) -> None:
    if application.bundle:
        return
    chosen = [name for name, usual in DEFAULTS.items() if wanted.settings.get(name) != usual]
    if chosen:
        raise UsageError(
            f"--{chosen[0]}: this MAP was not made by bedside and does not know it", hint="leave it out"
        )


def _task(
    wanted: Wanted, how: MapRun, found: ContainerImage | Held, application: Application, scratch: Path
) -> Task:
    folder, files, received_at = study_folder(wanted, scratch)
    if wanted.study.is_file() and is_zip(wanted.study):
        _date(folder, received_at)
    digest = found.digest or found.id if isinstance(found, Held) else found.descriptor.digest
    stage = Stage(
        name="infer",
        kind=StageKind.MAP,
        release=digest,
        settings={k: v for k, v in wanted.settings.items() if v != DEFAULTS.get(k)},
        timeout_s=how.timeout_s,
    )
    arrival = arrival_id(files)
    output = scratch / "output"
    output.mkdir()
    pipeline = Pipeline(name=application.title, stages=(stage,))
    request = RunRequest(
        job_identity=short_id(["run", arrival, pipeline.version, received_at.isoformat()]),
        arrival_id=arrival,
        release=digest,
        release_name=application.title,
        release_version=application.version,
        content_at=received_at,
        **request_settings(stage),
    )
    return Task(stage=stage, pipeline=pipeline, request=request, input=folder, output=output)


def _date(folder: Path, received_at: datetime) -> None:
    """Give unpacked files the time of their archive: an application takes the newest for the study's."""
    for place in folder.rglob("*"):
        if place.is_file():
            os.utime(place, (received_at.timestamp(), received_at.timestamp()))


def _make_room(written: Path, output: Path) -> None:
    """Remove what an earlier run left under the names that this one wrote."""
    for place in written.iterdir():
        old = output / place.name
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        else:
            old.unlink(missing_ok=True)


def _content(task: Task, outcome: Outcome, engine: Engine) -> dict[str, object]:
    """Return the result: the MAP's own with the MAP named in it, or one made of its files."""
    ran = {"digest": task.request.release, "engine": engine.name, "seconds": outcome.timings_s.get("run")}
    own = task.output / RESULT_FILE
    if own.is_file():
        try:
            content = json.loads(own.read_bytes())
        except ValueError as exc:
            raise ModelFailed(f"MAP: its {RESULT_FILE} is not JSON") from exc
        if not isinstance(content, dict):
            raise ModelFailed(f"MAP: its {RESULT_FILE} is not a JSON object")
        own.unlink()
        return {**content, "map": ran}
    report = StageReport(
        name=task.stage.name, release=task.stage.release, report=outcome.report, timings_s=outcome.timings_s
    )
    content = compose_result(
        request=task.request,
        stages=[report],
        files=list_files(task.output, outcome.report),
        created_at=datetime.now(UTC),
    )
    return {**content, "map": ran}
