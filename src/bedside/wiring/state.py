"""What a deployment is made of, before anything works on it or shows it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bedside.log import Log, silent
from bedside.ports import BlobStore, Clock, Ledger
from bedside.ports.hints import Hints
from bedside.ports.records import Records
from bedside.tenants.directory import TenantDirectory

if TYPE_CHECKING:
    from bedside.config import Settings


@dataclass(kw_only=True)
class State:
    """Settings, ledger, store and clock of one deployment. Not frozen: its log is chosen by who opens it.

    Attributes:
        settings: What it was made of.
        ledger: Of all tenants.
        records: What the portal keeps.
        blobs: The store; choose a tenant with ``blobs.tenant(name)``.
        clock: The time.
        tenants: Whom it serves, known anew every few seconds.
        tidy_store: Removes what crashed writers left in the store; returns how many.
        log: Takes notes.
        hints: Tells pools of waiting jobs, where there is a queue; the ledger does so by itself.
        woken: Called when a hint came of a job that waits.
        sources: Of each setting, where its value came from, as `bedside.config.Loaded` has it.
    """

    settings: "Settings"
    ledger: Ledger
    records: Records
    blobs: BlobStore
    clock: Clock
    tenants: TenantDirectory
    tidy_store: Callable[[], int]
    log: Log = field(default=silent)
    hints: Hints | None = None
    woken: Callable[[], None] = lambda: None
    sources: Mapping[str, str] = field(default_factory=dict)
    _closing: list[Callable[[], None]] = field(init=False, repr=False, default_factory=list)

    @property
    def root(self) -> Path:
        """The folder it lives in."""
        return self.settings.system.root

    @property
    def scratch(self) -> Path:
        """Folder of what may be lost; on the file system of a store here, so that files can be linked."""
        return self.root / ".work"
