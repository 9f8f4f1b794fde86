"""``bedside run``: one study, one bundle or MAP, no queue, no configuration needed."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, config_option, json_option, load_settings, setting_option
from bedside.cli.output import ProgressLine, coloured, note, write_json, write_table
from bedside.cli.words import said
from bedside.errors import UsageError

if TYPE_CHECKING:
    from bedside.cli.single_map import MapRun
    from bedside.config import Settings


@click.command(
    cls=Command,
    examples=[
        "bedside run ./my_bundle ./study.zip -o result",
        "bedside run spleen.zip ./study --select 'SliceThickness <= 3' --outputs seg,nifti --json",
        "bedside run spleen.tar -i ./study -o result --container-engine none",
    ],
)
@click.argument("model", metavar="BUNDLE|MAP")
@click.argument("study", type=click.Path(path_type=Path), required=False)
@click.option("-i", "--input", "named_study", type=click.Path(path_type=Path), help="STUDY, as an option.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("bedside-result"),
    help="Folder of the result.",
)
@click.option("--force", is_flag=True, help="Replace an earlier result there.")
@click.option(
    "--outputs",
    default="seg,sr,surface,preview",
    help="What to write besides result.json: seg, sr, surface, preview, nifti.",
)
@click.option(
    "--select",
    default="",
    show_default="the only series that fits the model",
    help="Which series to read, an expression over DICOM attributes.",
)
@click.option(
    "--engine", type=click.Choice(["torch", "openvino", "compile"]), default="torch", help="Runs the network."
)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "bf16", "fp16"]),
    default="fp32",
    help="Number format of the network.",
)
@setting_option("--device", "worker.device", help="auto, cpu, cuda or cuda:N.")
@setting_option("--threads", "worker.threads", type=click.IntRange(0), help="CPU threads; 0 is all cores.")
@click.option(
    "--container-engine",
    "container_engine",
    type=click.Choice(["auto", "podman", "docker", "runc", "none"]),
    help="What runs a MAP; none is the kernel alone.  [key: worker.engine; env var: BEDSIDE_WORKER_ENGINE]",
)
@click.option("--memory", default="", show_default="no limit", help="Most memory of a MAP, e.g. 8g.")
@click.option("--timeout", "timeout_s", default=86400.0, type=click.FloatRange(1), help="Seconds for a MAP.")
@click.option("--writable", is_flag=True, help="Let a MAP write into a copy of its own files.")
@config_option
@json_option
def run(
    model: str,
    study: Path | None,
    named_study: Path | None,
    output: Path,
    force: bool,
    outputs: str,
    select: str,
    engine: str,
    precision: str,
    device: str | None,
    threads: int | None,
    container_engine: str | None,
    memory: str,
    timeout_s: float,
    writable: bool,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Run a MONAI bundle (folder or archive) or a MAP on STUDY (ZIP, folder or single instance).

    A MAP is an OCI layout folder, a tar, a container image that podman or docker has, or a registry
    reference; it runs in a container without network and privileges. Writes dicom/, surfaces/,
    preview.png and, when everything is there, result.json. Needs no queue and no configuration; of
    bedside.toml only [worker] and the limits of [intake] are heeded.
    """
    from bedside.adapters.process import ChildOptions
    from bedside.cli.single import Wanted, check, run_single
    from bedside.cli.single_map import is_map, run_map
    from bedside.worker.unpack import Limits

    flags = {"worker.device": device, "worker.threads": threads, "worker.engine": container_engine}
    settings = load_settings(config_path, flags).settings
    wanted = Wanted(
        bundle=Path(model),
        study=_study(study, named_study),
        output=output,
        replace=force,
        settings={
            "select": _checked(select),
            "outputs": _outputs(outputs),
            "engine": engine,
            "precision": precision,
        },
        options=ChildOptions(device=settings.worker.device, threads=settings.worker.threads),
        limits=Limits(
            max_files=settings.intake.max_files,
            max_bytes=settings.intake.max_bytes,
            max_ratio=settings.intake.max_ratio,
        ),
    )
    if is_map(model):
        how = _map_run(model, settings, _size_bytes(memory), timeout_s, writable=writable)
        with ProgressLine() as line:
            document = run_map(wanted, how, lambda doing, share: line.update(said(doing), share))
    else:
        opened = check(wanted)
        with ProgressLine() as line:
            document = run_single(wanted, opened, lambda doing, share: line.update(said(doing), share))
    if as_json:
        write_json(document)
        return
    write_result(document, str(output))


