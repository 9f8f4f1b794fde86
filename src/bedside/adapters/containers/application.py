"""What a MAP says of itself, as far as running it goes: command, folders, variables, wishes.

Owns where the manifests are looked for in a container image, and what of them is heeded. Their claims
of memory are not: in the field they are wishes, and a limit made of them would end a good run.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bedside.adapters.containers.box import Engine, Held
from bedside.errors import ConfigError
from bedside.oci.map import paths
from bedside.oci.map.image import LABEL_BUNDLE, LABEL_MODEL, LABEL_PROTOCOL
from bedside.oci.map.reading import GENERATIONS, Contract, read_contract


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
        shared_memory_bytes: Of ``/dev/shm`` that it asks for.
        title: Its name, for people.
        version: Its version, for people.
        model: Folder of its model, of a MAP that speaks the protocol; else ``""``.
        bundle: Digest of its bundle, of a MAP that speaks the protocol; else ``""``.
        protocols: Versions of the protocol it speaks.
        settings: What it was packaged with (outputs, select, precision, …), of a MAP that speaks the
            protocol: its application reads them by itself, its warm child is told.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    workdir: str
    input: str
    output: str
    timeout_s: float
    wants_gpu: bool
    shared_memory_bytes: int
    title: str
    version: str
    model: str = ""
    bundle: str = ""
    protocols: tuple[int, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)


def read_application(engine: Engine, held: Held) -> Application:
    """Return what a container image says of itself, by the newest generation that it has.

    Raises:
        ConfigError: It is no MAP, or its manifest cannot be understood.
    """
    manifests = [path for _, *both in GENERATIONS for path in both]
    files = engine.read(held, [*manifests, paths.APP_CONFIG])
    for generation, app, pkg in GENERATIONS:
        if app in files:
            contract = read_contract(files[app], files.get(pkg), generation=generation)
            application = _application(held, contract)
            if not application.bundle:
                return application
            return replace(application, settings=_packaged_with(files.get(paths.APP_CONFIG, b"{}")))
    looked = " nor ".join(app for _, app, _ in GENERATIONS)
    raise ConfigError(
        f"{held.digest or held.id}: is no MAP, it has neither {looked}",
        hint="bedside package BUNDLE makes a MAP",
    )


def _application(held: Held, contract: Contract) -> Application:
    labels = held.labels
    protocols = labels.get(LABEL_PROTOCOL, "").split(",")
    return Application(
        command=contract.command,
        environment={**_folders(held, contract), **contract.environment},
        workdir=contract.working_directory,
        input=contract.input,
        output=contract.output,
        timeout_s=contract.timeout_s,
        wants_gpu=contract.resources.gpu > 0,
        shared_memory_bytes=contract.resources.shared_memory_bytes,
        title=labels.get("org.opencontainers.image.title", "") or contract.sdk or "MAP",
        version=labels.get("org.opencontainers.image.version", "") or contract.version,
        model=labels.get(LABEL_MODEL, ""),
        bundle=labels.get(LABEL_BUNDLE, ""),
        protocols=tuple(int(one) for one in protocols if one.strip().isdigit()),
    )


def _packaged_with(config: bytes) -> Mapping[str, object]:
    """Return the settings that ``bedside package`` wrote, in JSON, which a YAML file may be."""
    try:
        document = json.loads(config)
    except ValueError as exc:
        raise ConfigError(f"{paths.APP_CONFIG}: is not what bedside package writes ({exc})") from exc
    section = document.get("bedside") if isinstance(document, Mapping) else None
    return section if isinstance(section, Mapping) else {}


def _folders(held: Held, contract: Contract) -> dict[str, str]:
    """Return the variables of the folder contract; the image's own stand, but for the two folders.

    In the field the entry point fills in what is missing. It is not run, since it answers 0 whatever
    happened and needs programs that may not be there.
    """
    models = next(iter(contract.models.values()), "").rpartition("/")[0]
    expected = {
        "HOLOSCAN_APPLICATION": contract.application_root,
        "HOLOSCAN_WORKDIR": contract.working_directory,
        "HOLOSCAN_MODEL_PATH": models or "/opt/holoscan/models",
        "HOLOSCAN_CONFIG_PATH": "/var/holoscan/app.yaml",
        "HOLOSCAN_APP_MANIFEST_PATH": GENERATIONS[0][1],
        "HOLOSCAN_PKG_MANIFEST_PATH": GENERATIONS[0][2],
        "MONAI_APPLICATION": contract.application_root,
        "MONAI_WORKDIR": contract.working_directory,
        "MONAI_MODELPATH": models or "/opt/monai/models",
    }
    return {
        **{name: value for name, value in expected.items() if name not in held.environment},
        "HOLOSCAN_INPUT_PATH": contract.input,
        "HOLOSCAN_OUTPUT_PATH": contract.output,
        "MONAI_INPUTPATH": contract.input,
        "MONAI_OUTPUTPATH": contract.output,
    }
