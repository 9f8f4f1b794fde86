"""Stages that are MAPs: ours stay warm and speak the protocol, others run by the folder contract.

Owns the choice between the two and how tightly a container is held. What a container sees is its own
container image, one study, and a folder for its results; what becomes of a failure is the same as for
a child process (`bedside.worker.children`).
"""

import contextlib
import itertools
import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bedside.adapters.containers.application import Application, read_application
from bedside.adapters.containers.box import INPUT, OUTPUT, Box, Engine, Held, Limits, Mount
from bedside.adapters.containers.exchange import Exchange, has_links, lay_out
from bedside.adapters.containers.gpu import wanted
from bedside.adapters.containers.owner import mark
from bedside.adapters.containers.process import ContainerProcess, unique_name
from bedside.domain.pipeline import Stage
from bedside.domain.request import request_settings
from bedside.errors import ConfigError, Unavailable
from bedside.oci.open import ContainerImage
from bedside.ports import Outcome, Progress, Task
from bedside.runtime.protocol import VERSIONS, Load
from bedside.worker.children.program import follow
from bedside.worker.children.warm import WarmChild
from bedside.worker.children.warmth import ChildOptions, WarmChildren

#: How a MAP of bedside is started as a warm child, whatever its entry point is.
CHILD = ("python3", "-P", "-m", "bedside.runtime")

