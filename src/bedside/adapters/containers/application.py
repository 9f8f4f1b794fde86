"""What a MAP says of itself: how its application starts, where it reads and writes, what it asks for.

Owns the reading of both generations as the field has them (a command that is a JSON array in a string,
a version that is a number, paths relative to the working folder), for running. Refuses a container
image that has no command at all. What a manifest claims of memory is not heeded: the field's claims
are wishes.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from bedside.adapters.containers.box import Engine, Held
from bedside.errors import ConfigError

APP_FILES = {"holoscan": "/etc/holoscan/app.json", "monai": "/etc/monai/app.json"}
PKG_FILES = {"holoscan": "/etc/holoscan/pkg.json", "monai": "/etc/monai/pkg.json"}

#: Labels of a MAP that carries a bedside: it speaks the protocol, and holds this bundle.
PROTOCOL_LABEL = "org.bedside.protocol"
BUNDLE_LABEL = "org.bedside.bundle.digest"

#: A command with these needs a shell, as the field runs every command.
_SHELL = frozenset("$&|;<>*?~`(){}[]!#\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What is needed to run a MAP.

    Attributes:
        command: Program and arguments.
        environment: Variables of the folder contract, in both generations' names.
        workdir: Where it starts.
        input: Where it reads, absolute.
        output: Where it writes, absolute.
        timeout_s: Its own limit; 0 is none.
        wants_gpu: Whether it asks for one.
        shared_memory_bytes: Of ``/dev/shm`` that it asks for; 0 where it does not say.
        model: Folder of its first model, as the manifest has it, or ``""``.
        bundle: Digest of its bundle, where it carries a bedside that speaks the protocol; else ``""``.
        protocols: Versions of the protocol it speaks.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    input: str
    output: str
    timeout_s: float = 0.0
    wants_gpu: bool = False
    shared_memory_bytes: int = 0
    model: str = ""
    bundle: str = ""
    protocols: tuple[int, ...] = ()


def read_application(engine: Engine, held: Held) -> Application:
    """Return what a container image says of itself.

    Raises:
        ConfigError: It is no MAP, or its manifest has no command.
    """
    files = engine.read(held, [*APP_FILES.values(), *PKG_FILES.values()])
    generation = next((one for one in APP_FILES if APP_FILES[one] in files), None)
    if generation is None:
        raise ConfigError(
            f"{held.digest or held.id}: is no MAP, it has neither {' nor '.join(APP_FILES.values())}",
            hint="bedside package BUNDLE makes one",
        )
    app = _document(files[APP_FILES[generation]], APP_FILES[generation])
    pkg = _document(files.get(PKG_FILES[generation], b"{}"), PKG_FILES[generation])
    return _application(held, generation, app, pkg)


def _application(held: Held, generation: str, app: Mapping[str, Any], pkg: Mapping[str, Any]) -> Application:
    workdir = str(_get(app, "workingDirectory") or held.workdir or f"/var/{generation}")
    source = _absolute(workdir, _path(app, "input"))
    target = _absolute(workdir, _path(app, "output"))
    command = _command(app.get("command")) or (*held.words("Entrypoint"), *held.words("Cmd"))
    if not command:
        raise ConfigError(f"{APP_FILES[generation]}: has no command, and the container image no entry point")
    resources = _get(pkg, "resources") or _get(pkg, "resource") or {}
    own = _get(app, "environment")
    return Application(
        command=command,
        environment={
            **_contract(held, pkg, workdir, source, target),
            **({str(k): str(v) for k, v in own.items()} if isinstance(own, Mapping) else {}),
        },
        workdir=workdir,
        input=source,
        output=target,
        timeout_s=_number(_get(app, "timeout")),
        wants_gpu=_number(resources.get("gpu")) > 0 if isinstance(resources, Mapping) else False,
        shared_memory_bytes=_bytes(_get(resources, "sharedMemory")) if isinstance(resources, Mapping) else 0,
        model=_model(pkg),
        bundle=held.labels.get(BUNDLE_LABEL, ""),
        protocols=tuple(
            int(part) for part in held.labels.get(PROTOCOL_LABEL, "").split(",") if part.strip().isdigit()
        ),
    )


def _contract(held: Held, pkg: Mapping[str, Any], workdir: str, source: str, target: str) -> dict[str, str]:
    """Return the variables of the folder contract; the image's own stand, but for the two folders."""
    models = str(_get(pkg, "modelRoot") or "/opt/holoscan/models")
    root = str(_get(pkg, "applicationRoot") or "/opt/holoscan/app")
    expected = {
        "HOLOSCAN_APPLICATION": root,
        "HOLOSCAN_WORKDIR": workdir,
        "HOLOSCAN_MODEL_PATH": models,
        "HOLOSCAN_CONFIG_PATH": "/var/holoscan/app.yaml",
        "HOLOSCAN_APP_MANIFEST_PATH": APP_FILES["holoscan"],
        "HOLOSCAN_PKG_MANIFEST_PATH": PKG_FILES["holoscan"],
        "MONAI_APPLICATION": root,
        "MONAI_WORKDIR": workdir,
        "MONAI_MODELPATH": str(_get(pkg, "modelRoot") or "/opt/monai/models"),
    }
    missing = {name: value for name, value in expected.items() if name not in held.environment}
    return {
        **missing,
        "HOLOSCAN_INPUT_PATH": source,
        "HOLOSCAN_OUTPUT_PATH": target,
        "MONAI_INPUTPATH": source,
        "MONAI_OUTPUTPATH": target,
    }


def _command(given: object) -> tuple[str, ...]:
    """Return a command: an array, an array written into a string, or words for a shell."""
    if isinstance(given, str):
        try:
            parsed = json.loads(given)
        except ValueError:
            parsed = None
        if not isinstance(parsed, list):
            text = given.strip()
            if _SHELL & set(text):
                return ("/bin/sh", "-c", text)
            return tuple(shlex.split(text))
        given = parsed
    return tuple(str(part) for part in given) if isinstance(given, list) else ()


def _model(pkg: Mapping[str, Any]) -> str:
    models = _get(pkg, "models")
    if isinstance(models, Mapping):
        models = [{"path": path} for path in models.values()]
    for one in models if isinstance(models, list) else []:
        if isinstance(one, Mapping) and one.get("path"):
            return str(one["path"])
    return ""


def _path(app: Mapping[str, Any], name: str) -> str:
    given = app.get(name)
    path = given.get("path") if isinstance(given, Mapping) else None
    return str(path or name)


def _absolute(workdir: str, path: str) -> str:
    return str(PurePosixPath("/") / workdir / path)


def _get(document: Mapping[str, Any], name: str) -> Any:
    """Return a field by its name of today, or by the kebab-case that it had in the first generation."""
    if name in document:
        return document[name]
    return document.get("".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name))


def _number(given: object) -> float:
    try:
        return max(float(str(given)), 0.0)
    except ValueError:
        return 0.0


def _bytes(given: object) -> int:
    """Return an amount like ``1Gi``, ``512Mi`` or a plain number, in bytes; 0 where it says none."""
    text = str(given or "")
    for unit, factor in (("Ki", 2**10), ("Mi", 2**20), ("Gi", 2**30), ("Ti", 2**40)):
        if text.endswith(unit):
            return int(_number(text.removesuffix(unit)) * factor)
    return int(_number(text))


def _document(data: bytes, path: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError as exc:
        raise ConfigError(f"{path}: is not JSON") from exc
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: is not a JSON object")
    return found
