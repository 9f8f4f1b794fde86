"""The study that a verification sends: the phantom, new each time, as one ZIP.

New each time, because the same study twice is one arrival and would start no job. The anatomy is always
the same; only the UIDs and the invented Patient ID differ.
"""

import hashlib
import importlib.util
import secrets
import zipfile
from dataclasses import dataclass
from pathlib import Path

from bedside.domain.arrival import StoredFile, arrival_id
from bedside.domain.phantom import PREFIX, phantom_study_uid
from bedside.errors import ConfigError

INSTALL = "pip install 'bedside[aws,dicom]', then bedside deploy verify"
_ANATOMY = 7
#: Enough for a model of the abdomen to find an organ in, small enough to be sent in seconds.
_SHAPE, _SPACING_MM = (48, 192, 192), (4.0, 2.0, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomStudy:
    """A phantom that lies here as a ZIP.

    Attributes:
        path: The ZIP.
        name: Its name in the drop-box.
        arrival: Id of the arrival that it becomes.
        files: What that arrival holds.
    """

    path: Path
    name: str
    arrival: str
    files: tuple[StoredFile, ...]


def missing_library() -> str:
    """Return a library that making a phantom needs and that is not installed; empty where none is missing."""
    return next((name for name in ("numpy", "pydicom") if importlib.util.find_spec(name) is None), "")


def make_phantom_study(folder: Path) -> PhantomStudy:
    """Make a phantom's study in a folder.

    Raises:
        ConfigError: The libraries for DICOM are not installed.
    """
    if missing := missing_library():
        raise ConfigError(
            f"verifying sends a DICOM study, and making it needs the Python package {missing}", hint=INSTALL
        )
    from bedside.dicom.identify import identify  # noqa: PLC0415 - deploying alone needs no DICOM
    from bedside.phantom import make_phantom, write_study  # noqa: PLC0415

    seed = secrets.randbits(40)
    phantom = make_phantom(_ANATOMY, shape=_SHAPE, spacing_mm=_SPACING_MM)
    paths = write_study(
        folder / "study", phantom, seed=seed, study_uid=phantom_study_uid(f"verification {seed}")
    )
    name = f"{PREFIX}{seed:010x}.zip"
    files = []
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, path.name)
            known = identify(path)
            assert known is not None
            files.append(
                StoredFile(
                    sop_instance_uid=known.sop_instance_uid,
                    sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
                    size_bytes=path.stat().st_size,
                )
            )
    return PhantomStudy(path=folder / name, name=name, arrival=arrival_id(files), files=tuple(files))
