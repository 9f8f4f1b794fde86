"""The MAP contract, field by field, and as hosts of both generations use it in a real container.

docs/map.md names the tests of this file; one of them checks that it names every field that is written.
"""

import hashlib
import json
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bedside.domain.request import RunRequest
from bedside.oci.layout import OciLayout
from bedside.oci.map import MapSpec, Resources, map_config, map_entries, read_contract
from bedside.oci.map.reading import GENERATIONS
from bedside.oci.parts import Entry, EntryKind
from bedside.phantom import make_phantom, write_study
from bedside.runtime.protocol import Hello, Load, Progress, Result, Run, encode, read_message, request_to_json
from engines import CONTAINERS_CONF

SPEC = MapSpec(
    title="Spleen CT",
    version="1.0",
    bedside_version="0.1.0",
    bundle_digest=f"sha256:{'b' * 64}",
    models=("spleen-ct", "other"),
    description="Finds the spleen",
    resources=Resources(
        cpu=2,
        memory_bytes=1_600_000_000,
        gpu=1,
        gpu_memory_bytes=6 * 2**30,
        cpu_limit=3.21,
        gpu_limit=1,
        memory_limit_bytes=2**31,
        gpu_memory_limit_bytes=7 * 2**30,
    ),
    timeout_s=600,
    base_name="debian",
    base_digest=f"sha256:{'d' * 64}",
    tag="spleen:1.0.0",
    licenses="Apache-2.0",
)
ENTRIES: Mapping[str, Entry] = {
    f"/{entry.path}": entry for entry in map_entries(SPEC, tools=b"tools", application=b"app")
}
SEMANTIC = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?")
#: "Required" in the specification's tables, or MUST and SHALL in its text.
REQUIRED = {
    "/etc/holoscan/app.json": ("command", "type", "input", "input.formats", "output", "output.format"),
    "/etc/holoscan/pkg.json": ("applicationRoot", "models.0.name", "models.1.name"),
    "/etc/monai/app.json": ("command", "input", "input.path", "output", "output.path"),
    "/etc/monai/pkg.json": ("application-root", "models.0.path", "models.1.path"),
}


def manifest(path: str) -> dict[str, Any]:
    content = ENTRIES[path].content
    assert isinstance(content, bytes)
    document: dict[str, Any] = json.loads(content)
    return document


def at(document: Any, path: str) -> Any:
    for part in path.split("."):
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


@pytest.mark.parametrize(("path", "field"), [(path, f) for path, fields in REQUIRED.items() for f in fields])
def test_required_fields_are_there(path: str, field: str) -> None:
    assert at(manifest(path), field) not in (None, "", [], {})
    assert manifest("/etc/holoscan/app.json")["type"] in ("service", "application")


def test_versions_are_semantic() -> None:
    for path in REQUIRED:
        stated = {k: v for k, v in manifest(path).items() if k.lower().replace("-", "").endswith("version")}
        assert len(stated) >= 2, path
        for value in stated.values():
            assert SEMANTIC.fullmatch(value)
    assert manifest("/etc/holoscan/app.json")["version"] == "1.0.0"


@pytest.mark.parametrize("path", ["/etc/holoscan/app.json", "/etc/monai/app.json"])
def test_the_command_is_the_same_with_a_shell_and_without(path: str) -> None:
    command = manifest(path)["command"]
    by_shell = subprocess.run(
        ["/bin/sh", "-c", command], env={"PATH": str(_echo())}, capture_output=True, text=True, check=True
    ).stdout
    assert by_shell.split() == shlex.split(command)[1:] == ["/opt/holoscan/app"]
    assert f"{command.split()[1]}/__main__.py" in ENTRIES


def _echo() -> Path:
    """Return a folder whose python3 says how it was called."""
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"bedside-echo-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    program = folder / "python3"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    return folder


def test_the_environment_is_in_the_manifest() -> None:
    variables = dict(line.split("=", 1) for line in _config()["Env"])
    for path, prefix in (("/etc/holoscan/app.json", "HOLOSCAN_"), ("/etc/monai/app.json", "MONAI_")):
        of_image = {name: value for name, value in variables.items() if name.startswith(prefix)}
        assert manifest(path)["environment"] == of_image != {}


