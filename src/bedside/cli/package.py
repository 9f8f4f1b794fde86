"""``bedside package``: a MONAI bundle becomes a MAP, in a folder, a tar or a registry."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, config_option, json_option, load_settings
from bedside.cli.output import ProgressLine, note, write_json, write_table
from bedside.errors import UsageError

if TYPE_CHECKING:
    from bedside.cli.packaged import Packaged

OUTPUTS_HELP = "What the MAP writes besides result.json: seg, sr, surface, preview, nifti."


@click.command(
    cls=Command,
    examples=[
        "bedside package ./my_bundle -o spleen.tar",
        "bedside package ./my_bundle --push registry.example/models/spleen:1.0 --compression zstd",
    ],
)
@click.argument("bundles", type=click.Path(path_type=Path), nargs=-1, metavar="[BUNDLE]...")
@click.option(
    "-o",
    "--output",
    "outputs_to",
    multiple=True,
    show_default="folder NAME-VERSION here, unless --push says where",
    help="OCI layout folder, or .tar that docker and podman load; may be repeated.",
)
@click.option(
    "--push", "pushes", multiple=True, help="Reference in a registry, HOST/NAME:TAG; may be repeated."
)
@click.option("--tag", default="", show_default="the bundle's version", help="Name of the release there.")
@click.option("--base", default="debian", help="debian, NAME@sha256:… in a registry, OCI layout, rootfs tar.")
@click.option(
    "--base-lock", type=click.Path(path_type=Path), help="Another lock of Debian packages for the base."
)
@click.option(
    "--refresh-base",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Lock today's Debian packages into this file first, signatures verified, and build on it.",
)
@click.option(
    "--mirror",
    "mirrors",
    multiple=True,
    envvar="BEDSIDE_DEBIAN_MIRROR",
    show_envvar=True,
    show_default="those of this machine's apt, then the archive of snapshots",
    help="Debian archive to fetch the base from.",
)
@click.option("--variant", type=click.Choice(["cpu", "cuda"]), default="cpu", help="What computes.")
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    default=["linux/amd64"],
    help="Repeat it for an index over several.",
)
@click.option("--compression", type=click.Choice(["gzip", "zstd"]), default="gzip", help="Of the layers.")
@click.option(
    "--requirements", type=click.Path(path_type=Path), help="requirements.txt of what the bundle needs more."
)
@click.option("--outputs", default="seg,sr,surface,preview", help=OUTPUTS_HELP)
@click.option("--select", default="", help="Which series the MAP reads, an expression over DICOM attributes.")
@click.option(
    "--precision", type=click.Choice(["fp32", "bf16", "fp16"]), default="fp32", help="Of the network."
)
@click.option(
    "--timeout", "timeout_s", type=click.IntRange(0, 65536), default=0, help="Seconds; 0 is no end."
)
@click.option("--prove/--no-prove", default=True, help="Run phantoms through the bundle first.")
@click.option("--golden", type=click.Path(path_type=Path), help="De-identified study to keep as golden case.")
@click.option(
    "--sign-key", type=click.Path(path_type=Path), help="Private key (PEM, ECDSA P-256) to sign with."
)
@click.option("--insecure", is_flag=True, help="Accept plain http and unknown certificates of registries.")
@click.option("--clear-cache", is_flag=True, help="Remove cached layers first; without BUNDLE, only that.")
@click.option(
    "--cache",
    "cache_folder",
    type=click.Path(path_type=Path),
    envvar="BEDSIDE_CACHE",
    show_envvar=True,
    show_default="~/.cache/bedside",
    help="Folder for what can be made or fetched again.",
)
@config_option
@json_option
def package(
    bundles: tuple[Path, ...],
    as_json: bool,
    clear_cache: bool,
    refresh_base: Path | None,
    config_path: Path | None,
    **given: object,
) -> None:
    """Make a MAP of BUNDLE, a MONAI bundle (folder or archive), without Docker and without root.

    Several bundles become several models of one MAP; the first is the one that runs. Before anything is
    packed, phantoms go through the bundle and must come back at their place. Without BUNDLE, it is the one
    that bedside.toml names.
    """
    from bedside.cli.packaging import clear, package_bundles, refresh
    from bedside.cli.wishes import wishes_of

    if refresh_base:
        if given["base_lock"]:
            raise UsageError("--refresh-base and --base-lock: both name the lock", hint="give one of them")
        note(refresh(refresh_base, given["mirrors"]))
        given["base_lock"] = refresh_base
    if clear_cache:
        freed = clear(wishes_of(bundles, given, os.environ))
        note(f"removed {freed / 1e6:.0f} MB of cached layers")
    if (clear_cache or refresh_base) and not bundles:
        return
    wishes = wishes_of(bundles or (_configured(config_path),), given, os.environ)
    with ProgressLine() as line:
        say: Callable[[str, float | None], None] = line.update
        packaged = package_bundles(wishes, say)
    for warning in packaged.warnings:
        note(f"warning: {warning}")
    if as_json:
        write_json(packaged.to_json())
        return
    _write(packaged)


def _configured(config_path: Path | None) -> Path:
    """Return the bundle that bedside.toml names."""
    pipelines = load_settings(config_path).settings.pipeline
    stages = [stage for pipeline in pipelines for stage in (pipeline, *pipeline.stage)]
    bundles = {stage.bundle for stage in stages if stage.bundle}
    if len(bundles) != 1:
        found = ", ".join(sorted(map(str, bundles))) or "none"
        raise UsageError(
            f"no bundle was named; bedside.toml names {found}", hint="bedside package ./my_bundle"
        )
    return bundles.pop()


def _write(packaged: "Packaged") -> None:
    click.echo(f"{packaged.name}  {packaged.digest}")
    for target in packaged.targets:
        click.echo(f"  {target}")
    click.echo()
    rows = [
        (str(member.platform), layer.comment, f"{layer.size_bytes / 1e6:.1f}", layer.digest[7:19])
        for member in packaged.members
        for layer in member.layers
    ]
    write_table(("platform", "layer", "MB", "digest"), rows)
    for member in packaged.members:
        click.echo(f"\n{member.platform}: {member.size_bytes / 1e6:.1f} MB, {member.digest}")
    click.echo(f"\nnext: bedside run {packaged.targets[0]} -i STUDY -o RESULT")
