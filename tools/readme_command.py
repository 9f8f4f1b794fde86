"""Prints a command of README.md, so that what a newcomer types and what CI runs cannot drift apart.

A command is the code block after ``<!-- command: NAME -->``. ``--torch-cpu-index`` prints the index
of the CPU build of torch that the README names.
"""

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def command(name: str, text: str | None = None) -> str:
    """Return the command marked ``name``, without the marker and the fence.

    Raises:
        SystemExit: The README has no such command.
    """
    text = README.read_text(encoding="utf-8") if text is None else text
    found = re.search(rf"<!-- command: {re.escape(name)} -->\s*```\w*\n(.*?)\n```", text, re.DOTALL)
    if not found:
        raise SystemExit(f"README.md has no command {name!r}")
    return found[1]


def torch_cpu_index() -> str:
    """Return the address of the CPU index named in the README."""
    found = re.search(r"--index-url (https://\S*torch\S*/cpu)\b", README.read_text(encoding="utf-8"))
    if not found:
        raise SystemExit("README.md names no index with the CPU build of torch")
    return found[1]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: readme_command.py NAME | --torch-cpu-index")
    sys.stdout.write(
        (torch_cpu_index() if sys.argv[1] == "--torch-cpu-index" else command(sys.argv[1])) + "\n"
    )