def test_an_application_has_no_probes() -> None:
    assert not {"readiness", "liveness"} & set(manifest("/etc/holoscan/app.json"))


def test_models_are_listed_as_specified() -> None:
    assert manifest("/etc/holoscan/pkg.json")["models"] == [
        {"name": "spleen-ct", "path": "spleen-ct"},
        {"name": "other", "path": "other"},
    ]
    assert manifest("/etc/monai/pkg.json")["models"][0]["path"] == "/opt/monai/models/spleen-ct"


def test_resources_are_said_in_the_units_of_the_specification() -> None:
    assert manifest("/etc/holoscan/pkg.json")["resources"] == {
        "cpu": 2,
        "gpu": 1,
        "memory": "1.5Gi",
        "sharedMemory": "64Mi",
        "cpuLimit": 3.3,
        "gpuLimit": 1,
        "memoryLimit": "2Gi",
        "gpuMemory": "6Gi",
        "gpuMemoryLimit": "7Gi",
    }
    assert manifest("/etc/monai/pkg.json")["resources"] == {
        "cpu": 2,
        "gpu": 1,
        "memory": "1.5Gi",
        "shared-memory": "64Mi",
    }


@pytest.mark.parametrize(("generation", "app", "pkg"), GENERATIONS)
def test_a_reader_gets_back_what_was_said(generation: str, app: str, pkg: str) -> None:
    contents = [ENTRIES[path].content for path in (app, pkg)]
    contract = read_contract(*contents, generation=generation)  # type: ignore[arg-type]
    family = "holoscan" if generation == "1.0" else "monai"
    assert contract.command == ("python3", "/opt/holoscan/app")
    assert (contract.input, contract.output) == (f"/var/{family}/input", f"/var/{family}/output")
    assert (contract.working_directory, contract.timeout_s) == (f"/var/{family}", 600)
    assert (contract.input_formats, contract.output_formats) == (("file",), ("file",))
    assert contract.application_root == f"/opt/{family}/app"
    assert contract.models["spleen-ct"] == f"/opt/{family}/models/spleen-ct"
    assert contract.resources.memory_bytes >= SPEC.resources.memory_bytes
    assert (contract.sdk or "bedside", contract.sdk_version) == ("bedside", "0.1.0")


def test_required_labels_are_there() -> None:
    labels = _config()["Labels"]
    assert labels["org.opencontainers.image.title"] == "Spleen CT"
    assert labels["org.opencontainers.image.version"] == manifest("/etc/holoscan/app.json")["version"]
    for name in ("base", "tag", "version", "sdk_version", "org.nvidia.holoscan", "org.monai.deploy.app-sdk"):
        assert labels[name]


def test_no_root_and_nothing_of_the_bases_entry() -> None:
    config = _config()
    assert config["User"] == "1000:1000"
    assert config["Entrypoint"] == ["/var/holoscan/tools"]
    assert config["WorkingDir"] == "/var/holoscan"
    assert "Cmd" not in config


def test_manifests_are_files() -> None:
    for path in REQUIRED:
        assert ENTRIES[path].kind is EntryKind.FILE
        assert ENTRIES[path].mode == 0o644


def test_the_page_names_every_field_variable_label_and_test() -> None:
    page = (Path(__file__).parents[2] / "docs/map.md").read_text()
    named = set(re.findall(r"`([^`]+)`", page))
    for path in REQUIRED:
        for field in _leaves(manifest(path)):
            assert field in named or field.partition(".")[0] in named, (path, field)
    config = _config()
    variables = {line.partition("=")[0] for line in config["Env"]}
    of_contract = {name for name in named if re.fullmatch("(HOLOSCAN|MONAI)_[A-Z_]+", name)}
    assert {name for name in variables if name.startswith(("HOLOSCAN_", "MONAI_"))} == of_contract
    labels = page.partition("## Labels")[2].partition("## ")[0]
    assert set(config["Labels"]) == set(re.findall(r"^\| `([^`]+)`", labels, re.MULTILINE))
    here = set(globals())
    assert {name for name in named if name.startswith("test_")} <= here


