"""What the application of a MAP is to do: its folders, its settings, from environment, file, defaults.

Owns the names of variables and their order of precedence. A variable of the contract that says what
the container image says anyway is no wish; the first that says something else wins, so that hosts of
either generation are understood. Settings: environment over ``app.yaml`` over bedside's defaults, and
the same defaults as ``bedside run``, because they are part of a result's identity.
"""

import argparse
import difflib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from bedside.dicom.attributes import check_expression
from bedside.domain.expression import parse
from bedside.domain.outputs import DEFAULT_OUTPUTS, OUTPUTS
from bedside.errors import ConfigError, UsageError

#: Folder or file by what it is for: variables of both generations, and what the image says.
_PLACES = {
    "input": (("HOLOSCAN_INPUT_PATH", "/var/holoscan/input"), ("MONAI_INPUTPATH", "/var/monai/input")),
    "output": (("HOLOSCAN_OUTPUT_PATH", "/var/holoscan/output"), ("MONAI_OUTPUTPATH", "/var/monai/output")),
    "models": (("HOLOSCAN_MODEL_PATH", "/opt/holoscan/models"), ("MONAI_MODELPATH", "/opt/monai/models")),
    "workdir": (("HOLOSCAN_WORKDIR", "/var/holoscan"), ("MONAI_WORKDIR", "/var/monai")),
    "config": (("HOLOSCAN_CONFIG_PATH", "/var/holoscan/app.yaml"),),
}

ENGINES = ("torch", "openvino", "compile")
PRECISIONS = ("fp32", "bf16", "fp16")
LAYOUTS = ("nested", "flat")

#: Settings that change a result, as a stage has them.
_STAGE = ("select", "outputs", "engine", "precision", "tolerance_dice", "labels", "accept")
#: Settings that do not.
_RUN = ("device", "threads", "model", "layout")

