"""The manifests of strangers, in all the forms that the field has."""

import json

import pytest

from bedside.errors import ConfigError
from bedside.oci.map import Resources, read_contract
from bedside.oci.map.reading import Contract, Probe

#: As holoscan-cli 2.9 to 4.2 write it: array in a string, number as version, nulls, "formats" of output.
HOLOSCAN = {
    "apiVersion": "1.0.0",
    "command": '["python3", "/opt/holoscan/app"]',
    "environment": {"HOLOSCAN_INPUT_PATH": "input/", "HOLOSCAN_WORKDIR": "/var/holoscan"},
    "input": {"path": "input/", "formats": None},
    "liveness": None,
    "output": {"path": "output/", "formats": ["screen"]},
    "readiness": None,
    "sdk": "monai-deploy",
    "sdkVersion": "3.5.0",
    "timeout": 0,
    "version": 0.1,
    "workingDirectory": "/var/holoscan",
}
HOLOSCAN_PKG = {
    "apiVersion": "1.0.0",
    "applicationRoot": "/opt/holoscan/app",
    "modelRoot": "/opt/holoscan/models",
    "models": {"model-1": "/opt/holoscan/models/model-1"},
    "resources": {"cpu": 1, "gpu": 1, "memory": "1Gi", "gpu-memory": "6Gi"},
    "version": 0.1,
    "platformConfig": "dgpu",
}
#: As App SDK 0.5.1 writes it.
MONAI = {
    "api-version": "0.1.0",
    "command": "python3 -u /opt/monai/app/app.py",
    "environment": {},
    "input": {"formats": [], "path": "input"},
    "output": {"format": {}, "path": "output"},
    "sdk-version": "0.5.1",
    "timeout": 600,
    "version": "0.3.0",
    "working-directory": "/var/monai/",
}
MONAI_PKG = {
    "api-version": "0.1.0",
    "application-root": "/var/monai/",
    "models": [{"name": "spleen-0f3a", "path": "/opt/monai/models/spleen/model.ts"}],
    "resources": {"cpu": 1, "gpu": 1, "memory": "7Gi"},
    "version": "0.3.0",
}
LEAST = {"command": "run", "input": {"formats": []}, "output": {"format": {}}}


def read(app: object, pkg: object = None, *, generation: str = "1.0") -> Contract:
    package = None if pkg is None else json.dumps(pkg).encode()
    return read_contract(json.dumps(app).encode(), package, generation=generation)


def test_the_holoscan_packagers_form_is_read() -> None:
    contract = read(HOLOSCAN, HOLOSCAN_PKG)
    assert contract.command == ("python3", "/opt/holoscan/app")
    assert (contract.input, contract.output) == ("/var/holoscan/input", "/var/holoscan/output")
    assert (contract.input_formats, contract.output_formats) == ((), ("screen",))
    assert (contract.version, contract.sdk, contract.timeout_s) == ("0.1", "monai-deploy", 0)
    assert contract.models == {"model-1": "/opt/holoscan/models/model-1"}
    assert contract.resources == Resources(gpu=1, gpu_memory_bytes=6 * 2**30)
    assert contract.environment["HOLOSCAN_INPUT_PATH"] == "input/"


def test_the_first_generations_form_is_read() -> None:
    contract = read(MONAI, MONAI_PKG, generation="0.1")
    assert contract.command == ("python3", "-u", "/opt/monai/app/app.py")
    assert (contract.input, contract.output) == ("/var/monai/input", "/var/monai/output")
    assert (contract.timeout_s, contract.sdk_version) == (600, "0.5.1")
    assert contract.models == {"spleen-0f3a": "/opt/monai/models/spleen/model.ts"}
    assert contract.resources.memory_bytes == 7 * 2**30


def test_what_is_not_stated_is_what_the_specification_assumes() -> None:
    contract = read(LEAST)
    assert (contract.type, contract.timeout_s, contract.version) == ("application", 0, "0.0.0")
    assert (contract.working_directory, contract.application_root) == ("/var/holoscan", "/opt/holoscan/app")
    assert contract.resources == Resources()
    assert read(LEAST, generation="0.1").input == "/var/monai/input"


def test_absolute_folders_are_taken_as_they_are() -> None:
    contract = read({**LEAST, "input": {"path": "/data/in/"}, "output": {"path": "./out"}})
    assert (contract.input, contract.output) == ("/data/in", "/var/holoscan/out")