def _leaves(document: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for key, value in document.items():
        if isinstance(value, dict) and key in ("input", "output", "resources"):
            yield from _leaves(value, f"{key}.")
        else:
            yield f"{before}{key}"


def _config() -> dict[str, Any]:
    return dict(map_config(SPEC))


# In a real container: the packaged example bundle, pruned, with podman and runc.


class Container:
    """Runs a MAP as hosts do."""

    def __init__(self, folder: Path, layout: Path) -> None:
        (folder / "containers.conf").write_text(CONTAINERS_CONF)
        self._environment = {**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf")}
        self._podman = ["podman", "--root", str(folder / "root"), "--runroot", str(folder / "run")]
        self.image = self._call("pull", "--quiet", f"oci:{layout}:1.0.0").stdout.split()[-1]

    def run(self, *options: str, command: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
        options = ("--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", *options)
        return self._call("run", *options, self.image, *command, check=False)

    @contextmanager
    def started(self, *options: str, command: tuple[str, ...]) -> "Iterator[subprocess.Popen[bytes]]":
        options = ("--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", *options)
        with subprocess.Popen(
            [*self._podman, "run", *options, self.image, *command],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            yield process

    def close(self) -> None:
        self._call("rmi", "--all", "--force", check=False)
        overlay = f"{self._podman[2]}/overlay"  # podman keeps it mounted on itself, and pytest removes it
        subprocess.run(["umount", "--lazy", overlay], check=False, capture_output=True)

    def _call(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [*self._podman, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=250,
        )
        assert not check or done.returncode == 0, done.stderr
        return done


@pytest.fixture(scope="module")
def container(example_map: Path) -> Iterator[Container]:
    with tempfile.TemporaryDirectory(
        prefix="bedside-", dir="/tmp"
    ) as folder:  # podman takes short paths only
        made = Container(Path(folder), example_map)
        yield made
        made.close()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    write_study(folder, make_phantom(3), seed=3)
    for path in (folder, *folder.iterdir(), *folder.parents[:2]):
        path.chmod(0o755)  # any user of a container reads it
    return folder


@pytest.fixture
def shared(tmp_path: Path) -> Callable[[str], Path]:
    """Makes folders that every user may write to."""
    tmp_path.chmod(0o755)
    tmp_path.parent.chmod(0o755)

    def make(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        folder.chmod(0o777)
        return folder

    return make


needs_podman = pytest.mark.needs("podman", "runc")


@needs_podman
def test_a_study_is_read_by_any_user_in_a_read_only_container(
    container: Container, study: Path, shared: Callable[[str], Path], tmp_path: Path, repository: Path
) -> None:
    from bedside.cli.main import main

    output = shared("output")
    done = container.run(
        *("--user", "12345:0", "--read-only-tmpfs=false", "--security-opt", "no-new-privileges"),
        *("-v", f"{study}:/var/holoscan/input:ro", "-v", f"{output}:/var/holoscan/output"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert main(["run", str(repository / "examples/spleen"), str(study), "-o", str(tmp_path / "run")]) == 0
    objects = sorted((tmp_path / "run/dicom").iterdir())
    assert [path.name for path in objects] == ["seg.dcm", "sr.dcm"]
    for path in objects:
        theirs = hashlib.sha256((output / "dicom" / path.name).read_bytes()).hexdigest()
        assert theirs == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (output / "result.json").stat().st_uid == 12345


@needs_podman
def test_mercure_runs_it(container: Container, study: Path, shared: Callable[[str], Path]) -> None:
    shown = container.run("--entrypoint", "", command=("cat", "/etc/monai/app.json"))
    command = shlex.split(json.loads(shown.stdout)["command"])
    output = shared("output")
    folders = {
        "MERCURE_IN_DIR": "/tmp/data", "MERCURE_OUT_DIR": "/tmp/output",
        "MONAI_INPUTPATH": "/tmp/data", "MONAI_OUTPUTPATH": "/tmp/output",
        "HOLOSCAN_INPUT_PATH": "/tmp/data", "HOLOSCAN_OUTPUT_PATH": "/tmp/output",
    }  # fmt: skip
    options = [f"--env={name}={value}" for name, value in folders.items()]
    mounts = ("-v", f"{study}:/tmp/data", "-v", f"{output}:/tmp/output")
    done = container.run("--entrypoint", "", *options, *mounts, command=tuple(command))
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in output.glob("*.dcm")) == ["seg.dcm", "sr.dcm"]
    assert json.loads((output / "result.json").read_text())["files"]


@needs_podman
def test_show_prints_the_manifests(container: Container) -> None:
    app = json.loads(container.run(command=("show", "app")).stdout)
    assert app["command"] == "python3 /opt/holoscan/app"
    assert json.loads(container.run(command=("show", "pkg")).stdout)["models"]
    lines = container.run(command=("env",)).stdout.splitlines()
    assert "HOLOSCAN_INPUT_PATH=/var/holoscan/input/" in lines
    assert lines == sorted(lines)
    assert "extract" in container.run(command=("help",)).stdout


@needs_podman
@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/sh"])
def test_hosts_that_start_it_with_a_shell_find_one(container: Container, shell: str) -> None:
    done = container.run("--entrypoint", shell, command=("-c", "exit 7"))
    assert done.returncode == 7


@needs_podman
def test_extract_copies_to_what_is_mounted(container: Container, shared: Callable[[str], Path]) -> None:
    models = shared("models")
    done = container.run("-v", f"{models}:/var/run/holoscan/export/models", command=("extract",))
    assert done.returncode == 0, done.stderr
    (model,) = models.iterdir()
    assert (model / "configs/inference.json").is_file()


@needs_podman
def test_the_first_generation_exports_without_being_asked(
    container: Container, shared: Callable[[str], Path]
) -> None:
    config = shared("config")
    done = container.run("-v", f"{config}:/var/run/monai/export/config")
    assert done.returncode == 0, done.stderr
    assert "api-version" in json.loads((config / "app.json").read_text())


@needs_podman
def test_a_rejected_study_is_status_4(container: Container, shared: Callable[[str], Path]) -> None:
    output = shared("output")
    mounts = ("-v", f"{shared('empty')}:/var/monai/input:ro", "-v", f"{output}:/var/monai/output")
    done = container.run(*mounts)
    assert done.returncode == 4
    assert json.loads((output / "report.json").read_text())["error"] == "InputRejected"


@needs_podman
def test_time_that_is_up_is_status_6(
    container: Container, study: Path, shared: Callable[[str], Path]
) -> None:
    output = shared("output")
    mounts = ("-v", f"{study}:/var/monai/input:ro", "-v", f"{output}:/var/monai/output")
    done = container.run("--entrypoint", "/opt/monai/executor/monai-exec", "--env=MONAI_TIMEOUT=1", *mounts)
    assert done.returncode == 6
    assert "not done after 1 s" in done.stderr
    assert not list(output.iterdir())


@needs_podman
def test_it_is_a_warm_child_too(
    container: Container, study: Path, shared: Callable[[str], Path], example_map: Path
) -> None:
    output = shared("output")
    labels = _labels(example_map)
    request = RunRequest(
        job_identity="job",
        arrival_id="arrival",
        release=f"sha256:{'e' * 64}",
        release_name="spleen",
        release_version="1.0.0",
        content_at=datetime(2026, 1, 1, tzinfo=UTC),
        outputs=("seg",),
    )
    load = Load(
        protocol=int(labels["org.bedside.protocol"]),
        bundle=labels["org.bedside.model"],
        release=labels["org.bedside.bundle.digest"],
        options={"device": "cpu"},
    )
    run = Run(id="1", request=request_to_json(request), input="/in", output="/out")
    with container.started(
        "-i", "-v", f"{study}:/in:ro", "-v", f"{output}:/out", command=("child",)
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert isinstance(read_message(child.stdout), Hello)
        child.stdin.write(encode(load) + encode(run))
        child.stdin.flush()
        while isinstance(answer := read_message(child.stdout), Progress):
            pass
        assert isinstance(answer, Result), answer
    assert child.returncode == 0  # it ends when its pipe closes
    assert (output / "dicom/seg.dcm").is_file()


def _labels(layout: Path) -> dict[str, str]:
    opened = OciLayout(layout)
    found = opened.document(opened.resolve("1.0.0"))
    config = json.loads(opened.blob(found["config"]["digest"]).read_bytes())
    labels: dict[str, str] = config["config"]["Labels"]
    return labels
