"""``bedside demo``: the whole system, once, on a study whose truth is known.

Nothing in it is a shortcut: the study is DICOM in a ZIP, ``bedside serve`` runs as it always does,
and what is compared with the truth is the DICOM segmentation read back from the result.
"""

import os
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, json_option
from bedside.cli.output import ProgressLine, note, write_json, write_table
from bedside.errors import UsageError

if TYPE_CHECKING:
    from bedside.cli.deployment import Opened
    from bedside.cli.served import Served
    from bedside.phantom import Phantom

#: The demo's invented people are those of the example's own held-out evaluation, in its order.
FIRST_SEED = 1000
CONFIGURATION = "bedside.toml"
#: The portal answers within seconds of the start, on a busy machine too.
PORTAL_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is truly in the demo's study.

    Attributes:
        phantom: Array and masks, (slices, rows, columns).
        sop_instance_uids: Of its instances, in slice order.
    """

    phantom: "Phantom"
    sop_instance_uids: Sequence[str]


@click.command(
    cls=Command,
    examples=["bedside demo", "bedside demo --bundle ./my_bundle --study ./study.zip --serve"],
)
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("bedside-demo"),
    help="Folder of the demo.",
)
@click.option("--serve", "stay", is_flag=True, help="Leave the system running until Ctrl-C.")
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    default=None,
    show_default="the example",
    help="A MONAI bundle of your own.",
)
@click.option(
    "--study",
    type=click.Path(path_type=Path),
    default=None,
    show_default="a synthetic CT",
    help="A study of your own.",
)
@json_option
def demo(folder: Path, stay: bool, bundle: Path | None, study: Path | None, as_json: bool) -> int:
    """Watch a real model read a real DICOM study, start to end, in under a minute.

    Makes a CT study of a synthetic abdomen, starts bedside serve in a folder, submits the study as a
    ZIP, and compares what the model found with what is truly there. With --bundle or --study it runs
    yours, without a comparison. Running it again takes another invented person.
    """
    from bedside.cli.deployment import opened
    from bedside.cli.served import Served
    from bedside.cli.submit import await_end, deliver, parcels_of

    if study is not None and not study.exists():
        raise UsageError(f"{study} does not exist", hint="bedside demo --help")
    configuration = _prepare(folder, bundle)
    with Served(configuration, folder / "serve.log", portal=stay) as served:
        truth = None
        if study is None:
            study, truth = _make_study(folder)
        with opened(configuration, "") as deployment:
            parcels = parcels_of([study])
            for parcel in parcels:
                deliver(deployment, parcel)
            note(f"submitted {study.name}; the system's own words are in {folder / 'serve.log'}")
            entries, jobs = await_end(deployment, [p.key for p in parcels], alive=served.check)
            code = _report(deployment, [job.id for job in jobs], truth, as_json=as_json)
            for entry in entries:
                if not jobs:
                    why = entry.reason or "no rule started a job"
                    note(f"nothing ran: {why}\nhint: bedside job why {entry.id} -c {configuration}")
        if stay:
            _stay(served, configuration, folder)
    return code if jobs else 4


def _prepare(folder: Path, bundle: Path | None) -> Path:
    """Make the folder and its configuration; an earlier demo's is kept where it is for the same bundle."""
    from bedside.cli.init import configuration_text
    from bedside.model.bundle import open_bundle
    from bedside.phantom import example_bundle

    configuration = folder / CONFIGURATION
    if folder.exists() and any(folder.iterdir()) and not configuration.is_file():
        raise UsageError(f"{folder} holds something else than a demo", hint="bedside demo --dir another")
    place = (bundle or example_bundle()).absolute()
    text = configuration_text(open_bundle(place), str(place))
    folder.mkdir(parents=True, exist_ok=True)
    configuration.write_text(text, encoding="utf-8")
    return configuration


