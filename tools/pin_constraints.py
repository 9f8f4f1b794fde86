"""Writes constraints.txt from the packages of the virtual environment that runs it.

Local version labels (torch's ``+cpu``) are dropped: the pin then holds for the CPU build and the CUDA
build alike. bedside itself and what installs it are left out.
"""

import re
from importlib.metadata import distributions
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "constraints.txt"
LEFT_OUT = {"bedside", "pip", "wheel"}
HEAD = """\
# Every package of every extra, pinned. Written by `.venv/bin/python tools/pin_constraints.py`.
# torch's default build for Linux brings gigabytes of CUDA; README.md says how to get the CPU build.
"""


def pins() -> list[str]:
    """Return ``name==version`` for every installed package, sorted."""
    found = set()
    for distribution in distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
        if name not in LEFT_OUT:
            found.add(f"{name}=={distribution.version.partition('+')[0]}")
    return sorted(found)


if __name__ == "__main__":
    TARGET.write_text(HEAD + "\n".join(pins()) + "\n", encoding="utf-8")
