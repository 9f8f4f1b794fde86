"""A bundle, loaded once and kept warm: a volume in, masks or numbers out.

Owns the order of a run (prepare, predict, finish), its timings and its notes. It sets nothing outside
its process but torch's thread count, and belongs in a child process without credentials: a bundle's
configuration is code. See docs/inference.md.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bedside.domain.volume import Label, ModelOutput, Segmentation, Volume
from bedside.errors import BedsideError, ConfigError, ModelFailed, OutOfMemory
from bedside.model.bundle import Bundle
from bedside.model.deviation import Deviation, compare, probe_of
from bedside.model.imports import import_monai, suffices_lean
from bedside.model.layout import unpack_bundle

if TYPE_CHECKING:
    from bedside.model.forward import Effort, Progress
    from bedside.model.pipeline import Pipeline
    from bedside.model.probe import Probe
    from bedside.model.program import Program

#: The engine of a proof of geometry. No configuration and no command offers it.
PROBE = "probe"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """How a bundle is run; what of this changes a result is part of a job's identity.

    Attributes:
        device: ``auto`` (CUDA where there is one), ``cpu``, ``cuda`` or ``cuda:N``.
        engine: ``torch``; ``openvino`` or ``compile`` run the network's forward pass by other means;
            ``probe`` answers in its place, for a proof of geometry (`bedside.model.probe`).
        precision: Of the network's forward pass: ``fp32``, ``bf16``, or ``fp16`` on CUDA.
        threads: CPU threads; 0 is all cores.
        tolerance_dice: Least Dice of every label against fp32 torch that engine and precision may have.
        fast: Use the equivalents of well-known transforms that are proved equal.
    """

    device: str = "auto"
    engine: str = "torch"
    precision: str = "fp32"
    threads: int = 0
    tolerance_dice: float = 0.999
    fast: bool = True


@dataclass(slots=True)
class _Clock:
    """Seconds per step of one run."""

    seconds: dict[str, float] = field(default_factory=dict)
    since: float = field(default_factory=time.perf_counter)

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.seconds[step] = self.seconds.get(step, 0.0) + now - self.since
        self.since = now


class Session:
    """One bundle in memory.

    Args:
        bundle: What to load.
        options: How to run it.

    Raises:
        ConfigError: The bundle cannot be loaded, or the machine lacks what the options ask for.
    """

    def __init__(self, bundle: Bundle, options: SessionOptions | None = None) -> None:
        self.bundle = bundle
        self.options = options or SessionOptions()
        self.deviation: Deviation | None = None
        self._reference: Pipeline | None = None
        self._pipeline: Pipeline | None = None
        self._probe: Probe | None = None
        self._scratch = Path(tempfile.mkdtemp(prefix="bedside-bundle-"))
        try:
            self._load()
        except BaseException:
            self.close()
            raise

    def _load(self) -> None:
        root = self.bundle.path
        if not root.is_dir():
            root = unpack_bundle(root, self._scratch / "bundle")
        root = root.resolve()
        config = (root / self.bundle.config).read_text(encoding="utf-8", errors="replace")
        import_monai(lean=suffices_lean([config]))
        # Only now: these import torch and MONAI.
        from bedside.model.engines import choose_device, make_runner  # noqa: PLC0415
        from bedside.model.pipeline import Pipeline  # noqa: PLC0415
        from bedside.model.program import load_program  # noqa: PLC0415

        self._device = choose_device(self.options.device)
        _set_threads(self.options.threads)
        (self._scratch / "output").mkdir()
        program = load_program(self.bundle, root, self._device, self._scratch / "output")
        if self.options.engine == PROBE:
            self._probe = self._make_probe(program)
            self._pipeline = Pipeline(program, self._device, self._probe, fast=self.options.fast)
            self._reference = self._pipeline  # there is nothing to compare it with
            return
        self._reference = Pipeline(program, self._device, None, fast=self.options.fast)
        runner = make_runner(
            program, engine=self.options.engine, precision=self.options.precision, device=self._device
        )
        self._pipeline = (
            Pipeline(program, self._device, runner, fast=self.options.fast) if runner else self._reference
        )

    def _make_probe(self, program: Program) -> Probe:
        from bedside.model.probe import Probe  # noqa: PLC0415 - imports torch

        if not self.bundle.labels:
            raise ConfigError(f"bundle {self.bundle.name}: gives numbers, no masks whose place can be proved")
        return Probe(program.network, self.bundle.labels)

    def run(
        self, volume: Volume, *, labels: tuple[Label, ...] | None = None, progress: Progress | None = None
    ) -> ModelOutput:
        """Run the bundle on one volume.

        Args:
            volume: The series; the bundle sees it as the NIfTI file that dcm2niix writes.
            labels: What voxel values mean; the bundle's own by default.
            progress: Told what is done now and how much of it. What it raises ends the run.

        Returns:
            Masks on the volume's own grid, or numbers; timings of ``pre``, ``forward``, ``post``; notes of
            device, engine, precision, ``sw_batch_size`` and, for other engines than fp32 torch, the
            measured deviation.

        Raises:
            OutOfMemory: Also the smallest setting ran out of memory.
            ModelFailed: The bundle failed on this volume, or its output is neither masks nor numbers.
            ConfigError: Engine and precision deviate more than the tolerance allows.
        """
        labels = self.bundle.labels if labels is None else labels
        if self.deviation is not None:
            self.deviation.check(self.options, self.bundle)  # before the work, once it is known
        output, effort, clock = self._once(self._pipeline, volume, labels, progress)
        if self._pipeline is not self._reference:
            if self.deviation is None:
                self.measure_deviation(probe_of(volume, output.segmentation))
                clock.lap("deviation")
            assert self.deviation is not None
            self.deviation.check(self.options, self.bundle)
        return ModelOutput(
            segmentation=output.segmentation,
            numbers=output.numbers,
            timings_s=clock.seconds,
            notes=self._notes(effort),
        )

    def measure_deviation(self, volume: Volume) -> Deviation:
        """Run a volume by the chosen engine and precision and by fp32 torch, and compare.

        Args:
            volume: A small one is enough: the network's arithmetic is what is compared.

        Returns:
            The deviation, kept for the notes of every later result.
        """
        labels = self.bundle.labels
        ours, _, _ = self._once(self._pipeline, volume, labels, None)
        reference, _, _ = self._once(self._reference, volume, labels, None)
        self.deviation = compare(reference, ours)
        return self.deviation

    def close(self) -> None:
        """Give back memory and temporary files."""
        self._pipeline = self._reference = None
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _once(
        self, pipeline: Pipeline | None, volume: Volume, labels: tuple[Label, ...], progress: Progress | None
    ) -> tuple[ModelOutput, Effort, _Clock]:
        from bedside.model.forward import is_out_of_memory  # noqa: PLC0415 - imports torch
        from bedside.model.program import CODE_ERRORS, root_cause, said  # noqa: PLC0415

        if pipeline is None:
            raise ModelFailed("session was closed")
        clock = _Clock()
        try:
            segmentation, numbers, effort = pipeline.run(
                volume, bundle=self.bundle, labels=labels, progress=progress, lap=clock.lap
            )
        except (*CODE_ERRORS, MemoryError) as exc:
            cause = root_cause(exc)
            if isinstance(cause, BedsideError):
                raise cause from exc
            if is_out_of_memory(exc) or is_out_of_memory(cause):
                raise OutOfMemory(
                    f"out of memory outside the network: {volume.array.shape} voxels",
                    hint="run it on a machine with more memory: bedside doctor shows what this one has",
                ) from exc
            raise ModelFailed(f"bundle {self.bundle.name} failed on this series: {said(cause)}") from exc
        return _output(segmentation, numbers), effort, clock

    def _notes(self, effort: Effort) -> dict[str, object]:
        notes: dict[str, object] = {
            "device": str(self._device),
            "engine": self.options.engine,
            "precision": self.options.precision,
            "windows": effort.windows,
            "sw_batch_size": effort.sw_batch_size,
            "stitched_on": effort.stitched_on,
            "memory_retries": effort.retries,
        }
        if self._probe is not None:
            notes["probe"] = self._probe.notes()
        if self.deviation is not None:
            notes["deviation"] = self.deviation.as_note() | {"tolerance_dice": self.options.tolerance_dice}
        return notes


def _output(segmentation: Segmentation | None, numbers: dict[str, float]) -> ModelOutput:
    return ModelOutput(segmentation=segmentation, numbers=numbers)


def _set_threads(threads: int) -> None:
    import torch  # noqa: PLC0415 - this module is imported without torch

    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    if threads < 0:
        raise ConfigError(f"threads: {threads} is below 0")
    torch.set_num_threads(threads or available)
