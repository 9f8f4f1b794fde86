"""One deployment: its parts, opened when first used.

Owns the layout of a root folder: tenants' folders at its top (where no bucket has them),
``releases/``, ``ledger.db``, and ``.work/`` for what may be lost. Opens nothing that a command does not
use: a listing of jobs reads no bundle and imports no DICOM library.
"""

import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bedside.domain.pipeline import Pipeline, ReleaseKind, Rule, StageKind
from bedside.domain.release import Promotion
from bedside.ports import ArrivalFeed
from bedside.ports.archive import ImageArchive
from bedside.wiring.archive import open_archive
from bedside.wiring.notices import open_announcer, open_metrics
from bedside.wiring.queue import open_feed
from bedside.wiring.registries import pull_map
from bedside.wiring.showing import Showing

if TYPE_CHECKING:
    from bedside.adapters.containers import ContainerRunner
    from bedside.adapters.process import ChildOptions
    from bedside.config import Settings
    from bedside.worker.compare import Comparer
    from bedside.worker.intake import Intake
    from bedside.worker.lookout import Lookout
    from bedside.worker.loop import Worker
    from bedside.worker.maps import MapStore
    from bedside.worker.observe import Observer
    from bedside.worker.releases import Releases
    from bedside.worker.runners import StageRunners
    from bedside.worker.stop import Stop


