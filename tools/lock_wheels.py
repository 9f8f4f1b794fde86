"""Writes the locks of wheels anew, in the versions of constraints.txt; needs Python 3.11 and a recent pip.

    .venv/bin/python tools/lock_wheels.py

A wheel that no index of this machine has for one platform is left out for that platform, and packaging
for it says so: run this where all indexes can be reached.
"""

import sys
from pathlib import Path

from bedside.package.wheels.lock import PYTHON, Variant
from bedside.package.wheels.resolve import lock_wheels

ROOT = Path(__file__).parents[1]

if __name__ == "__main__":
    if sys.version_info[:2] != tuple(map(int, PYTHON.split("."))):
        sys.exit(f"markers are judged for the Python that runs pip: run this with {PYTHON}")
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if "==" in line and not line.startswith("#")]
    torch = next(line.partition("==")[2] for line in pins if line.startswith("torch=="))
    for variant in Variant:
        lock = lock_wheels(variant, torch=torch, constraints=pins)
        path = ROOT / f"src/bedside/package/locks/wheels-{variant}.json"
        path.write_text(lock.to_json(), encoding="utf-8")