#: Variables that others set for their own ends.
_OTHERS = re.compile(r"BEDSIDE_(PARENT_PID|RELEASE|DEBUG|INPUT|OUTPUT|TEST_.*|SERVICE_.*|PORT|PORT_.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the application is to do.

    Attributes:
        input: Folder of the study.
        output: Folder of the result.
        models: Folder of the models' folders.
        model: Which of them; empty where there is only one.
        stage: Settings that change a result, JSON values, as in ``bedside.toml``.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        threads: CPU threads; 0 is all cores.
        flat: Whether DICOM objects lie at the top of the output folder.
        release: Digest of the release to record; empty records the bundle's.
        debug: Whether the libraries' and the bundle's own output is shown; it may hold a patient's data.
    """

    input: Path
    output: Path
    models: Path
    model: str
    stage: Mapping[str, object]
    device: str
    threads: int
    flat: bool
    release: str
    debug: bool


def read_wishes(arguments: Sequence[str], environment: Mapping[str, str]) -> Wishes:
    """Return what arguments, environment and ``app.yaml`` ask for.

    Args:
        arguments: As applications of the App SDK take them: ``-i``, ``-o``, ``-m``, ``--config``.
        environment: Of the process.

    Raises:
        UsageError: An argument is unknown.
        ConfigError: A variable or a setting is wrong, with the nearest known name.
    """
    said = _arguments(arguments)
    workdir = Path(_variable("workdir", environment))
    places = {
        name: workdir / (getattr(said, name, None) or _variable(name, environment))
        for name in ("input", "output", "models", "config")
    }
    settings = _settings(places["config"], environment)
    layout = settings.get("layout", "flat" if "MERCURE_OUT_DIR" in environment else "nested")
    stage: dict[str, object] = {
        "select": settings.get("select", ""),
        "outputs": settings.get("outputs", DEFAULT_OUTPUTS),
        "engine": settings.get("engine", "torch"),
        "precision": settings.get("precision", "fp32"),
    }
    stage |= {name: settings[name] for name in _STAGE[4:] if settings.get(name)}
    return Wishes(
        input=places["input"],
        output=places["output"],
        models=places["models"],
        model=str(settings.get("model", "")),
        stage=stage,
        device=str(settings.get("device", "auto")),
        threads=int(str(settings.get("threads", 0))),
        flat=layout == "flat",
        release=environment.get("BEDSIDE_RELEASE", ""),
        debug=environment.get("BEDSIDE_DEBUG", "").lower() in ("1", "true", "yes"),
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"application: {message}", hint="/var/holoscan/tools help")


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("-i", "--input", default="")
    parser.add_argument("-o", "--output", default="")
    parser.add_argument("-m", "--model", dest="models", default="")
    parser.add_argument("-c", "--config", default="")
    return parser.parse_args(list(arguments))


def _variable(name: str, environment: Mapping[str, str]) -> str:
    """Return the first variable that says something else than the image; absolute or below the workdir."""
    known = _PLACES[name]
    for variable, usual in known:
        value = environment.get(variable, "").rstrip("/")
        if value and value != usual:
            return value
    return known[0][1]


def _settings(config: Path, environment: Mapping[str, str]) -> dict[str, object]:
    settings = _from_file(config)
    unknown = []
    for name, text in environment.items():
        if not name.startswith("BEDSIDE_") or _OTHERS.fullmatch(name):
            continue
        key = name.removeprefix("BEDSIDE_").lower()
        if key in _STAGE or key in _RUN:
            settings[key] = _parsed(key, text)
        else:
            unknown.append(name)
    for name in unknown:
        nearest = difflib.get_close_matches(name, [f"BEDSIDE_{key.upper()}" for key in (*_STAGE, *_RUN)], 1)
        meant = f", did you mean {nearest[0]}?" if nearest else ""
        print(f"warning: {name} is no setting of bedside{meant}", file=sys.stderr)  # noqa: T201
    return {key: _checked(key, value) for key, value in settings.items()}


def _from_file(path: Path) -> dict[str, object]:
    """Return the ``bedside`` section of ``app.yaml``; a file of another application has none."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path.name}: cannot be read ({type(exc).__name__})") from exc
    try:
        document = json.loads(text)
    except ValueError:
        document = _yaml(path.name, text)
    section = document.get("bedside") if isinstance(document, dict) else None
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise ConfigError(f"{path.name}: bedside is no table of settings")
    for key in section:
        if key not in _STAGE and key not in _RUN:
            nearest = difflib.get_close_matches(str(key), [*_STAGE, *_RUN], 1)
            meant = f", did you mean {nearest[0]}?" if nearest else ""
            raise ConfigError(f"{path.name}: bedside.{key} is no setting{meant}")
    return dict(section)


def _yaml(name: str, text: str) -> object:
    import yaml  # type: ignore[import-untyped] # noqa: PLC0415 - where somebody brings a file of his own

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise ConfigError(f"{name}: is neither JSON nor YAML") from exc


def _parsed(key: str, text: str) -> object:
    """Return a variable's text as the value that a file would hold."""
    if key == "outputs":
        return [part.strip() for part in text.split(",") if part.strip()]
    if key in ("labels", "accept", "threads", "tolerance_dice"):
        try:
            return json.loads(text)
        except ValueError as exc:
            raise ConfigError(f"BEDSIDE_{key.upper()}: is not JSON") from exc
    return text.strip()


def _checked(key: str, value: object) -> object:
    choices = {"engine": ENGINES, "precision": PRECISIONS, "layout": LAYOUTS}.get(key)
    if choices and value not in choices:
        raise ConfigError(f"{key}: {value!r}, expected one of {', '.join(choices)}")
    if key == "outputs":
        names = tuple(map(str, value)) if isinstance(value, list | tuple) else (str(value),)
        wrong = [name for name in names if name not in OUTPUTS]
        if wrong:
            raise ConfigError(f"outputs: {wrong[0]!r}, expected some of {', '.join(OUTPUTS)}")
        return names
    if key == "select" and value:
        check_expression(parse(str(value)))
    if key == "threads" and not (isinstance(value, int) and value >= 0):
        raise ConfigError(f"threads: {value!r}, expected a whole number from 0 on")
    return value
