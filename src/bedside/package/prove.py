"""Proves a bundle before it is packaged: it loads, it moves nothing, and it reads a study to the end.

Owns the order of the proof and its refusals. The bundle runs where it always runs, in a process without
credentials, behind `ModelRunner`; its own transforms and inferer do the work, with the network replaced
by one that answers where the phantom's solid is (`bedside.model.probe`), so that any bundle can be proved
whatever it was trained on. What is re-read is the SEG that an archive would get. See docs/proof.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bedside.dicom.reread import read_places
from bedside.domain.pipeline import Pipeline, Stage, StageKind
from bedside.domain.request import RunRequest
from bedside.errors import ConfigError, InputRejected, ModelFailed
from bedside.model.bundle import Bundle
from bedside.model.session import PROBE
from bedside.package.geometry import Deviation, compare
from bedside.package.golden import Golden, Study, capture
from bedside.phantom.solid import Acquisition, Contrast, acquisitions, write_solid
from bedside.ports import ModelRunner, Outcome, Progress, Task

#: Of every object that a proof writes; a proof has no date of its own, so that it can be repeated.
CONTENT_AT = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
#: A phantom is no patient of the model's: what the model accepts is not asked.
ANYTHING: Mapping[str, object] = {"modality": [], "body_part": [], "min_slices": 1, "spacing_mm": [0, 1e6]}
_TIMEOUT_S = 3600.0
_HINT = "docs/proof.md says how to find the cause; --no-prove packages it unproved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was proved of a bundle.

    Attributes:
        release: The bundle's digest.
        geometry: One deviation per acquisition; empty for a bundle that gives numbers.
        golden: The study that was read, and what came of it.
        warnings: What a person should know, in sentences.
        peak_memory_bytes: The most that the model's process held while it was proved.
    """

    release: str
    geometry: tuple[Deviation, ...]
    golden: Golden
    warnings: tuple[str, ...] = ()
    peak_memory_bytes: int = 0


