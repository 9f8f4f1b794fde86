"""Which of bedside's own files travel inside a MAP, and the last layer that makes it one.

Owns the list of rooms: what reads a study, runs a model and writes a result, never the queue, the
adapters or the command line. The same bytes come from a checkout, an editable install and a wheel,
because only modules are taken and their modes are set; their bytecode is the target's.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import partial
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from bedside import __version__
from bedside.errors import ConfigError
from bedside.oci.map import MapSpec, map_entries, paths
from bedside.oci.parts import Entry, EntryKind, Recipe
from bedside.package.base.interpreter import Interpreter
from bedside.package.base.unpacked import write_entries

#: Modules and packages of bedside that travel; import-linter keeps them from needing any other.
ROOMS = ("__init__.py", "errors.py", "log.py", "ports", "domain", "dicom", "model", "runtime")

#: Changes with what this module writes beside the files themselves.
RULES = 1

#: The name of the distribution inside, for `importlib.metadata` and for scanners.
DISTRIBUTION = "bedside-runtime"

_APPLICATION = f'''\
"""Runs this package's model on {paths.INPUT}: {DISTRIBUTION} does the work."""

import os
import sys

from bedside.runtime.application import main

code = main()
sys.stderr.flush()
os._exit(code)  # everything is written; taking torch apart in order would cost a second
'''


def runtime_recipe(interpreter: Interpreter | None = None) -> Recipe:
    """Return the layer of bedside's runtime.

    Args:
        interpreter: Compiles the modules; without one no bytecode is shipped.
    """
    found = dict(_modules())
    entries = [*_sources(found), *_distribution()]
    bytecode = interpreter.bytecode if interpreter else ""
    return Recipe(
        key=_key("runtime", entries, bytecode),
        comment=f"{DISTRIBUTION} {__version__}",
        entries=partial(_with_bytecode, entries, interpreter),
    )


def contract_recipe(spec: MapSpec) -> Recipe:
    """Return the last layer: manifests, tools, the application's entry, and the folders they name."""
    entries = map_entries(spec, tools=tools_program(spec.python), application=_APPLICATION.encode())
    return Recipe(
        key=_key("contract", entries), comment=f"MAP {spec.title} {spec.version}", entries=lambda: entries
    )


def tools_program(python: str) -> bytes:
    """Return ``/var/holoscan/tools``: -I and -S keep all packages out of it, which is why it is fast."""
    source = (_package() / "runtime" / "tools.py").read_text(encoding="utf-8")
    return f"#!{python} -IS\n{source}".encode()


def _package() -> Path:
    return Path(str(files("bedside")))


def _modules() -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of the modules that travel."""
    package = _package()
    for room in ROOMS:
        place = package / room
        found = [place] if place.is_file() else sorted(place.rglob("*.py"), key=str)
        if not found:
            raise ConfigError(
                f"runtime: bedside/{room} is not in this installation",
                hint="pip install --force-reinstall bedside",
            )
        for path in found:
            yield path.relative_to(package).as_posix(), path.read_bytes()


def _sources(modules: Mapping[str, bytes]) -> list[Entry]:
    root = paths.entry_path(paths.RUNTIME)
    return [Entry(path=f"{root}/bedside/{name}", content=content) for name, content in modules.items()]


def _distribution() -> list[Entry]:
    """Return the distribution's own record, with its licence: scanners and `importlib.metadata` read it."""
    folder = f"{paths.entry_path(paths.RUNTIME)}/{DISTRIBUTION.replace('-', '_')}-{__version__}.dist-info"
    about = (
        f"Metadata-Version: 2.4\nName: {DISTRIBUTION}\nVersion: {__version__}\n"
        "Summary: What of bedside runs inside a MAP.\nLicense-Expression: Apache-2.0\n"
        "License-File: LICENSE\nLicense-File: NOTICE\n"
    )
    return [
        Entry(path=f"{folder}/METADATA", content=about.encode()),
        *(Entry(path=f"{folder}/licenses/{name}", content=_legal(name)) for name in ("LICENSE", "NOTICE")),
    ]


def _legal(name: str) -> bytes:
    """Return a legal file of bedside, from the checkout or from what pip installed."""
    beside = _package().parents[1]
    if (beside / "pyproject.toml").is_file() and (beside / name).is_file():
        return (beside / name).read_bytes()
    try:
        text = metadata.distribution("bedside").read_text(f"licenses/{name}")
    except metadata.PackageNotFoundError:
        text = None
    if text is None:
        raise ConfigError(
            f"runtime: bedside's {name} is not in this installation",
            hint="pip install --force-reinstall bedside",
        )
    return text.encode()


def _with_bytecode(entries: list[Entry], interpreter: Interpreter | None) -> Iterator[Entry]:
    yield from entries
    if interpreter is None:
        return
    root = paths.entry_path(paths.RUNTIME)
    with TemporaryDirectory() as folder:
        write_entries(entries, Path(folder))
        interpreter.compile(Path(folder) / root, shown=paths.RUNTIME)
        for path in sorted((Path(folder) / root).rglob("*.pyc")):
            yield Entry(path=path.relative_to(folder).as_posix(), content=path.read_bytes())


def _key(kind: str, entries: list[Entry], *more: str) -> str:
    parts = [
        [entry.path, entry.kind.value, entry.mode, entry.target, _content_digest(entry)] for entry in entries
    ]
    return _digest([kind, RULES, sorted(parts), *more])


def _content_digest(entry: Entry) -> str:
    if entry.kind is not EntryKind.FILE or not isinstance(entry.content, bytes):
        return ""
    return hashlib.sha256(entry.content).hexdigest()


def _digest(value: object) -> str:
    return f"sha256:{hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()}"
