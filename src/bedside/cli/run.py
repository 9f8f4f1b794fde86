"""``bedside run``: one study, one bundle, no queue, no configuration needed."""

from collections.abc import Mapping
from pathlib import Path

import click

from bedside.cli.base import Command, config_option, json_option, load_settings, setting_option
from bedside.cli.output import ProgressLine, coloured, note, write_json, write_table
from bedside.cli.words import said
from bedside.errors import UsageError


@click.command(
    cls=Command,
    examples=[
        "bedside run ./my_bundle ./study.zip -o result",
        "bedside run spleen.zip ./study --select 'SliceThickness <= 3' --outputs seg,nifti --json",
    ],
)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("study", type=click.Path(path_type=Path))
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
@config_option
@json_option
def run(
    bundle: Path,
    study: Path,
    output: Path,
    force: bool,
    outputs: str,
    select: str,
    engine: str,
    precision: str,
    device: str | None,
    threads: int | None,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Run BUNDLE, a MONAI bundle (folder or archive), on STUDY (ZIP, folder or single instance).

    Writes dicom/, surfaces/, preview.png and, when everything is there, result.json. Needs no
    queue and no configuration; of bedside.toml only [worker] and the limits of [intake] are heeded.
    """
    from bedside.adapters.process import ChildOptions
    from bedside.cli.single import Wanted, check, run_single
    from bedside.worker.unpack import Limits

    settings = load_settings(config_path, {"worker.device": device, "worker.threads": threads}).settings
    wanted = Wanted(
        bundle=bundle,
        study=study,
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
    opened = check(wanted)
    with ProgressLine() as line:
        document = run_single(wanted, opened, lambda doing, share: line.update(said(doing), share))
    if as_json:
        write_json(document)
        return
    write_result(document, str(output))


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
    from bedside.domain.request import OUTPUTS

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
