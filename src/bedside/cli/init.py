"""``bedside init``: a first bedside.toml for a bundle, with every choice explained where it is made.

What the bundle says of itself (labels, codes, what it accepts) is written as comments: the bundle
stays the one source, and a line without its ``#`` is a deliberate override.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command
from bedside.cli.output import note
from bedside.errors import UsageError

if TYPE_CHECKING:
    from bedside.domain.acceptance import Acceptance
    from bedside.domain.volume import Label
    from bedside.model.bundle import Bundle


@click.command(
    cls=Command,
    examples=["bedside init ./my_bundle", "bedside init ./my_bundle.zip -o deploy/bedside.toml --force"],
)
@click.argument("bundle", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("bedside.toml"),
    help="File to write.",
)
@click.option("--force", is_flag=True, help="Replace the file where there is one.")
def init(bundle: Path | None, output: Path, force: bool) -> None:
    """Write a commented bedside.toml for BUNDLE, a MONAI bundle (folder or archive).

    Without BUNDLE it is written for the example that comes with bedside.
    """
    if output.exists() and not force:
        raise UsageError(f"{output} exists", hint=f"bedside init -o {output} --force, or another -o")
    from bedside.model.bundle import open_bundle

    if bundle is None:
        from bedside.phantom import example_bundle

        bundle = example_bundle()
    opened = open_bundle(bundle)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(configuration_text(opened, _from(output, bundle)), encoding="utf-8")
    note(f"wrote {output} for {opened.name} {opened.version}")
    at = "" if output == Path("bedside.toml") else f" -c {output}"
    note(f"next: bedside config check{at}, then bedside serve{at}")


def configuration_text(bundle: "Bundle", path: str) -> str:
    """Return the text of a bedside.toml for a bundle that lies at ``path`` seen from the file."""
    name = short_name(bundle.name)
    return "\n".join(
        (
            "# " + _plain(f"How bedside runs {bundle.name} {bundle.version}."),
            "# `bedside config show` prints every setting and where its value came from;",
            "# `bedside config check` checks this file. A line that starts with # is not in force.",
            "",
            "[system]",
            "# Drop-box, results and ledger, relative to this file.",
            'root = "bedside-data"',
            '# tenants = ["default"]  # each has its own drop-box, jobs and results',
            "",
            "[intake]",
            "# A folder or loose file is taken when it was unchanged for this long; a ZIP when it is whole.",
            "# quiet_s = 5.0",
            "",
            "[dicom]",
            "# Where modalities and PACS send by C-STORE, and who may; a port alone is for this machine.",
            "# port = 11112",
            '# address = "0.0.0.0"',
            '# networks = ["10.20.0.0/16"]',
            "",
            "[worker]",
            "# count = 1          # studies read at the same time",
            '# device = "auto"    # cpu, cuda, cuda:1',
            "",
            "[[pipeline]]",
            f"name = {_quoted(name)}",
            f"bundle = {_quoted(path)}",
            "# What to write besides result.json; nifti on request.",
            'outputs = ["seg", "sr", "surface", "preview"]',
            "# Which series to read where several fit, over DICOM attributes:",
            "# select = 'SliceThickness <= 5 and not (ImageType contains \"LOCALIZER\")'",
            "",
            *_acceptance(bundle.acceptance),
            *_labels(bundle.labels),
            "[[rule]]",
            "# Which studies start it: at least one series must satisfy this.",
            f"name = {_quoted(f'{name} by modality')}",
            f"pipeline = {_quoted(name)}",
            f"when = {_literal(_first_rule(bundle.acceptance))}",
            "# priority = 0       # higher runs first",
            "",
        )
    )


def short_name(name: str) -> str:
    """Return a bundle's name as it is easy to type: letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "model"


def _plain(text: str) -> str:
    """Return text for a TOML comment, which takes no control characters."""
    return "".join(character if character.isprintable() else " " for character in text)


def _from(output: Path, bundle: Path) -> str:
    """Return the bundle's path relative to the file where it lies beside or below it."""
    here = output.parent.absolute().resolve()
    there = bundle.absolute().resolve()
    return str(there.relative_to(here)) if there.is_relative_to(here) else str(there)


def _acceptance(acceptance: "Acceptance") -> Sequence[str]:
    lines = [
        "[pipeline.accept]",
        "# The bundle's metadata says this; what is outside is rejected with the reason.",
        f"# modality = {_list(sorted(acceptance.modalities))}",
        f"# body_part = {_list(sorted(acceptance.body_parts))}",
        f"# min_slices = {acceptance.min_slices}",
    ]
    if acceptance.spacing_mm:
        lines.append(f"# spacing_mm = {_list(acceptance.spacing_mm)}  # least and most, every axis")
    else:
        lines.append("# spacing_mm = [0.3, 10.0]  # least and most, every axis; the bundle gives no limit")
    return [*lines, ""]


def _labels(labels: "Sequence[Label]") -> Sequence[str]:
    lines: list[str] = []
    for label in labels:
        lines += [
            f"[pipeline.labels.{label.value}]",
            f"# name = {_quoted(label.name)}",
            f"# code = {_list((label.code.value, label.code.scheme, label.code.meaning))}",
            f"# category = {_list((label.category.value, label.category.scheme, label.category.meaning))}",
            f"# colour = {_list(label.colour)}",
            "",
        ]
    return lines


def _first_rule(acceptance: "Acceptance") -> str:
    modalities = sorted(acceptance.modalities) or ["CT", "MR"]
    if len(modalities) == 1:
        return f"Modality == {_quoted(modalities[0])}"
    return f"Modality in {_list(modalities)}"


def _list(values: Sequence[object]) -> str:
    return json.dumps(list(values), ensure_ascii=False)


def _quoted(text: str) -> str:
    """Return a TOML basic string; JSON's escapes are TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _literal(text: str) -> str:
    """Return a TOML string, without escapes where that reads better."""
    return _quoted(text) if "'" in text or "\n" in text else f"'{text}'"