#: Variables of the worker that say how many threads compute, and where on earth this is.
_PASSED = re.compile("(?:OMP|MKL|OPENBLAS|KMP|GOMP|NUMEXPR)_[A-Z_]+|TZ|LANG|LC_[A-Z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerOptions:
    """What all containers of a runner have in common.

    Attributes:
        child: Device, threads, and how many stay warm.
        limits: How much one may take.
        writable: Whether applications may write into a copy of their root.
        warm: Whether MAPs that speak the protocol stay warm; else all run by the folder contract.
    """

    child: ChildOptions = field(default_factory=ChildOptions)
    limits: Limits = field(default_factory=Limits)
    writable: bool = False
    warm: bool = True


class ContainerRunner:
    """Runs stages whose release is a MAP, one study at a time.

    One study at a time; `prepare` may be called from another thread meanwhile: two threads that bring the
    same release both find it there in the end.

    Args:
        maps: Gives the container image of a release by its digest, or what an engine holds already.
        engine: Runs the containers.
        scratch: Where containers' folders are made; on the file system of the studies, best.
        environment: The worker's; a container sees next to nothing of it.
        options: What all containers have in common.
    """

    def __init__(
        self,
        *,
        maps: Callable[[str], ContainerImage | Held],
        engine: Engine,
        scratch: Path,
        environment: Mapping[str, str],
        options: ContainerOptions,
    ) -> None:
        self._maps = maps
        self._engine = engine
        self._scratch = scratch
        self._environment = environment
        self._options = options
        self._known: dict[str, tuple[Held, Application]] = {}
        self._exchanges: dict[int, Exchange] = {}
        self._runs = itertools.count(1)
        self._children = WarmChildren(self._start, options.child)

    def prepare(self, release: str) -> Application:
        """Bring a release to the engine ahead of its first study, and return what it says of itself.

        Raises:
            ConfigError: It is no MAP, or none that this bedside can speak to.
            Unavailable: The engine refuses it.
        """
        return self._known_as(release)[1]

    def warm_up(self, stage: Stage) -> None:
        """Start a stage's child where it can be warm, so that the model loads while the study comes."""
        application = self.prepare(stage.release)
        if self._options.warm and _speaks(application):
            self._children.warm_up(_settled(stage, application))

    def run(self, task: Task, progress: Progress) -> Outcome:
        """Run one stage to its end. See `bedside.ports.ModelRunner.run`."""
        held, application = self._known_as(task.stage.release)
        if self._options.warm and _speaks(application):
            return self._run_warm(_as_packaged(task, application), progress)
        return self._run_folder(task, held, application, progress)

    def close(self) -> None:
        """End warm children."""
        self._children.close()
        for exchange in self._exchanges.values():
            exchange.remove()
        self._exchanges.clear()

    def names(self) -> tuple[str, ...]:
        """Return the names of the warm containers."""
        return tuple(
            child.spawned.box.name
            for child in self._children.all()
            if isinstance(child.spawned, ContainerProcess)
        )

    def _known_as(self, release: str) -> tuple[Held, Application]:
        if not self._known:
            with contextlib.suppress(Unavailable):  # what was left by others must not stop this run
                self._engine.sweep()
        if release not in self._known:
            found = self._maps(release)
            held = found if isinstance(found, Held) else self._engine.bring(found)
            application = read_application(self._engine, held)
            if application.protocols and not _speaks(application):
                raise ConfigError(
                    f"release {release}: speaks protocol {', '.join(map(str, application.protocols))}, "
                    f"this bedside {', '.join(map(str, VERSIONS))}",
                    hint="bedside package the bundle again, or use a newer bedside",
                )
            self._known[release] = (held, application)
        return self._known[release]

    def _run_warm(self, task: Task, progress: Progress) -> Outcome:
        run = str(next(self._runs))
        used: list[Exchange] = []

        def seen(child: WarmChild) -> tuple[str, str]:
            exchange = self._exchanges[id(child.spawned)]
            used.append(exchange)
            exchange.lay_out(task.input, run)
            return f"{INPUT}/{run}", f"{OUTPUT}/{run}"

        try:
            outcome = self._children.run(task, progress, seen)
            used[-1].collect(run, task.output)
            return outcome
        finally:
            for exchange in used:
                exchange.clear(run)
            self._forget_ended()

    def _run_folder(self, task: Task, held: Held, application: Application, progress: Progress) -> Outcome:
        timeout_s = min(application.timeout_s or task.stage.timeout_s, task.stage.timeout_s)
        settings = self._settings(task.stage) if application.bundle else {}
        with tempfile.TemporaryDirectory(prefix="study-", dir=self._made_scratch()) as laid_out:
            source = task.input.resolve()
            if has_links(source):
                lay_out(source, source := Path(laid_out).resolve())
            box = self._box(
                held,
                application,
                command=application.command,
                environment={**application.environment, **settings},
                workdir=application.workdir,
                mounts=(
                    Mount(source=source, target=application.input),
                    Mount(source=task.output.resolve(), target=application.output, writable=True),
                ),
            )
            box = replace(box, writable=self._options.writable)
            process = ContainerProcess(
                self._engine, box, environment=self._environment, scratch=self._scratch, piped=False
            )
            try:
                return follow(process, task, progress, timeout_s=timeout_s)
            finally:
                process.end()

    def _settings(self, stage: Stage) -> dict[str, str]:
        """Return a stage's settings as variables of the application inside (docs/map.md)."""
        chosen = {"device": self._options.child.device, "threads": self._options.child.threads or ""}
        found = {name: value for name, value in {**chosen, **stage.settings}.items() if value}
        return {
            f"BEDSIDE_{name.upper()}": ",".join(map(str, value))
            if isinstance(value, list | tuple)
            else value
            if isinstance(value, str)
            else json.dumps(value)
            for name, value in found.items()
        }

    def _made_scratch(self) -> Path:
        self._scratch.mkdir(parents=True, exist_ok=True)
        return self._scratch

    def _start(self, stage: Stage, options: Mapping[str, object]) -> WarmChild:
        self._forget_ended()
        held, application = self._known_as(stage.release)
        exchange = Exchange(Path(tempfile.mkdtemp(prefix="exchange-", dir=self._made_scratch())).resolve())
        box = self._box(
            held,
            application,
            command=CHILD,
            environment={},
            workdir="/",
            mounts=(
                Mount(source=exchange.input, target=INPUT),
                Mount(source=exchange.output, target=OUTPUT, writable=True),
            ),
        )
        process = ContainerProcess(
            self._engine, box, environment=self._environment, scratch=self._scratch, piped=True
        )
        self._exchanges[id(process)] = exchange
        load = Load(protocol=0, bundle=application.model, release=application.bundle, options=options)
        return WarmChild(process, load)

    def _box(
        self,
        held: Held,
        application: Application,
        *,
        command: tuple[str, ...],
        environment: Mapping[str, str],
        workdir: str,
        mounts: tuple[Mount, ...],
    ) -> Box:
        limits = self._options.limits
        shared = max(limits.shared_memory_bytes, application.shared_memory_bytes)
        passed = {name: value for name, value in self._environment.items() if _PASSED.fullmatch(name)}
        return Box(
            held=held,
            name=unique_name(),
            command=command,
            # HOME and USER: whoever asks for a home or a name finds none for an arbitrary user id.
            environment={**passed, **environment, "HOME": "/tmp", "TMPDIR": "/tmp", "USER": "map"},  # noqa: S108
            workdir=workdir,
            mounts=mounts,
            user=(os.getuid(), os.getgid()),
            limits=replace(limits, shared_memory_bytes=shared),
            gpus=wanted(self._options.child.device, asked=application.wants_gpu),
            owner=mark(),
        )

    def _forget_ended(self) -> None:
        """Remove the folders of containers that are no more."""
        living = {id(child.spawned) for child in self._children.all()}
        for key in [key for key in self._exchanges if key not in living]:
            self._exchanges.pop(key).remove()


def _settled(stage: Stage, application: Application) -> Stage:
    """Return a stage with the settings and the time-out that a MAP was packaged with, where it names none."""
    return replace(
        stage,
        settings={**application.settings, **stage.settings},
        timeout_s=min(application.timeout_s or stage.timeout_s, stage.timeout_s),
    )


def _as_packaged(task: Task, application: Application) -> Task:
    """Return a task as the MAP's own application would run it: the same digest gives the same answer."""
    stage = _settled(task.stage, application)
    packaged = {
        name: value
        for name, value in request_settings(stage).items()
        if name in application.settings and name not in task.stage.settings
    }
    return replace(task, stage=stage, request=replace(task.request, **packaged))


def _speaks(application: Application) -> bool:
    return bool(set(application.protocols) & set(VERSIONS)) and bool(application.bundle)