def prove(
    bundle: Bundle,
    runner: ModelRunner,
    *,
    scratch: Path,
    progress: Progress,
    study: Path | None = None,
    precision: str = "fp32",
) -> Proof:
    """Prove a bundle, or say why it must not be packaged.

    Args:
        bundle: Opened; ``runner`` finds its files by ``bundle.digest``.
        runner: Runs bundle stages apart from this process.
        scratch: An empty folder for studies and results; some 100 MB.
        progress: Told what is done now; what it raises ends the proof.
        study: Folder of a de-identified study for the golden case; a phantom by default.
        precision: Of the network in the golden case: that in which the release will run.

    Raises:
        ConfigError: The bundle crashes, or its masks come back flipped, turned, shifted, deformed or not
            at all.
        UsageError: The study for the golden case cannot travel in a release.
        Unavailable: The runner cannot work now, or the disk is full.
    """
    bench = _Bench(bundle=bundle, runner=runner, scratch=scratch)
    ways = tuple(acquisitions()) if bundle.labels else ()
    deviations = []
    for index, acquisition in enumerate(ways):
        progress(f"prove geometry, {acquisition.name}", index / (len(ways) + 1))
        deviations.append(_proved(bench, acquisition, progress))
    progress("prove with the real network", len(ways) / (len(ways) + 1))
    golden, warnings, peak = _golden(bench, study, precision, progress)
    progress("proved", 1.0)
    return Proof(
        release=bundle.digest,
        geometry=tuple(deviations),
        golden=golden,
        warnings=warnings,
        peak_memory_bytes=peak,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """A bundle, what runs it, and where."""

    bundle: Bundle
    runner: ModelRunner
    scratch: Path

    def run(
        self,
        name: str,
        study: Path,
        progress: Progress,
        *,
        settings: Mapping[str, object],
        anything: bool = True,
    ) -> tuple[Outcome, Path]:
        """Run one study; return the outcome and the folder of its files."""
        stage = Stage(
            name="proof",
            kind=StageKind.BUNDLE,
            release=self.bundle.digest,
            settings=settings,
            timeout_s=_TIMEOUT_S,
        )
        output = self.scratch / f"{name}-output"
        output.mkdir(parents=True)
        task = Task(
            stage=stage,
            pipeline=Pipeline(name="proof", stages=(stage,)),
            request=_request(self.bundle, name, anything=anything),
            input=study,
            output=output,
        )
        return self.runner.run(task, lambda _doing, _fraction: progress(f"prove, {name}", 0.0)), output


def _request(bundle: Bundle, name: str, *, anything: bool) -> RunRequest:
    """Return what is asked of a proof's study: the SEG alone, under dates that never change."""
    return RunRequest(
        job_identity=f"proof {bundle.digest} {name}",
        arrival_id=f"proof-{name}",
        release=bundle.digest,
        release_name=bundle.name,
        release_version=bundle.version,
        content_at=CONTENT_AT,
        outputs=("seg",),
        accept=ANYTHING if anything else {},
    )


def _proved(bench: _Bench, acquisition: Acquisition, progress: Progress) -> Deviation:
    """Prove one acquisition, in the contrast that survives the bundle's preprocessing.

    Raises:
        ConfigError: It does not come back where it belongs, or not at all.
    """
    where = f"bundle {bench.bundle.name}: geometry, {acquisition.name}"
    for contrast in Contrast:
        try:
            deviation = _acquired(bench, acquisition, contrast, progress)
        except (ModelFailed, InputRejected) as failed:
            raise ConfigError(f"{where}: {failed.message}", hint=failed.hint or _HINT) from failed
        if deviation is None:
            continue
        if deviation.problem:
            raise ConfigError(f"{where}: {deviation.problem}", hint=_HINT)
        return deviation
    raise ConfigError(
        f"{where}: after preprocessing the solid looks like its surroundings, so nothing can be proved",
        hint=_HINT,
    )


def _acquired(
    bench: _Bench, acquisition: Acquisition, contrast: Contrast, progress: Progress
) -> Deviation | None:
    """Run one acquisition and compare; None where preprocessing left no contrast."""
    name = f"{acquisition.name} {contrast}".replace(",", "").replace(" ", "-")
    study = bench.scratch / name
    write_solid(study, acquisition, modality=Study.phantom(bench.bundle).modality, contrast=contrast)
    outcome, output = bench.run(name, study, progress, settings={"engine": PROBE})
    notes = outcome.report.get("notes")
    probe = notes.get("probe") if isinstance(notes, Mapping) else None
    if not isinstance(probe, Mapping):
        raise ModelFailed("the runner did not put the probe in the network's place")
    if not probe["contrast"]:
        return None
    names = {label.value: label.name for label in bench.bundle.labels}
    found = read_places(output / "dicom/seg.dcm")
    return compare(
        acquisition,
        found,
        label=names[probe["label"]],
        network_mm=max(probe["spacing_mm"], default=0.0),
    )


def _golden(
    bench: _Bench, study: Path | None, precision: str, progress: Progress
) -> tuple[Golden, tuple[str, ...], int]:
    """Read a study with the real network, and keep what came of it."""
    bundle = bench.bundle
    given = Study.given(study) if study else Study.phantom(bundle)
    folder = given.write(bench.scratch / "golden")
    where = f"bundle {bundle.name}: {'the golden study' if study else 'the phantom'}"
    try:
        outcome, output = bench.run(
            "golden", folder, progress, settings={"precision": precision}, anything=study is None
        )
    except (ModelFailed, InputRejected) as failed:
        hint = failed.hint or ("" if study else "name a study that the model accepts with --golden")
        raise ConfigError(f"{where}: {failed.message}", hint=hint) from failed
    golden = capture(bundle, given, folder, outcome, output, precision=precision)
    warnings = []
    if bundle.labels and not golden.voxels:
        warnings.append(
            f"the model finds nothing in {'the golden study' if study else 'the phantom'}: the golden case "
            "proves that it runs, not what it finds; name a study with --golden"
        )
    peak = outcome.report.get("peak_memory_bytes")
    return golden, tuple(warnings), peak if isinstance(peak, int) else 0
