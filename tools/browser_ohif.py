"""OHIF's viewer out of its npm package: what a volume and its segmentation need, below ``/ohif/-/``.

The package is built for the root of a host. Its addresses stand in a handful of places, each of which is
changed here by an exact replacement.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

BASE = "/ohif/-/"
#: Folders and files of ``dist/`` that are not served, and why.
LEFT_OUT = (
    "ort",  # models that run in the browser
    "dicom-microscopy-viewer",
    "customizations",
    "assets",
    "*.map",
    "*.svg",
    "google.js",
    "sw.js",
    "init-service-worker.js",  # loads a script from another host
    "silent-refresh.html",
    "oidc-client.min.js",
    "es6-shim.min.js",
    "polyfill.min.js",
    "manifest.json",
    "app-config.js",  # the portal writes its own
    "index.html",  # the portal writes its own
    "serve.json",
    "_headers",
    "_redirects",
)


def take(package: Path, vendor: Path) -> None:
    """Copy the viewer from its package's folder into ``vendor/ohif/``."""
    target = vendor / "ohif"
    shutil.copytree(package / "dist", target, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for script in sorted(target.glob("*.js")):
        _change(script, {'__webpack_require__.p = "/";': f'__webpack_require__.p = "{BASE}";'})
    _change(target / "app.bundle.css", {"url(/": f"url({BASE}"})


def _change(path: Path, changes: Mapping[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    for old, new in changes.items():
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
