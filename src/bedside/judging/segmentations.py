"""The segmentations that models wrote for a study, where they lie in the store."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bedside.dicom.compare import is_seg
from bedside.dicom.correct import SegIdentity, identify_seg
from bedside.domain.job import Job
from bedside.domain.result import RESULT_FILE
from bedside.ports import BlobStore, Ledger


@dataclass(frozen=True, slots=True)
class Segmentations:
    """Finds the segmentation of a result.

    Attributes:
        ledger: Knows which results there are.
        store: The tenant's objects.
        scratch: Folder for files under way.
    """

    ledger: Ledger
    store: BlobStore
    scratch: Path

    def key(self, job: Job) -> str | None:
        """Return the key of a result's segmentation, whatever its name, or None where it has none."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            return self._look(job, Path(folder))[0]

    def fetch(self, job: Job, folder: Path) -> Path | None:
        """Bring a result's segmentation into a folder, or return None where it has none."""
        return self._look(job, folder)[1]

    def of_study(self, tenant: str, study_uid: str) -> Iterator[tuple[Job, SegIdentity]]:
        """Give the current results of a study that have a segmentation, newest first."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        for result in self.ledger.results(tenant, subject=study_uid):
            job = self.ledger.job(tenant, result.job_id)
            with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
                path = self.fetch(job, Path(folder))
                identity = identify_seg(path) if path else None
            if identity is not None:
                yield job, identity

    def _look(self, job: Job, folder: Path) -> tuple[str | None, Path | None]:
        document = json.loads(self.store.get(f"{job.prefix}/{RESULT_FILE}"))
        names = sorted(str(file.get("path", "")) for file in document.get("files", ()))
        for number, name in enumerate(n for n in names if n.endswith(".dcm")):
            key, path = f"{job.prefix}/{name}", folder / f"{number}.dcm"
            self.store.fetch(key, path)
            if is_seg(path):
                return key, path
        return None, None
