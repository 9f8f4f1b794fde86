"""OHIF's viewer out of its npm package: what a volume and its segmentation need, below ``/ohif/``.

The package is built for the root of a host. Its addresses stand in a handful of places, each of which is
changed here by an exact replacement.
"""

import shutil
from pathlib import Path

BASE = "/ohif/"
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
    app = next(target.glob("app.bundle.*.js"))
    text = app.read_text(encoding="utf-8")
    app.write_text(
        _once(text, '__webpack_require__.p = "/";', f'__webpack_require__.p = "{BASE}";'), encoding="utf-8"
    )
    shutil.copyfile(package / "LICENSE", target / "LICENSE")


def _once(text: str, old: str, new: str) -> str:
    if text.count(old) != 1:
        raise SystemExit(f"OHIF's bundle holds {text.count(old)} times, not once: {old!r}")
    return text.replace(old, new)
