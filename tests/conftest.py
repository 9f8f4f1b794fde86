"""What every test may rely on: external programs are there or the test says so, and no setting leaks in.

A missing program skips on a laptop and fails in CI, where "skipped" would mean "never checked".
"""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from applied import applying, deployment  # noqa: F401  # fixtures, one deployment per session
from bedside.portal.shell import vendor
from clouds import cloud, moto  # noqa: F401  # fixtures
from map_samples import example_map  # noqa: F401  # a fixture, built once per session
from services import postgres  # noqa: F401  # a fixture, once per session for all files

#: Debian keeps the servers of PostgreSQL, and what root starts, out of PATH.
EXTRA_PROGRAM_FOLDERS = (
    *(str(p) for p in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)),
    "/usr/sbin",
)

#: Accessibility checks for pages, from npm; only tests use it.
AXE = Path(__file__).parents[1] / "node_modules" / "axe-core" / "axe.min.js"

#: Files that share what takes long to make, by what that is.
TOGETHER = {
    "deployment": ("tests/deploy/test_terraform.py", "tests/stories/aws/"),
    "guarded deployment": ("tests/deploy/",),
}


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As in a shell's background job. Programs that tests start would inherit it and be deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def find_program(name: str) -> str | None:
    """Return the path of an external program, or None where it is missing."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), *EXTRA_PROGRAM_FOLDERS)))


def is_there(name: str) -> bool:
    """Whether a program can be found, or browser code was brought: `htmx`, `NiiVue`, `OHIF`, `axe-core`."""
    if name in vendor.NEEDED:
        return name in vendor.versions()
    return AXE.is_file() if name == "axe-core" else find_program(name) is not None


def in_ci() -> bool:
    """Whether a missing service must fail instead of skip."""
    return os.environ.get("CI", "").lower() in {"1", "true"}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Answer ``@pytest.mark.needs("program or browser code", ...)``."""
    programs = [name for mark in item.iter_markers("needs") for name in mark.args]
    missing = [name for name in programs if not is_there(name)]
    if not missing:
        return
    reason = (
        f"{', '.join(missing)} not found: .ci/run lists the Debian packages, and"
        " tools/browser_assets.py --for-tests brings browser code"
    )
    if in_ci():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the files that look at one deployment in one process: to apply it takes minutes."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByDeployment(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return next((name for name, files in TOGETHER.items() if file.startswith(files)), file)

    return ByDeployment(config, log)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the developer's settings out of the tests."""
    settings = [n for n in os.environ if n.startswith("BEDSIDE_") and not n.startswith("BEDSIDE_TEST_")]
    for name in (*settings, "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    # Nobody looks at pages, and two of them cannot have one port; tests of the portal name an address.
    monkeypatch.setenv("BEDSIDE_PORTAL_LISTEN", "")
    yield


@pytest.fixture
def repository() -> Path:
    """The root of the checkout."""
    return Path(__file__).resolve().parents[1]
