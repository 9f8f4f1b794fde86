"""Reads the manifests of any MAP, ours or a stranger's, of either generation.

Owns what a host must know to run a MAP by the folder contract: the command, the folders, the variables,
the time-out, the resources. Defaults are the specification's. Manifests in the field deviate from it in
many small ways; `bedside.oci.map.fields` takes those.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from bedside.errors import ConfigError
from bedside.oci.map import paths
from bedside.oci.map.fields import Fields, joined
from bedside.oci.map.spec import Resources

#: Generations, newest first: its name, and where its manifests lie.
GENERATIONS = (
    ("1.0", paths.APP_MANIFEST, paths.PKG_MANIFEST),
    ("0.1", paths.MONAI_APP_MANIFEST, paths.MONAI_PKG_MANIFEST),
)

_ROOTS = {
    "1.0": (paths.APPLICATION, paths.MODELS, paths.WORKDIR),
    "0.1": (paths.MONAI_APPLICATION, paths.MONAI_MODELS, paths.MONAI_WORKDIR),
}
_PROBES = ("tcp", "grpc", "http-get", "command")


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How a host sees whether a service is ready or alive. MAP specification 1.0, ``readiness``.

    Attributes:
        type: ``tcp``, ``grpc``, ``http-get`` or ``command``.
        command: Program and arguments, of a ``command``.
        port: Of the others.
        path: Of ``http-get``.
        initial_delay_s: From the container's start to the first probe.
        period_s: Between two.
        timeout_s: After which one has failed.
        failure_threshold: Failures after which the application is not well.
    """

    type: str
    command: tuple[str, ...] = ()
    port: int = 0
    path: str = ""
    initial_delay_s: int = 1
    period_s: int = 10
    timeout_s: int = 1
    failure_threshold: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a MAP's manifests say, in one form.

    Attributes:
        generation: ``1.0`` or ``0.1``.
        type: ``application``, which ends, or ``service``, which does not.
        command: Program and arguments that run the application.
        environment: Variables it is to be given.
        working_directory: Absolute.
        input: Folder it reads, absolute.
        output: Folder it writes, absolute.
        input_formats: Words; empty where none is stated.
        output_formats: Words; empty where none is stated.
        timeout_s: Longest run; 0 is no end.
        version: Of the application.
        sdk: What made it; may be empty.
        sdk_version: Its version.
        application_root: Folder of the application.
        models: Folders by name, absolute.
        resources: What it needs; of several fragments the greatest of each.
        readiness: Of a service; may be missing.
        liveness: Of a service; may be missing.
    """

    generation: str
    type: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    working_directory: str
    input: str
    output: str
    input_formats: tuple[str, ...]
    output_formats: tuple[str, ...]
    timeout_s: int
    version: str
    sdk: str
    sdk_version: str
    application_root: str
    models: Mapping[str, str]
    resources: Resources = field(default_factory=Resources)
    readiness: Probe | None = None
    liveness: Probe | None = None


def read_contract(app: bytes, pkg: bytes | None, *, generation: str) -> Contract:
    """Return what the manifests of a MAP say.

    Args:
        app: Content of ``app.json``.
        pkg: Content of ``pkg.json``; None where there is none, which gives the defaults.
        generation: ``1.0`` or ``0.1``, by where the manifests lie: see `GENERATIONS`.

    Raises:
        ConfigError: A field cannot be understood, or there is no command.
    """
    manifest = Fields.parse("app.json", app)
    package = Fields.parse("pkg.json", b"{}" if pkg is None else pkg)
    application, models, workdir = _ROOTS[generation]
    workdir = joined("/", manifest.text("workingDirectory", workdir))
    taken, given = manifest.object("input"), manifest.object("output")
    kind = manifest.text("type", "application").lower()
    if kind not in ("application", "service"):
        raise ConfigError(f"MAP: app.json type is {kind!r}, application or service is needed")
    return Contract(
        generation=generation,
        type=kind,
        command=manifest.command("command"),
        environment=manifest.environment("environment"),
        working_directory=workdir,
        input=joined(workdir, taken.text("path", "input")),
        output=joined(workdir, given.text("path", "output")),
        input_formats=taken.words("formats", "format"),
        output_formats=given.words("format", "formats"),
        timeout_s=int(manifest.number("timeout", 0)),
        version=manifest.text("version", "0.0.0"),
        sdk=manifest.text("sdk"),
        sdk_version=manifest.text("sdkVersion", "0.0.0"),
        application_root=joined("/", package.text("applicationRoot", application)),
        models=package.models("models", joined("/", package.text("modelRoot", models))),
        # App SDK 0.5 writes the singular.
        resources=_resources(package.object("resources" if "resources" in package else "resource")),
        readiness=_probe(manifest, "readiness"),
        liveness=_probe(manifest, "liveness"),
    )


def _resources(stated: Fields) -> Resources:
    found = [_needs(stated), *(_needs(one) for _, one in stated.object("fragments").objects())]
    greatest = {part.name: max(getattr(one, part.name) for one in found) for part in fields(Resources)}
    return Resources(**greatest)


def _needs(stated: Fields) -> Resources:
    defaults = Resources()
    return Resources(
        cpu=stated.number("cpu", defaults.cpu),
        memory_bytes=stated.size_bytes("memory", defaults.memory_bytes),
        gpu=stated.number("gpu", defaults.gpu),
        gpu_memory_bytes=stated.size_bytes("gpuMemory", 0),
        shared_memory_bytes=stated.size_bytes("sharedMemory", defaults.shared_memory_bytes),
        cpu_limit=stated.number("cpuLimit", 0),
        memory_limit_bytes=stated.size_bytes("memoryLimit", 0),
        gpu_limit=stated.number("gpuLimit", 0),
        gpu_memory_limit_bytes=stated.size_bytes("gpuMemoryLimit", 0),
    )


def _probe(manifest: Fields, key: str) -> Probe | None:
    if key not in manifest:
        return None
    stated = manifest.object(key)
    kind = stated.text("type").lower()
    if kind not in _PROBES:
        raise ConfigError(f"MAP: app.json {key} type is {kind!r}, one of {', '.join(_PROBES)} is needed")
    return Probe(
        type=kind,
        command=stated.command("command") if kind == "command" else (),
        port=int(stated.number("port", 0)),
        path=stated.text("path"),
        initial_delay_s=int(stated.number("initialDelaySeconds", 1)),
        period_s=int(stated.number("periodSeconds", 10)),
        timeout_s=int(stated.number("timeoutSeconds", 1)),
        failure_threshold=int(stated.number("failureThreshold", 3)),
    )
