"""A warm child reads the same study again and again, as a worker's child does.

python bench/warm.py BUNDLE STUDY [--rounds N] [--engine E] [--precision P]
→ JSON: seconds of each run but the first, timings of the last, peak memory of the child
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bedside.adapters.process import ChildOptions, ChildRunner
from bedside.domain.pipeline import Pipeline, Stage, StageKind
from bedside.domain.request import RunRequest
from bedside.model.bundle import open_bundle
from bedside.ports import Task
from workload import peak_bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("study", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engine", default="torch")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--tolerance", type=float, default=0.999)
    options = parser.parse_args()
    release = open_bundle(options.bundle)
    settings = {
        "engine": options.engine,
        "precision": options.precision,
        "tolerance_dice": options.tolerance,
    }
    stage = Stage(name="spleen", kind=StageKind.BUNDLE, release=release.digest, settings=settings)
    request = RunRequest(
        job_identity="bench",
        arrival_id="bench",
        release=release.digest,
        release_name=release.name,
        release_version=release.version,
        content_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    seconds = []
    with tempfile.TemporaryDirectory() as scratch:
        runner = ChildRunner(
            bundles=lambda _digest: options.bundle.resolve(),
            scratch=Path(scratch),
            environment=os.environ,
            options=ChildOptions(),
        )
        for _ in range(options.rounds + 1):
            output = Path(scratch) / "output"
            shutil.rmtree(output, ignore_errors=True)
            output.mkdir()
            task = Task(
                stage=stage,
                pipeline=Pipeline(name="spleen", stages=(stage,)),
                request=request,
                input=options.study.resolve(),
                output=output,
            )
            begun = time.perf_counter()
            outcome = runner.run(task, lambda _doing, _fraction: None)
            seconds.append(time.perf_counter() - begun)
        peak = max(peak_bytes(pid) for pid in runner.pids())
        runner.close()
    print(
        json.dumps(
            {
                "seconds": seconds[1:],
                "first": seconds[0],
                "timings_s": dict(outcome.timings_s),
                "notes": outcome.report.get("notes"),
                "peak_bytes": peak,
            }
        )
    )


if __name__ == "__main__":
    main()
