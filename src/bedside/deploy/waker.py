"""The package of the waker Lambda, made here because Terraform alone has no way to make a zip.

The same source gives the same bytes on every machine, so that a plan does not change without a reason.
"""

import zipfile
from pathlib import Path

SOURCE = Path(__file__).with_name("terraform") / "modules" / "workers" / "waker" / "waker.py"

#: The first moment that a zip can name: a file's own time would change the bytes with each checkout.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def waker_zip(target: Path) -> Path:
    """Write the waker's package.

    Args:
        target: The zip to write; folders above it are made.

    Returns:
        The target, for Terraform's ``waker_zip``.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    entry = zipfile.ZipInfo(SOURCE.name, date_time=_EPOCH)
    entry.create_system = 3  # Unix, also where this runs on another system
    entry.external_attr = 0o100644 << 16
    with zipfile.ZipFile(target, "w") as archive:
        # Stored: another zlib would compress to other bytes, and this is six kilobytes.
        archive.writestr(entry, SOURCE.read_bytes(), compress_type=zipfile.ZIP_STORED)
    return target
