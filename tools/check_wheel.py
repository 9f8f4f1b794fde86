"""Refuses a wheel that lacks browser code, holds what only tests use, or has grown too big.

tools/check_wheel.py bedside-0.1.0-py3-none-any.whl
"""

import json
import sys
import zipfile
from pathlib import Path

VENDOR = "bedside/portal/vendor"
NEEDED = ("htmx.min.js", "htmx-sse.min.js", "niivue/index.js", "ohif/app.bundle.", "LICENSES.txt")
#: 14.7 MB when this was written, 3.8 MB of them bedside's own. PyPI takes 100 MB.
LARGEST_BYTES = 20_000_000


def faults(wheel: Path) -> list[str]:
    """Return what is wrong with a wheel, one line each."""
    with zipfile.ZipFile(wheel) as archive:
        inside = [name.removeprefix(f"{VENDOR}/") for name in archive.namelist() if name.startswith(VENDOR)]
        said = json.loads(archive.read(f"{VENDOR}/contents.json")) if "contents.json" in inside else {}
    found = [f"lacks {name}" for name in NEEDED if not any(name in at for at in inside)]
    found += [f"holds {name}" for name in inside if name.endswith(".map") or "axe" in name]
    if wheel.stat().st_size > LARGEST_BYTES:
        found.append(f"is {wheel.stat().st_size / 1e6:.1f} MB, more than {LARGEST_BYTES / 1e6:.0f}")
    if not found:
        parts = ", ".join(f"{name} {version}" for name, version in said["versions"].items())
        sys.stdout.write(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB, with {parts}\n")
    return [f"{wheel.name} {fault}" for fault in found]


if __name__ == "__main__":
    wrong = faults(Path(sys.argv[1]))
    sys.stderr.writelines(f"{line}\n" for line in wrong)
    sys.exit(1 if wrong else 0)