@pytest.mark.parametrize(
    ("command", "parts"),
    [
        ("python3 '/opt/a b'", ("python3", "/opt/a b")),
        (["python3", "-m", "app"], ("python3", "-m", "app")),
        ('[ "a", 1 ]', ("a", "1")),
        ("cd /x && ./run", ("/bin/sh", "-c", "cd /x && ./run")),
        ("python3 $HOLOSCAN_APPLICATION", ("/bin/sh", "-c", "python3 $HOLOSCAN_APPLICATION")),
    ],
)
def test_commands_of_all_forms(command: object, parts: tuple[str, ...]) -> None:
    assert read({**LEAST, "command": command}).command == parts


@pytest.mark.parametrize(
    ("size", "size_bytes"),
    [
        ("1.5Gi", 3 * 2**29), ("2048Mi", 2**31), ("2048MiB", 2**31), ("1GB", 10**9),
        ("512m", 512 * 10**6), ("2 GiB", 2**31), (1024, 1024), ("1024", 1024),
    ],
)  # fmt: skip
def test_sizes_of_all_forms(size: object, size_bytes: int) -> None:
    assert read(LEAST, {"resources": {"memory": size}}).resources.memory_bytes == size_bytes


def test_fragments_count_by_the_greatest() -> None:
    fragments = {"one": {"gpu": 2, "memory": "4Gi"}, "two": {"sharedMemory": "1Gi"}}
    old = read(LEAST, {"resource": {"gpu": 1, "memory": "7Gi"}}).resources
    assert old == Resources(gpu=1, memory_bytes=7 * 2**30), "App SDK 0.5 writes the singular"
    resources = read(LEAST, {"resources": {"cpu": "2", "fragments": fragments}}).resources
    assert resources == Resources(cpu=2, gpu=2, memory_bytes=4 * 2**30, shared_memory_bytes=2**30)


def test_services_and_their_probes() -> None:
    service = {
        **LEAST,
        "type": "service",
        "readiness": {"type": "http-get", "port": "8080", "path": "/ready", "periodSeconds": 5},
        "liveness": {"type": "command", "command": ["/bin/probe", "-addr", ":8765"]},
    }
    contract = read(service)
    assert contract.type == "service"
    assert contract.readiness == Probe(type="http-get", port=8080, path="/ready", period_s=5)
    assert contract.liveness == Probe(type="command", command=("/bin/probe", "-addr", ":8765"))


def test_environment_of_all_forms() -> None:
    listed = [{"name": "A", "value": 1}, {"name": "B"}]
    assert read({**LEAST, "environment": listed}).environment == {"A": "1", "B": ""}
    assert read({**LEAST, "environment": {"A": 1, "B": True, "C": None}}).environment == {
        "A": "1",
        "B": "true",
        "C": "",
    }


def test_formats_of_all_forms() -> None:
    def said(value: object) -> tuple[str, ...]:
        return read({**LEAST, "input": {"formats": value}}).input_formats

    assert said(["file", "network"]) == ("file", "network")
    assert said("file") == ("file",)
    assert said([{"type": "DICOM"}, {"CT": {}}]) == ("DICOM", "CT")


@pytest.mark.parametrize(
    "content", [b"\xef\xbb\xbf" + json.dumps(LEAST).encode(), b'{\r\n"command": "run"\r\n}']
)
def test_byte_order_marks_and_other_line_ends(content: bytes) -> None:
    assert read_contract(content, None, generation="1.0").command == ("run",)


@pytest.mark.parametrize(
    ("app", "pkg", "field"),
    [
        ({"input": {}}, None, "command"),
        ({**LEAST, "command": ""}, None, "command"),
        ({**LEAST, "command": "[broken"}, None, "command"),
        ({**LEAST, "command": "an 'open quote"}, None, "command"),
        ({**LEAST, "timeout": "soon"}, None, "timeout"),
        ({**LEAST, "timeout": -1}, None, "timeout"),
        ({**LEAST, "input": "folder"}, None, "input"),
        ({**LEAST, "type": "daemon"}, None, "type"),
        ({**LEAST, "readiness": {"type": "smoke"}}, None, "readiness"),
        (LEAST, {"resources": {"memory": "much"}}, "memory"),
        (LEAST, {"resources": {"gpu": "all"}}, "gpu"),
        ([], None, "app.json"),
        (LEAST, [1], "pkg.json"),
    ],
)
def test_what_cannot_be_understood_is_refused_by_its_name(app: object, pkg: object, field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        read(app, pkg)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ConfigError, match="not JSON"):
        read_contract(b"\xff\xfe", None, generation="1.0")
