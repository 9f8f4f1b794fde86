"""A deployment as a command sees it: one tenant, opened and closed; jobs found by what people type.

Refuses a tenant that nobody made or configured, so that a typing error never makes a drop-box.
"""

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bedside.cli.base import load_settings
from bedside.cli.output import note
from bedside.domain.tenant import name_of
from bedside.errors import ConfigError, NotFound, UsageError

if TYPE_CHECKING:
    from bedside.config import Loaded, Settings
    from bedside.domain.job import Job
    from bedside.ports import BlobStore, Clock, Ledger
    from bedside.tenants.directory import TenantDirectory
    from bedside.wiring import Deployment

#: How many of the newest jobs and entries are looked through for the beginning of an id or a name.
LOOKED_THROUGH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A tenant's view of a deployment.

    Attributes:
        settings: What is in force.
        tenant: Whose jobs.
        ledger: Of all tenants; calls take the tenant.
        blobs: Of this tenant only.
        clock: The time.
        tenants: Whom the deployment serves.
    """

    settings: "Settings"
    tenant: str
    ledger: "Ledger"
    blobs: "BlobStore"
    clock: "Clock"
    tenants: "TenantDirectory"

    def job(self, text: str) -> "Job":
        """Return the job of an id, or of the only identity that begins with ``text``.

        A beginning means the newest run, or with ``.rN`` that run.

        Raises:
            NotFound: There is none.
            UsageError: Several begin so.
        """
        from bedside.ports import JobFilter

        try:
            return self.ledger.job(self.tenant, text)
        except NotFound:
            newest = self.ledger.jobs(self.tenant, JobFilter(), limit=LOOKED_THROUGH)
        begin, _, run = text.partition(".r")
        found = [job for job in newest if job.identity.startswith(begin) and (not run or str(job.run) == run)]
        if len({job.identity for job in found}) > 1:
            raise UsageError(f"{len(found)} jobs begin with {text}", hint="type more of the id")
        if not found:
            raise NotFound(f"no job {text} of tenant {self.tenant}", hint="bedside job list")
        return found[0]

    def newest_job(self) -> "Job":
        """Return the job made last.

        Raises:
            NotFound: There is none.
        """
        from bedside.ports import JobFilter

        newest = self.ledger.jobs(self.tenant, JobFilter(), limit=1)
        if not newest:
            raise NotFound(f"tenant {self.tenant} has no jobs", hint="bedside submit PATH")
        return newest[0]

    def must_be_served(self) -> None:
        """Refuse studies and runs for a tenant that is closed: its archive would lack what came of them.

        Raises:
            UsageError: It is.
        """
        if self.tenant not in self.tenants.served:
            raise UsageError(
                f"tenant {self.tenant} takes no studies and runs no jobs: it is closed, or not made whole",
                hint=f"bedside tenant show {self.tenant}",
            )

    def place(self, key: str) -> str:
        """Return where a person finds what lies under a key of this tenant: a path here, or a URL."""
        from bedside.wiring import place_of

        return place_of(self.settings, self.tenant, key, self.blobs)


@contextmanager
def whole(config_path: Path | None) -> "Iterator[Deployment]":
    """Open the deployment of a configuration, for no tenant in particular.

    Raises:
        ConfigError: The configuration is wrong, or there is neither one nor a deployment here.
        Unavailable: The ledger cannot be reached.
    """
    from bedside.config import DEFAULT_FILE
    from bedside.wiring import open_deployment

    loaded = load_settings(config_path)
    settings = loaded.settings
    if loaded.path is None and not settings.system.root.exists() and not loaded.sources:
        # Else a command typed in the wrong folder would make a drop-box that nobody watches.
        raise ConfigError(
            f"no deployment here: neither {DEFAULT_FILE} nor {settings.system.root.name}",
            hint="bedside init BUNDLE, or name the configuration with -c",
        )
    if _elsewhere(loaded):
        # Else an empty list would be taken for that of the deployment.
        note(
            f"this is the ledger of {settings.system.root}; that of deployment {settings.deploy.name} on AWS "
            "is asked by bedside deploy run -- COMMAND"
        )
    deployment = open_deployment(settings)
    deployment.log = _aloud
    try:
        yield deployment
    finally:
        deployment.close()


def noted(
    deployment: "Deployment",
    action: str,
    *,
    tenant: str = "",
    object: str = "",  # noqa: A002 - of the sentence: subject, action, object
    detail: Mapping[str, str] | None = None,
) -> None:
    """Note in the audit trail what was changed from the shell, by the number of who did it on this machine.

    Args:
        deployment: Where.
        action: ``noun.verb``.
        tenant: In which tenant; empty is the whole deployment.
        object: To what; empty is the tenant itself.
        detail: What else matters.

    Raises:
        Unavailable: The ledger cannot be reached.
    """
    from bedside.domain.audit import Deed

    person, now = f"shell:{os.getuid()}", deployment.clock.now()
    deed = Deed(
        at=now,
        person=person,
        action=action,
        tenant=tenant,
        object=object or tenant,
        detail=dict(detail or {}),
    )
    deployment.records.audit.append(deed)


def _elsewhere(loaded: "Loaded") -> bool:
    """Whether nothing was ever served here, and something was deployed from here."""
    from bedside.deploy.workspace import workspace_folder

    settings = loaded.settings
    if settings.ledger.url or (settings.system.root / "ledger.db").exists():
        return False
    base = (loaded.path.parent if loaded.path else Path()).absolute()
    return workspace_folder(base, settings.deploy.name).is_dir()


@contextmanager
def opened(config_path: Path | None, tenant: str) -> Iterator[Opened]:
    """Open the deployment of a configuration for one tenant, its first by default.

    Raises:
        ConfigError: The configuration is wrong, or there is neither one nor a deployment here.
        UsageError: There is no such tenant.
        Unavailable: The ledger cannot be reached.
    """
    if tenant:
        name_of(tenant)  # refused before anything is opened
    with whole(config_path) as deployment:
        name = checked_tenant(tenant, deployment.tenants.known)
        yield Opened(
            settings=deployment.settings,
            tenant=name,
            ledger=deployment.ledger,
            blobs=deployment.blobs.tenant(name),
            clock=deployment.clock,
            tenants=deployment.tenants,
        )


def _aloud(action: str, /, **fields: object) -> None:
    """Tell the person at the keyboard of a hint and of a notice that nobody gets; no more of the log."""
    if action == "hint.failed":
        note(f"pool {fields['pool']} was not told: {fields['reason']}; the next machine at work tells it")
    if action in {"notice.lost", "notice.unsent", "notify.unusable"}:
        reason = fields.get("reason") or "it was not sent in time"
        note(f"nobody was told by {fields.get('channel', 'any channel')}: {reason}")


def checked_tenant(tenant: str, tenants: Sequence[str]) -> str:
    """Return the tenant to work for, typed as a path or a name.

    Raises:
        UsageError: Neither the configuration nor the ledger knows it.
    """
    if not tenants:
        raise UsageError("there is no tenant yet", hint="bedside tenant create TENANT")
    if not tenant:
        return tenants[0]
    tenant = name_of(tenant)
    if tenant not in tenants:
        near = difflib.get_close_matches(tenant, tenants, n=1, cutoff=0.0)
        raise UsageError(
            f"no tenant {tenant!r}; the nearest of {len(tenants)} is {near[0]!r}",
            hint="bedside tenant list",
        )
    return tenant
