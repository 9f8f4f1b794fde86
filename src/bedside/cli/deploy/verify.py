"""``bedside deploy verify``, and what ``apply`` does of it."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bedside.cli.base import Command, config_option, json_option, load_settings
from bedside.cli.deploy.shared import site_of, state_option
from bedside.cli.deployment import checked_tenant
from bedside.cli.output import ProgressLine, note, write_json
from bedside.errors import Unavailable

if TYPE_CHECKING:
    from bedside.config import Settings
    from bedside.deploy.site import Site

#: A GPU machine needs minutes to start and to fetch a release of gigabytes.
PATIENCE_MIN = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a verification says.

    Attributes:
        ok: Whether there is nothing to mend.
        text: What was proved, or why nothing was tried.
        hint: What to do next; may be empty.
        document: The same for ``--json``.
    """

    ok: bool
    text: str
    hint: str = ""
    document: Mapping[str, object]

    def say(self) -> None:
        """Tell a person.

        Raises:
            Unavailable: There is something to mend.
        """
        if not self.ok:
            raise Unavailable(self.text, hint=self.hint)
        note(self.text)
        if self.hint:
            note(f"next: {self.hint}")


@click.command(
    cls=Command, examples=["bedside deploy verify", "bedside deploy verify --tenant ward-3 --timeout 60"]
)
@click.option("--tenant", default="", show_default="the first", help="Whose drop-box the phantom goes to.")
@click.option(
    "--timeout",
    "patience_min",
    type=click.FloatRange(min=0, min_open=True),
    default=PATIENCE_MIN,
    metavar="MINUTES",
    help="Longest wait; a machine needs minutes to start.",
)
@state_option
@config_option
@json_option
def verify(
    tenant: str, patience_min: float, state: str | None, config_path: Path | None, as_json: bool
) -> None:
    """Send a phantom study through the deployment, wait for its result, and remove both.

    A machine is started for it. Where it stops, the exit code is 5, and the message says at which step
    and what to look at. Without a pipeline it ends when a machine has taken the phantom in.
    """
    settings = load_settings(config_path).settings
    name = checked_tenant(tenant, settings.system.tenants)
    site = site_of(config_path, state)
    outputs = site.applied().outputs()
    told = verified(site, settings, outputs, tenant=name, patience_s=60 * patience_min)
    if as_json:
        write_json(told.document)
    told.say()


def verified(
    site: "Site", settings: "Settings", outputs: Mapping[str, Any], *, tenant: str, patience_s: float
) -> Told:
    """Send a phantom through a deployment, unless it cannot come through; say how far it came."""
    from bedside.deploy.phantom_study import make_phantom_study
    from bedside.deploy.verdict import Plan
    from bedside.deploy.verification import Verification
    from bedside.wiring.cloud import open_clock, reach_ledger

    if hindrance := _hindrance(site, outputs):
        return hindrance
    groups: Mapping[str, str] = outputs["groups"]
    plan = Plan(
        deployment=site.settings.name,
        bucket=outputs["bucket"],
        tenant=tenant,
        queue_url=outputs["queue_url"],
        groups=[groups[name] for name in _first_pool(groups)],
        reads=bool(settings.pipeline),
        patience_s=patience_s,
    )
    ledger = reach_ledger(settings.ledger.url or site.settings.ledger_url)
    try:
        with tempfile.TemporaryDirectory() as folder, ProgressLine() as progress:
            progress.update("making a phantom")
            study = make_phantom_study(Path(folder))
            verdict = Verification(
                cloud=site.cloud, clock=open_clock(), plan=plan, study=study, ledger=ledger
            ).run(progress.update)
    finally:
        if ledger is not None:
            ledger.close()
    document = {
        "verified": verdict.ok and plan.reads,
        "reached": verdict.reached.value,
        "text": verdict.text,
        "files": list(verdict.files),
        "waited_s": round(verdict.waited_s, 1),
    }
    hint = verdict.hint or ("" if plan.reads else _no_pipeline())
    return Told(ok=verdict.ok, text=verdict.text, hint=hint, document=document)


def _hindrance(site: "Site", outputs: Mapping[str, Any]) -> Told | None:
    """Return why no phantom can come through, as far as that is known before; None where it may."""
    from bedside.deploy.phantom_study import INSTALL, missing_library

    def told(text: str, hint: str) -> Told:
        said = f"not verified: {text}"
        document: Mapping[str, object] = {
            "verified": False,
            "reached": None,
            "text": said,
            "files": [],
            "waited_s": 0.0,
        }
        return Told(ok=True, text=said, hint=hint, document=document)

    if missing := [name for name in ("bucket", "queue_url", "groups") if name not in outputs]:
        return told(f"the modules say no {missing[0]}, so there is no way to follow", "")
    if library := missing_library():
        return told(f"making a phantom needs the Python package {library}", INSTALL)
    if here := site.only_here:
        return told(
            f"pipeline {here[0]} names a release in a folder of this machine, which no other machine has",
            _push(str(outputs.get("repository_url", "REGISTRY"))),
        )
    groups: Mapping[str, str] = outputs["groups"]
    if any(site.cloud.group(groups[pool]).max == 0 for pool in _first_pool(groups)):
        return told("there are no machines at night", "bedside deploy verify, by day")
    return None


def _first_pool(groups: Mapping[str, str]) -> list[str]:
    """Return the pool whose machines take in what arrives: S3's events go to its queue."""
    return ["default"] if "default" in groups else sorted(groups)[:1]


def _no_pipeline() -> str:
    return "no pipeline is configured: bedside package BUNDLE --push REFERENCE, then name it in bedside.toml"


def _push(registry: str) -> str:
    return f"bedside package BUNDLE --push {registry}:VERSION, then name that as the pipeline's map"