def _study(given: Path | None, named: Path | None) -> Path:
    if (given is None) == (named is None):
        raise UsageError("name one study, as STUDY or with -i", hint="bedside run --help")
    return given or named or Path()


def _map_run(
    source: str, settings: "Settings", memory_bytes: int, timeout_s: float, *, writable: bool
) -> "MapRun":
    import os

    from bedside.adapters.containers import ContainerOptions, Limits, choose_engine
    from bedside.adapters.process import ChildOptions
    from bedside.cli.single_map import MapRun
    from bedside.wiring import pull_map

    worker = settings.worker
    return MapRun(
        source=source,
        engine=lambda: choose_engine(worker.engine, os.environ),
        options=ContainerOptions(
            child=ChildOptions(device=worker.device, threads=worker.threads),
            limits=Limits(
                memory_bytes=memory_bytes or worker.container_memory_bytes, pids=worker.container_pids
            ),
            writable=writable,
        ),
        pull=pull_map,
        timeout_s=timeout_s,
    )


def _size_bytes(text: str) -> int:
    """Return an amount like ``8g`` or ``512m`` in bytes; 0 for none."""
    units = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
    number, unit = text.strip().lower().removesuffix("ib").removesuffix("b"), 1
    if number and number[-1] in units:
        number, unit = number[:-1], units[number[-1]]
    try:
        return int(float(number or 0) * unit)
    except ValueError as exc:
        raise UsageError(f"--memory {text}: expected a number and k, m or g", hint="--memory 8g") from exc


def write_result(document: Mapping[str, object], place: str) -> None:
    """Print a result for a person: series, measurements, files, times, and where it lies."""
    from bedside.cli.job.look import write_files, write_measurements

    write_series(document)
    click.echo()
    write_measurements(document)
    write_times(document)
    click.echo()
    write_files(document, place)


def write_series(document: Mapping[str, object]) -> None:
    """Print which series were taken or left, and why; and how many instances were left aside."""
    series = document.get("series")
    for one in series if isinstance(series, list) else []:
        verdict = coloured("taken", "green") if one["taken"] else coloured("left", "yellow")
        click.echo(f"series {one['uid']} {verdict}: {one['reason']}")
    left = document.get("left_aside")
    reasons = [str(one["reason"]) for one in left] if isinstance(left, list) else []
    for reason in dict.fromkeys(reasons):
        note(f"{reasons.count(reason)} instances left aside: {reason}")


def write_times(document: Mapping[str, object]) -> None:
    """Print the wall seconds of each step."""
    timings = document.get("timings_s")
    steps = [
        (stage, step, seconds)
        for stage, found in (timings.items() if isinstance(timings, dict) else ())
        for step, seconds in found.items()
    ]
    if steps:
        write_table(("stage", "step", "seconds"), [(a, b, f"{seconds:.2f}") for a, b, seconds in steps])


def _outputs(text: str) -> tuple[str, ...]:
    from bedside.domain.outputs import OUTPUTS

    names = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [name for name in names if name not in OUTPUTS]
    if unknown:
        raise UsageError(f"--outputs {unknown[0]}: expected {', '.join(OUTPUTS)}", hint="bedside run --help")
    return names


def _checked(select: str) -> str:
    from bedside.dicom.attributes import check_expression
    from bedside.domain.expression import parse

    if select:
        check_expression(parse(select))
    return select
