"""A bundle's inference configuration, taken apart into what has to run.

Owns the reading of the configuration by MONAI's own parser, with loading and saving replaced by memory.
The evaluator is taken apart rather than run where it is MONAI's `SupervisedEvaluator` with settings
whose meaning is known; any other evaluator is kept whole for `bedside.model.evaluator`. What the
configuration says about files, devices and logging is overruled; everything else is its own.
"""

import contextlib
import importlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bedside.errors import BedsideError, ConfigError
from bedside.model.bundle import Bundle
from bedside.model.weights import is_torchscript


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: What a configuration's expressions and components raise when they are wrong; MONAI wraps most of it.
CODE_ERRORS = (
    RuntimeError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ImportError,
    OSError,
    ArithmeticError,
)
#: Targets replaced by ours, by the last part of their name.
_REPLACED = {
    **dict.fromkeys(("LoadImaged", "LoadImageD", "LoadImageDict"), "bedside.model.loading.LoadVolumed"),
    "LoadImage": "bedside.model.loading.LoadVolume",
    **dict.fromkeys(("SaveImaged", "SaveImageD", "SaveImageDict"), "bedside.model.capture.CaptureImaged"),
    "SaveImage": "bedside.model.capture.CaptureImage",
    "CheckpointLoader": "bedside.model.weights.CheckpointLoader",
    **dict.fromkeys(
        ("SaveClassificationd", "SaveClassificationD", "SaveClassificationDict", "WriteFileMappingd"),
        "bedside.model.capture.PassOn",
    ),
}
#: Handlers that only save, log or measure.
_IDLE_HANDLERS = _words(
    """
    StatsHandler TensorBoardStatsHandler TensorBoardImageHandler LogfileHandler
    MLFlowHandler ClearMLStatsHandler
    MetricsSaver MetricLogger GarbageCollector CheckpointSaver ClassificationSaver
    ProbMapProducer RangeHandler
    MeanDice MeanIoUHandler HausdorffDistance SurfaceDistance ConfusionMatrix ROCAUC TimeHandler
    """
)
#: Arguments of SupervisedEvaluator whose meaning is reproduced, or that change no prediction.
_PLAIN_ARGUMENTS = _words(
    """
    _target_ _desc_ device val_data_loader epoch_length network inferer postprocessing key_val_metric
    additional_metrics metric_cmp_fn val_handlers amp amp_kwargs mode decollate non_blocking
    """
)
#: Parts of an evaluator that are evaluated on their own, with SupervisedEvaluator's defaults.
_PARTS = {
    "network": None,
    "inferer": None,
    "postprocessing": None,
    "amp": False,
    "amp_kwargs": None,
    "mode": "eval",
    "decollate": True,
}
_RUN_KEYS = ("run", "infer", "inferring", "inference", "evaluate", "evaluating")
_RUNS = re.compile(r"@([\w#:]+)\.run\(")
_LOADS_WEIGHTS = re.compile(
    r"CheckpointLoader|torch\.load|jit\.load|load_state_dict|load_net_with|safetensors|from_pretrained"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What runs for every study.

    Attributes:
        preprocessing: Turns ``{key: Volume}`` (or a `Volume`) into the network's input.
        keys: Keys under which preprocessing expects the volume; empty for a pipeline of single arrays.
        network: With its weights, on the device, in evaluation mode.
        inferer: Called with input and network.
        postprocessing: Turns the prediction into the result, or None.
        decollate: Whether postprocessing sees single items rather than the batch.
        amp: Arguments of ``torch.autocast("cuda")``, or None.
        training_mode: Whether the network runs in training mode (dropout at inference).
        evaluator: The bundle's own evaluator where it has to be run whole, else None.
    """

    preprocessing: Any
    keys: tuple[str, ...]
    network: torch.nn.Module
    inferer: Any
    postprocessing: Any
    decollate: bool
    amp: Mapping[str, Any] | None
    training_mode: bool
    evaluator: Any = None


class EvaluatorStandIn:
    """What ``initialize`` expressions and checkpoint loaders see in place of the evaluator."""

    logger = None

    def run(self) -> None:
        """Do nothing: bedside runs the parts itself."""

    def add_event_handler(self, *_args: Any, **_kwargs: Any) -> None:
        """Do nothing: there are no events."""


def config_files(bundle: Bundle, root: Path) -> list[Path]:
    """Return the inference configuration's files."""
    return [root / bundle.config]


def load_program(bundle: Bundle, root: Path, device: torch.device, scratch: Path) -> Program:
    """Evaluate a bundle's configuration up to the point where a study is needed.

    Args:
        bundle: What is loaded.
        root: The folder of its files.
        device: Where the network runs.
        scratch: An empty folder that stands in for any output folder the configuration names.

    Raises:
        ConfigError: The configuration cannot be understood, or weights are missing or do not fit.
    """
    reader = _Reader(bundle, root, device, scratch)
    with _inside(root):
        try:
            return reader.program()
        except CODE_ERRORS as exc:
            cause = root_cause(exc)
            if isinstance(cause, BedsideError):
                raise cause from exc
            raise ConfigError(
                f"bundle {bundle.name}: {bundle.config} cannot be evaluated: {said(cause)}",
                hint="run it once with python -m monai.bundle run; docs/bundles.md says what a bundle needs",
            ) from exc


def root_cause(exc: BaseException) -> BaseException:
    """Return what was raised first, or ours; MONAI's parser and Compose wrap it several times."""
    while exc.__cause__ is not None and not isinstance(exc, BedsideError):
        exc = exc.__cause__
    return exc


def said(exc: BaseException) -> str:
    """Return an exception's class and first line, for a message."""
    lines = str(exc).strip().splitlines()
    return f"{type(exc).__name__}: {lines[0][:300]}" if lines else type(exc).__name__


@contextlib.contextmanager
def _inside(root: Path) -> Iterator[None]:
    """Evaluate with the bundle's folder as working directory and first on the import path.

    The path entry stays: expressions in a running pipeline may import lazily. The process belongs to
    this bundle; modules that another bundle brought under the same names are dropped.
    """
    for name, module in list(sys.modules.items()):
        origin = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", [])), "")
        if name.split(".")[0] == "scripts" and not str(origin).startswith(str(root)):
            del sys.modules[name]
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    before = Path.cwd()
    os.chdir(root)
    try:
        yield
    finally:
        os.chdir(before)


class _Reader:
    """One evaluation of one configuration."""

    def __init__(self, bundle: Bundle, root: Path, device: torch.device, scratch: Path) -> None:
        from monai.bundle.config_parser import ConfigParser  # noqa: PLC0415 - after the lean import

        self.bundle, self.root, self.device = bundle, root, device
        files = config_files(bundle, root)
        self.text = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in files)
        self.parser: Any = ConfigParser()
        _check_yaml(files)
        self.parser.read_config([str(path) for path in files])
        self.parser.read_meta(str(root / "configs/metadata.json"))
        self.parser.resolve_macro_and_relative_ids()
        self.config: dict[str, Any] = _replaced(self.parser.get())
        self._overrule(scratch)

    def _overrule(self, scratch: Path) -> None:
        self.parser.set(self.config)
        overruled = {
            "bundle_root": str(self.root),
            "output_dir": str(scratch),
            "device": f"$torch.device('{self.device}')",
        }
        for name, value in overruled.items():
            if name in self.config:
                self.parser.set(value, name)

    def program(self) -> Program:
        name = self._evaluator_name()
        evaluator = deepcopy(self.parser.get(name))
        if not isinstance(evaluator, dict):
            raise ConfigError(
                f"bundle {self.bundle.name}: {self.bundle.config} has no {name!r} that says what runs",
                hint="an inference configuration needs an evaluator; see docs/bundles.md",
            )
        transform = self._preprocessing_id(evaluator)
        handlers = self._handlers(evaluator)
        plain = self._is_plain(evaluator, handlers)
        self._substitute_network(evaluator)
        parts = {part: evaluator.get(part, default) for part, default in _PARTS.items()}
        if plain:
            self.parser.set({"_target_": "bedside.model.program.EvaluatorStandIn"}, name)
        else:
            self._prepare_whole(name, evaluator)
        for part, content in parts.items():
            self.parser.set(content, f"bedside_{part}")
        self.parser.set(handlers, "bedside_handlers")
        self.parser.parse(True)
        return self._assembled(name, transform, plain=plain)

    def _assembled(self, name: str, transform: str, *, plain: bool) -> Program:
        get = self.parser.get_parsed_content
        preprocessing = get(transform)
        network = get("bedside_network")
        self._initialize()
        if plain:
            for handler in get("bedside_handlers") or []:
                if handler is not None:
                    handler.attach(EvaluatorStandIn())
        self._check_weights(network)
        inferer = get("bedside_inferer")
        if inferer is None:
            from monai.inferers.inferer import SimpleInferer  # noqa: PLC0415 - after the lean import

            inferer = SimpleInferer()
        network.to(self.device)
        mode = get("bedside_mode")
        return Program(
            preprocessing=preprocessing,
            keys=self._keys(preprocessing),
            network=network,
            inferer=inferer,
            postprocessing=get("bedside_postprocessing"),
            decollate=bool(get("bedside_decollate")),
            amp=(get("bedside_amp_kwargs") or {}) if get("bedside_amp") else None,
            training_mode=str(getattr(mode, "value", mode)) == "train",
            evaluator=None if plain else get(name),
        )

    # What the configuration names

    def _evaluator_name(self) -> str:
        for key in _RUN_KEYS:
            found = _RUNS.search(str(self.config.get(key, "")))
            if found:
                return found[1]
        return "evaluator"

    def _follow(self, content: Any) -> tuple[str, Any]:
        """Follow plain references; return the last id followed and the content there."""
        where = ""
        while isinstance(content, str) and re.fullmatch(r"@[\w#:]+", content):
            where = content[1:]
            content = self.parser.get(where)
        return where, content

    def _preprocessing_id(self, evaluator: dict[str, Any]) -> str:
        """Return the id of the transform that the evaluator's data pass through."""
        loader_id, loader = self._follow(evaluator.get("val_data_loader"))
        if isinstance(loader, dict) and "dataset" in loader:
            dataset_id, dataset = self._follow(loader["dataset"])
            dataset_id = dataset_id or f"{loader_id}#dataset"
            if isinstance(dataset, dict) and "transform" in dataset:
                where, _ = self._follow(dataset["transform"])
                return where or f"{dataset_id}#transform"
        if "preprocessing" in self.config:
            return "preprocessing"
        raise ConfigError(
            f"bundle {self.bundle.name}: {self.bundle.config} does not say how a study is prepared",
            hint="name the transforms preprocessing, or give the evaluator's dataset a transform",
        )

    def _handlers(self, evaluator: dict[str, Any]) -> list[Any]:
        """Return the handlers that do something to the prediction."""
        _, listed = self._follow(evaluator.get("val_handlers") or [])
        if not isinstance(listed, list):
            return [listed]
        busy = []
        for item in listed:
            _, content = self._follow(item)
            target = str(content.get("_target_", "")) if isinstance(content, dict) else ""
            if content is not None and target.rsplit(".", 1)[-1] not in _IDLE_HANDLERS:
                busy.append(item)
        return busy

    def _is_plain(self, evaluator: dict[str, Any], handlers: list[Any]) -> bool:
        if str(evaluator.get("_target_", "")).rsplit(".", 1)[-1] != "SupervisedEvaluator":
            return False
        if set(evaluator) - _PLAIN_ARGUMENTS:
            return False
        contents = [self._follow(handler)[1] for handler in handlers]
        return all(
            isinstance(content, dict) and content.get("_target_") == _REPLACED["CheckpointLoader"]
            for content in contents
        )

    # Weights

    def _substitute_network(self, evaluator: dict[str, Any]) -> None:
        """Run the exported network where a bundle ships that in place of its state dict."""
        weights = self.bundle.weights
        if not weights.endswith(".ts") or weights in self.text:
            return
        if not is_torchscript(self.root / weights):
            raise ConfigError(f"bundle {self.bundle.name}: {weights} is not TorchScript")
        network = {
            "_target_": "torch.jit.load",
            "f": str(self.root / weights),
            "map_location": f"$torch.device('{self.device}')",
        }
        for name in ("network", "network_def", "net"):
            if name in self.config:
                self.parser.set(network, name)
        evaluator["network"] = network if "network" not in self.config else "@network"

    def _check_weights(self, network: object) -> None:
        if not isinstance(network, torch.nn.Module):
            raise ConfigError(
                f"bundle {self.bundle.name}: its network is a {type(network).__name__}, not a torch module"
            )
        holds_weights = next(network.parameters(), None) is not None
        if (
            holds_weights
            and not isinstance(network, torch.jit.ScriptModule)
            and not _LOADS_WEIGHTS.search(self.text)
        ):
            raise ConfigError(
                f"bundle {self.bundle.name}: nothing in {self.bundle.config} loads weights; "
                "the network would run as it was initialised, at random",
                hint="add a CheckpointLoader; see docs/bundles.md",
            )

    def _initialize(self) -> None:
        expressions = self.config.get("initialize")
        if isinstance(expressions, list):
            for index in range(len(expressions)):
                self.parser.get_parsed_content(f"initialize#{index}")
        elif expressions is not None:
            self.parser.get_parsed_content("initialize")

    # The rest

    def _prepare_whole(self, name: str, evaluator: dict[str, Any]) -> None:
        from bedside.model.imports import imported_lean  # noqa: PLC0415 - used here alone

        if imported_lean():
            raise ConfigError(
                f"bundle {self.bundle.name}: its evaluator needs a process of its own",
                hint="run it through the worker, which gives each release its own process",
            )
        evaluator["val_data_loader"] = [None]
        evaluator["val_handlers"] = "@bedside_handlers"
        for part in ("network", "inferer", "postprocessing"):
            if evaluator.get(part) is not None:
                evaluator[part] = f"@bedside_{part}"
        if "device" in evaluator:
            evaluator["device"] = f"$torch.device('{self.device}')"
        self.parser.set(evaluator, name)

    def _keys(self, preprocessing: Any) -> tuple[str, ...]:
        from bedside.model.loading import LoadVolume, LoadVolumed  # noqa: PLC0415 - after the lean import

        for transform in flat(preprocessing):
            if isinstance(transform, LoadVolumed):
                keys = tuple(str(key) for key in transform.keys)
                wanted = tuple(key for key in keys if key in self.bundle.inputs)
                return wanted or tuple(key for key in keys if key != "label") or keys
            if isinstance(transform, LoadVolume):
                return ()
        raise ConfigError(
            f"bundle {self.bundle.name}: its preprocessing has no LoadImaged that bedside could feed",
            hint="load with LoadImage or LoadImaged; see docs/bundles.md",
        )


def flat(pipeline: Any) -> list[Any]:
    """Return the transforms of a pipeline, nested Composes included, in order."""
    children = getattr(pipeline, "transforms", None)
    if children is None:
        return [] if pipeline is None else [pipeline]
    return [transform for child in children for transform in flat(child)]


def _check_yaml(files: list[Path]) -> None:
    for path in files:
        if path.suffix in {".yaml", ".yml"}:
            yaml = importlib.import_module("yaml")
            try:
                yaml.safe_load(path.read_text(encoding="utf-8"))
            except yaml.YAMLError as exc:
                raise ConfigError(f"bundle: {path.name} is not YAML ({' '.join(str(exc).split())})") from exc


def _replaced(content: Any) -> Any:
    """Return a configuration with loading, saving and checkpoints replaced by ours."""
    if isinstance(content, dict):
        changed = {key: _replaced(value) for key, value in content.items()}
        target = changed.get("_target_")
        if isinstance(target, str) and (target.startswith("monai.") or "." not in target):
            changed["_target_"] = _REPLACED.get(target.rsplit(".", 1)[-1], target)
        return changed
    if isinstance(content, list):
        return [_replaced(item) for item in content]
    return content
