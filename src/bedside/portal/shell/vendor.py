"""Which third-party browser code is here: it comes with a wheel, or is brought from npm into a checkout.

Says only what lies there. Nothing of the portal is imported for it, so that ``bedside doctor`` can ask where
the portal's packages are missing.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[1] / "vendor"
#: Of each part, the file or folder without which it does not work.
NEEDED: Final[Mapping[str, str]] = {
    "htmx": "htmx.min.js",
    "htmx-sse": "htmx-sse.min.js",
    "NiiVue": "niivue/index.js",
    "OHIF": "ohif",
}
#: Brings what is missing into a checkout.
TOOL: Final = Path("tools") / "browser_assets.py"


def versions(folder: Path = FOLDER) -> Mapping[str, str]:
    """Return the version of each part that is here."""
    try:
        said = json.loads((folder / "contents.json").read_text(encoding="utf-8"))["versions"]
    except (OSError, ValueError, KeyError):
        return {}
    return {
        name: str(said[name]) for name, inner in NEEDED.items() if name in said and (folder / inner).exists()
    }


def how_to_get(folder: Path = FOLDER) -> str:
    """Return the command that brings what is missing: in a checkout the tool, else the wheel once more."""
    checkout = folder.parents[3]
    if (checkout / TOOL).is_file():
        return f"cd {checkout} && .venv/bin/python {TOOL}"
    return "pip install --force-reinstall --no-deps bedside"
