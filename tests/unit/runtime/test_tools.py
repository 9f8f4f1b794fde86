"""The entry program of a MAP, run as a host runs it, on a root that is a folder."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from bedside.runtime import tools

#: The bedside under test, also where it is not the installed one.
HERE = str(Path(tools.__file__).parents[2])
START = "import sys; from bedside.runtime.tools import main; sys.exit(main(sys.argv[2:], root=sys.argv[1]))"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("etc/holoscan", "etc/monai", "opt/holoscan/app", "opt/holoscan/models/m", "var/holoscan"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "opt/monai").symlink_to("holoscan")
    for place in (
        "etc/holoscan/pkg.json",
        "etc/monai/app.json",
        "etc/monai/pkg.json",
        "var/holoscan/app.yaml",
    ):
        (tmp_path / place).write_text(json.dumps({"file": place}))
    (tmp_path / "opt/holoscan/app/__main__.py").write_text("print('app')")
    (tmp_path / "opt/holoscan/models/m/model.ts").write_text("weights")
    return tmp_path


def application(root: Path, code: str, **manifest: object) -> None:
    """Make the application a piece of Python."""
    script = root / "application.py"
    script.write_text(code)
    content = {"command": f"python3 {script}", "environment": {"FROM_MANIFEST": "1"}, **manifest}
    (root / "etc/holoscan/app.json").write_text(json.dumps(content))


def start(
    root: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", START, str(root), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": HERE, **(environment or {})},
    )


def done(root: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    process = start(root, *arguments, environment=environment)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize("code", [0, 1, 3, 4, 6, 77])
def test_the_applications_status_is_returned(root: Path, code: int) -> None:
    application(root, f"raise SystemExit({code})")
    assert done(root)[0] == code


def test_arguments_and_variables_reach_the_application(root: Path) -> None:
    application(root, "import os, sys; print(sys.argv[1:], os.environ['FROM_MANIFEST'])")
    assert done(root, "-i", "in")[1] == "['-i', 'in'] 1\n"
    assert done(root, environment={"FROM_MANIFEST": "2"})[1] == "[] 2\n"


def test_a_death_by_signal_is_told(root: Path) -> None:
    application(root, "import os; os.kill(os.getpid(), 9)")
    code, _, err = done(root)
    assert code == 128 + signal.SIGKILL
    assert "ended by SIGKILL" in err


@pytest.mark.parametrize(
    ("manifest", "variables"),
    [(1, {}), (0, {"HOLOSCAN_TIMEOUT": "1"}), (3600, {"MONAI_TIMEOUT": "1", "HOLOSCAN_TIMEOUT": "3600"})],
)
def test_time_that_is_up_ends_the_application_and_all_it_started(
    root: Path, manifest: int, variables: dict[str, str]
) -> None:
    application(
        root,
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)",
        timeout=manifest,
    )
    code, out, err = done(root, environment=variables)
    assert code == 6
    assert "not done after 1 s" in err
    assert _gone(int(out))


def _gone(pid: int) -> bool:
    """Whether a process ends within a while; the kernel takes its time after SIGKILL."""
    for _ in range(200):
        try:
            if "Z" in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]:
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def test_what_an_application_leaves_behind_ends_with_it(root: Path) -> None:
    application(
        root,
        "import subprocess, sys\n"
        "nothing = subprocess.DEVNULL\n"
        "child = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "print(subprocess.Popen(child, stdout=nothing, stderr=nothing).pid)",
    )
    code, out, _ = done(root)
    assert code == 0
    assert _gone(int(out))


def test_an_application_in_time_is_left_alone(root: Path) -> None:
    application(root, "print('done')", timeout=600)
    assert done(root)[:2] == (0, "done\n")


def test_a_wrong_time_out_is_refused(root: Path) -> None:
    application(root, "print('done')")
    code, out, err = done(root, environment={"HOLOSCAN_TIMEOUT": "soon"})
    assert (code, out) == (3, "")
    assert "HOLOSCAN_TIMEOUT" in err


def test_signals_reach_the_application(root: Path) -> None:
    application(
        root,
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(42))\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)",
    )
    process = start(root)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 42
    process.communicate()


def test_a_missing_manifest_is_told(root: Path) -> None:
    code, _, err = done(root)
    assert code == 3
    assert "/etc/holoscan/app.json" in err


def test_show_prints_json_alone(root: Path) -> None:
    application(root, "")
    assert json.loads(done(root, "show", "pkg")[1]) == {"file": "etc/holoscan/pkg.json"}
    assert json.loads(done(root, "show", "app")[1])["environment"] == {"FROM_MANIFEST": "1"}
    code, out, err = done(root, "show")
    assert code == 0
    assert '"FROM_MANIFEST"' in out
    assert "etc/holoscan/pkg.json" in out
    assert "app.json" in err
    assert done(root, "show", "weights")[0] == 2


def test_env_and_help(root: Path) -> None:
    assert "SOME=thing\n" in done(root, "env", environment={"SOME": "thing"})[1]
    assert "extract" in done(root, "help")[1]


def test_extract_fills_what_is_mounted(root: Path) -> None:
    application(root, "")
    export = root / "var/run/holoscan/export"
    for part in ("config", "models"):
        (export / part).mkdir(parents=True)
    assert done(root, "extract")[0] == 0
    assert sorted(p.name for p in (export / "config").iterdir()) == ["app.json", "app.yaml", "pkg.json"]
    assert (export / "models/m/model.ts").read_text() == "weights"
    assert not (export / "app").exists()


def test_extract_fills_everything_where_only_the_parent_is_mounted(root: Path) -> None:
    application(root, "")
    export = root / "var/run/holoscan/export"
    export.mkdir(parents=True)
    assert done(root, "extract")[0] == 0
    assert sorted(p.name for p in export.iterdir()) == ["app", "config", "docs", "models"]
    assert (export / "app/__main__.py").is_file()


def test_extract_without_a_mount_is_refused(root: Path) -> None:
    assert done(root, "extract")[0] == 2


def test_the_first_generation_exports_without_being_asked(root: Path) -> None:
    application(root, "print('must not run')")
    export = root / "var/run/monai/export/config"
    export.mkdir(parents=True)
    assert done(root)[:2] == (0, "")
    assert json.loads((export / "app.json").read_text()) == {"file": "etc/monai/app.json"}


def test_as_cat_it_prints_files(root: Path) -> None:
    program = root / "cat"
    program.write_text(Path(tools.__file__).read_text())
    command = [sys.executable, "-IS", str(program), str(root / "etc/monai/app.json")]
    shown = subprocess.run(command, capture_output=True, check=True)
    assert json.loads(shown.stdout) == {"file": "etc/monai/app.json"}
    command[-1] = str(root / "nothing")
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


def test_it_needs_nothing_but_python(root: Path) -> None:
    loaded = subprocess.run(
        [sys.executable, "-IS", "-X", "importtime", tools.__file__, "help"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    names = {line.rsplit("|", 1)[1].strip() for line in loaded.splitlines() if "|" in line}
    assert not names & {"bedside", "pathlib", "subprocess", "argparse", "numpy", "site"}