def _make_study(folder: Path) -> tuple[Path, Truth]:
    """Make the next invented person's CT as a ZIP in the demo's folder."""
    import tempfile

    from bedside.dicom.identify import identify
    from bedside.phantom import make_phantom, write_study

    number = len(list(folder.glob("study-*.zip")))
    archive = folder / f"study-{number + 1}.zip"
    with ProgressLine() as line, tempfile.TemporaryDirectory(prefix=".study-", dir=folder) as made:
        line.update("making a synthetic CT of 100 slices")
        phantom = make_phantom(FIRST_SEED + number)
        paths = write_study(Path(made), phantom, seed=FIRST_SEED + number)
        found = [identify(path) for path in paths]
        line.update("packing it as a ZIP")
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
            for path in paths:
                packed.write(path, path.name)
    uids = [instance.sop_instance_uid for instance in found if instance]
    return archive, Truth(phantom=phantom, sop_instance_uids=uids)


def _report(deployment: "Opened", job_ids: Sequence[str], truth: Truth | None, *, as_json: bool) -> int:
    """Print what came of each job; return the exit code of the worst."""
    from bedside.cli.job.look import result_document
    from bedside.cli.job.shapes import job_json, worst

    jobs = [deployment.ledger.job(deployment.tenant, job_id) for job_id in job_ids]
    shown: list[dict[str, object]] = []
    for job in jobs:
        document = result_document(deployment, deployment.ledger.result(deployment.tenant, job.id))
        place = deployment.place(job.prefix)
        compared = _compare(document, Path(place), truth) if document and truth else []
        shown.append(job_json(job) | {"place": place, "document": document, "compared": compared})
        if document and not as_json:
            _print(document, compared, place)
    if as_json:
        write_json({"jobs": shown})
    return worst([job.state for job in jobs])


def _compare(document: Mapping[str, object], place: Path, truth: Truth) -> list[dict[str, object]]:
    """Compare the DICOM SEG of a result with the truth, label by label."""
    from bedside.dicom.reread import dice, read_masks

    seg = place / "dicom" / "seg.dcm"
    measurements = document.get("measurements")
    if not seg.is_file() or not isinstance(measurements, list):
        return []
    masks = read_masks(seg, truth.sop_instance_uids)
    phantom = truth.phantom
    return [
        {
            "label": name,
            "found_ml": next((m["volume_ml"] for m in measurements if m["label"] == name), None),
            "true_ml": round(phantom.volume_ml(name), 1),
            "dice": round(dice(mask, phantom.masks == phantom.labels[name]), 4),
        }
        for name, mask in masks.items()
        if name in phantom.labels
    ]


def _print(document: Mapping[str, object], compared: Sequence[Mapping[str, object]], place: str) -> None:
    from bedside.cli.run import write_result

    write_result(document, place)
    if compared:
        click.echo()
        write_table(
            ("label", "found mL", "true mL", "Dice"),
            [(c["label"], c["found_ml"], c["true_ml"], f"{c['dice']:.4f}") for c in compared],
        )


def _stay(served: "Served", configuration: Path, folder: Path) -> None:
    from bedside.config import load

    settings = load(configuration, environment=os.environ, flags={}).settings
    note(f"\nthe system runs; put studies into {settings.system.root / settings.system.tenants[0] / 'input'}")
    if settings.portal.listen:
        note(_way_in(served, settings.portal.address))
    note(f"or: bedside submit PATH -c {folder / CONFIGURATION}; Ctrl-C stops it")
    served.wait()


def _way_in(served: "Served", address: str) -> str:
    """Return how one gets into the portal, once it answers: a study may be read before that."""
    until = time.monotonic() + PORTAL_S
    while time.monotonic() < until and not served.said("action=portal.ready"):
        served.check()
        if served.said("action=portal.missing"):
            return "its pages need: pip install 'bedside[portal]'"
        time.sleep(0.1)
    first = served.said(f"{address}/first/")
    if first:
        return f"see it in a browser; this link makes your account, once:\n\n    {first}\n"
    return f"see it in a browser, with the account that you made: {address}"
