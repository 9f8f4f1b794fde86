"""OHIF's viewer out of its npm package: what a volume and its segmentations need, below ``/ohif/-/``, packed.

The package is built for the root of a host and holds every mode that OHIF has. Of it stays what our one mode
can reach: the bundles name the chunks, workers and decoders that they load, so whatever no kept bundle
names can never be asked for. A place that is to be changed and is not there stops the build.
"""

import gzip
import re
import shutil
from pathlib import Path

BASE = "/ohif/-/"
#: Shows images with segmentations over them, and changes those.
MODE = "@ohif/mode-segmentation"
#: What the mode is made of; studies hold reports and documents besides images.
KEPT = frozenset(
    {
        MODE,
        "@ohif/extension-default",
        "@ohif/extension-cornerstone",
        "@ohif/extension-cornerstone-dicom-pmap",
        "@ohif/extension-cornerstone-dicom-rt",
        "@ohif/extension-cornerstone-dicom-seg",
        "@ohif/extension-cornerstone-dicom-sr",
        "@ohif/extension-dicom-pdf",
        "@ohif/extension-dicom-video",
    }
)
#: Chunks that ask other hosts for models or programs; `static/ohif/start.js` takes their buttons away.
CUT = frozenset({"interpolation"})

_START = re.compile(r'pluginImports_\w+\.push\("([^"]+)"\);\n')
_LOAD = re.compile(r'  if \(module === "([^"]+)"\) \{\n.*?\n  \}\n', re.DOTALL)
_ROOT = '__webpack_require__.p = "/";'
#: A segmentation that names the one it was made from refers to two series, images first (PS3.3 C.12.2); OHIF
#: lays it over whichever it knew first, and a segmentation has no images. Here it asks for the first alone.
_REFERRED = "getDisplaySetsForReferences(instance.ReferencedSeriesSequence)"
_IMAGES = "getDisplaySetsForReferences(referencedSeries)"
_CHUNK = re.compile(r"__webpack_require__\.[eu]\((?:/\*.*?\*/\s*)?\"?(\d+)\"?\)")
_CHUNKS = re.compile(r"\[([\d,\s]+)\]\.map\(__webpack_require__\.e")
_NAMES = re.compile(r'return "" \+ \(\{([^}]*)\}\[chunkId\] \|\| chunkId\) \+ "\.bundle\." \+')
_NAME = re.compile(r'(\d+): "([\w-]+)"')
_WASM = re.compile(r'"([0-9a-f]{16}\.wasm)"')


def take(package: Path, vendor: Path) -> None:
    """Copy the viewer from its package's folder into ``vendor/ohif/``."""
    dist, target = package / "dist", vendor / "ohif"
    target.mkdir(parents=True)
    app = _only(dist, "app.bundle.*.js")
    start = _pruned(app.read_text(encoding="utf-8"))
    scripts = _mended(_reachable(dist, app.name, start))
    for name, text in scripts.items():
        _pack(target / name, text.replace(_ROOT, f'__webpack_require__.p = "{BASE}";').encode())
    for name in sorted({name for text in scripts.values() for name in _WASM.findall(text)}):
        _pack(target / name, (dist / name).read_bytes())
    for style in sorted(dist.glob("*.css")):  # a chunk may be nothing but its styles
        _pack(target / style.name, style.read_text(encoding="utf-8").replace("url(/", f"url({BASE}").encode())
    for font in dist.glob("*.woff2"):
        shutil.copyfile(font, target / font.name)
    shutil.copytree(dist / "assets" / "images", target / "assets" / "images")


def _pruned(text: str) -> str:
    """Return the first bundle without the modes and extensions that are not kept."""
    named = set(_LOAD.findall(text))
    if not named >= KEPT or _ROOT not in text:
        raise SystemExit(f"OHIF's first bundle does not load {sorted(KEPT - named) or 'from a root'}")

    def kept(match: re.Match[str]) -> str:
        return match[0] if match[1] in KEPT else ""

    return _LOAD.sub(kept, _START.sub(kept, text))


def _reachable(dist: Path, first: str, start: str) -> dict[str, str]:
    """Return every script that can be loaded from the first one on, by its file name."""
    names = _NAMES.search(start)
    if not names:
        raise SystemExit("OHIF's first bundle does not say how chunks are called")
    called = dict(_NAME.findall(names[1]))
    found, waiting = {first: start}, [start]
    while waiting:
        text = waiting.pop()
        chunks = set(_CHUNK.findall(text)).union(*(re.findall(r"\d+", s) for s in _CHUNKS.findall(text)))
        for chunk in sorted(chunks):
            name = called.get(chunk, chunk)
            path = next(dist.glob(f"{name}.bundle.*.js"), None)  # None: styles only
            if path and path.name not in found and name not in CUT:
                found[path.name] = path.read_text(encoding="utf-8")
                waiting.append(found[path.name])
    return found


def _mended(scripts: dict[str, str]) -> dict[str, str]:
    """Return the scripts with segmentations laid over the images that they were drawn on."""
    holding = [name for name, text in scripts.items() if text.count(_REFERRED) == 1]
    if len(holding) != 1:
        raise SystemExit(f"OHIF: {len(holding)} scripts look for what a segmentation refers to, not one")
    return {name: text.replace(_REFERRED, _IMAGES) for name, text in scripts.items()}


def _only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise SystemExit(f"OHIF's package holds {len(found)} files {pattern}, not one")
    return found[0]


def _pack(path: Path, data: bytes) -> None:
    """Write a file as browsers unpack it; the same bytes make the same file."""
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(data, 9, mtime=0))