class Deployment(Showing):
    """One deployment: its state, what works on it, and what shows it; parts open when first used."""

    @cached_property
    def releases(self) -> "Releases":
        """The bundles it runs."""
        from bedside.worker.releases import Releases

        return Releases(self.root / "releases", ledger=self.ledger, clock=self.clock, maps=self.maps)

    @cached_property
    def maps(self) -> "MapStore":
        """The MAPs among them."""
        from bedside.worker.maps import MapStore, this_platform

        return MapStore(folder=self.root / "releases" / "maps", pull=pull_map, platform=this_platform())

    @cached_property
    def pipelines(self) -> dict[str, Pipeline]:
        """The configured pipelines by name, their bundles and MAPs registered as releases."""
        from bedside.worker.plans import pipelines_of

        return pipelines_of(self.settings.pipeline, self.releases.register, self.releases.register_map)

    def tidy(self) -> int:
        """Remove what crashed writers and people who went away left; return how many things."""
        return self.tidy_store() + self.uploads.sweep()

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The configured rules."""
        from bedside.worker.plans import rules_of

        return rules_of(self.settings.rule, self.pipelines)

    @cached_property
    def feed(self) -> ArrivalFeed:
        """What in the drop-boxes is complete."""
        return open_feed(
            self.settings,
            blobs=self.blobs,
            ledger=self.ledger,
            clock=self.clock,
            log=self.log,
            tenants=self.tenants,
            woken=lambda: self.woken(),
        )

    def remind(self) -> int:
        """Tell pools again whose hints got lost; return how many were told."""
        from bedside.worker.hints import Reminder

        if self.hints is None:
            return 0
        return Reminder(self.ledger, self.hints, self.clock, self.tenants, self.log).step()

    @cached_property
    def observer(self) -> "Observer":
        """What tells people, and counts; made with the log that is there when it is first needed."""
        from bedside.worker.observe import Observer

        metrics = open_metrics(self.settings, clock=self.clock, log=self.log)
        announcer = open_announcer(self.settings, clock=self.clock, log=self.log, metrics=metrics)
        self._closing += [announcer.close, metrics.close]
        return Observer(tell=announcer.tell, metrics=metrics)

    def adopt(self, *, only_first: bool = False) -> None:
        """Count what the configuration names as promoted, where it names another release than before."""
        from bedside.worker.promote import adopt

        kinds = {release.digest: release.kind for release in self.ledger.releases()}
        adopted = adopt(
            self.pipelines.values(), ledger=self.ledger, clock=self.clock, kinds=kinds, only_first=only_first
        )
        for promotion in adopted:
            self.log(
                "release.promoted",
                pipeline=promotion.pipeline,
                stage=promotion.stage,
                release=promotion.digest,
                by=promotion.by,
            )
            self.observer.promoted(promotion)

    @cached_property
    def intake(self) -> "Intake":
        """What turns drop-box entries into arrivals and jobs, under what the configuration promotes."""
        from bedside.worker.intake import Intake

        self.adopt()
        return Intake(
            ledger=self.ledger,
            blobs=self.blobs,
            feed=self.feed,
            clock=self.clock,
            pipelines=self.pipelines,
            rules=self.rules,
            limits=self.settings.intake,
            workspace=self.scratch / "intake",
            log=self.log,
            observer=self.observer,
        )

    def runner(self, scratch: Path) -> "StageRunners":
        """Return a runner of stages of every kind, with its own warm children and containers."""
        from bedside.adapters.process import ChildOptions, ChildRunner, CommandRunner
        from bedside.worker.runners import StageRunners

        worker = self.settings.worker
        options = ChildOptions(device=worker.device, threads=_threads(self.settings), warm=worker.warm)
        return StageRunners(
            {
                StageKind.BUNDLE: lambda: ChildRunner(
                    bundles=self.releases.path, scratch=scratch, environment=os.environ, options=options
                ),
                StageKind.COMMAND: lambda: CommandRunner(scratch=scratch, environment=os.environ),
                StageKind.MAP: lambda: self._containers(scratch, options),
            }
        )

    def _containers(self, scratch: Path, options: "ChildOptions") -> "ContainerRunner":
        from bedside.adapters.containers import ContainerOptions, ContainerRunner, Limits, choose_engine

        worker = self.settings.worker
        limits = Limits(memory_bytes=worker.container_memory_bytes, pids=worker.container_pids)
        return ContainerRunner(
            maps=lambda digest: self.maps.bring(self.releases.find(digest)),
            engine=choose_engine(worker.engine, os.environ),
            scratch=scratch,
            environment=os.environ,
            options=ContainerOptions(child=options, limits=limits),
        )

    def lookout(self, runner: "StageRunners") -> "Lookout":
        """Return what brings promoted releases to a worker ahead of their first job."""
        from bedside.worker.lookout import Lookout

        def bring(promotion: Promotion) -> None:
            if promotion.kind is ReleaseKind.BUNDLE:
                self.releases.path(promotion.digest)
            else:
                runner.prepare(StageKind.MAP, promotion.digest)

        return Lookout(ledger=self.ledger, bring=bring, clock=self.clock, log=self.log)

    def comparer(self, scratch: Path) -> "Comparer":
        """Return what compares shadows with what was delivered."""
        from bedside.worker.compare import Comparer

        return Comparer(ledger=self.ledger, blobs=self.blobs, clock=self.clock, scratch=scratch, log=self.log)

    @cached_property
    def archive(self) -> ImageArchive | None:
        """Where delivered results go besides the store, if anywhere."""
        return open_archive(self.settings, self.blobs, self.tenants)

    def aside(self, scratch: Path) -> Callable[[], int]:
        """Return what a worker does when nobody waits: compare shadows, and archive what is delivered."""
        from bedside.worker.archive import Archivist

        compare = self.comparer(scratch).step
        if self.archive is None:
            return compare
        archivist = Archivist(
            ledger=self.ledger,
            archive=self.archive,
            studies=self.settings.archive.studies,
            clock=self.clock,
            log=self.log,
            observer=self.observer,
        )
        return lambda: archivist.step() + compare()

    def worker(self, name: str, runner: "StageRunners", stop: "Stop") -> "Worker":
        """Return a worker of this deployment."""
        from bedside.worker.loop import Parts, Worker, WorkerOptions

        worker = self.settings.worker
        return Worker(
            Parts(
                ledger=self.ledger,
                blobs=self.blobs,
                runner=runner,
                releases=self.releases,
                clock=self.clock,
                log=self.log,
                aside=self.aside(self.scratch / name / "compare"),
                archives=self.archive is not None,
                lookout=self.lookout(runner).look,
                observer=self.observer,
            ),
            WorkerOptions(
                name=name,
                pools=self.settings.worker.pools,
                scratch=self.scratch / name,
                lease_s=worker.lease_s,
                poll_s=worker.poll_s,
                backoff_s=worker.backoff_s,
                machine=self.settings.machine.type,
                usd_per_h=self.settings.machine.price_usd_per_h,
            ),
            stop,
        )

    def close(self) -> None:
        """Give back connections, and the messages that are held; send notices that wait."""
        for close in self._closing:
            close()
        opened = self.__dict__.get("feed")  # opening it only to close it would ask for boto3
        if opened is not None:
            opened.close()
        self.ledger.close()


def _threads(settings: "Settings") -> int:
    """Return the CPU threads of one model: a fair share where several workers run here."""
    worker = settings.worker
    if worker.threads or worker.count <= 1:
        return worker.threads
    return max(1, len(os.sched_getaffinity(0)) // worker.count)
