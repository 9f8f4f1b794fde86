"""Imports MONAI: only what a configuration needs where that is known to suffice, else all of it.

``import monai`` loads every module twice, pulls in Ignite (and with it torch.distributed's optimisers),
SciPy's signal package and the dataset downloaders: about half of a cold run's start. Owns the lean
way round that: the packages' own ``__init__`` is put off until somebody asks for a name that only it
defines. Used only when every name in a configuration is one of `KNOWN`; whatever else comes is imported
as MONAI does it, so that lean is never a different MONAI, only a later one.
"""

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Names that need neither Ignite nor SciPy's signal package. Networks: all in `_NETWORKS`.
KNOWN = _words(
    """
    Compose Dataset CacheDataset PersistentDataset DataLoader ThreadDataLoader
    LoadImage LoadImaged EnsureChannelFirst EnsureChannelFirstd AsChannelFirstd Orientation Orientationd
    Spacing Spacingd ScaleIntensity ScaleIntensityd ScaleIntensityRange ScaleIntensityRanged
    ScaleIntensityRangePercentilesd NormalizeIntensity NormalizeIntensityd CropForegroundd SpatialPadd
    SpatialCropd CenterSpatialCropd ResizeWithPadOrCropd Resized Transposed Rotate90d Flipd Zoomd
    EnsureType EnsureTyped CastToType CastToTyped ToTensord ToDeviced Lambdad CopyItemsd DeleteItemsd
    ConcatItemsd SelectItemsd Identityd DivisiblePadd ThresholdIntensityd
    Activations Activationsd AsDiscrete AsDiscreted Invertd SaveImage SaveImaged FillHolesd
    KeepLargestConnectedComponentd RemoveSmallObjectsd SqueezeDimd EnsureChannelFirstD
    SimpleInferer SlidingWindowInferer SlidingWindowInfererAdapt SupervisedEvaluator
    CheckpointLoader StatsHandler
    """
)
_NETWORKS = _words(
    """
    UNet Unet BasicUNet BasicUNetPlusPlus DynUNet SegResNet SegResNetDS SegResNetVAE VNet AttentionUnet UNETR
    SwinUNETR HighResNet FlexibleUNet DenseNet DenseNet121 DenseNet169 DenseNet201 DenseNet264 ResNet resnet10
    resnet18 resnet34 resnet50 resnet101 EfficientNetBN SEResNet50 SENet154 ViT Classifier Regressor
    """
)
#: Put off during a lean import: what of MONAI needs them is not in `KNOWN`.
_PUT_OFF = ("ignite", "scipy.signal")
_BARE = ("monai", "monai.apps", "monai.bundle", "monai.engines")
_PACKAGES = (
    "monai.data",
    "monai.transforms",
    "monai.inferers",
    "monai.networks.nets",
    "monai.bundle.config_parser",
    "monai.engines.utils",
)
_TARGET = re.compile(r'"?_target_"?\s*:\s*["\']?([\w.$@#()]+)')
_DOTTED = re.compile(r"monai\.([\w.]+)")
_HARMLESS_MODULES = ("utils.set_determinism", "utils", "transforms", "data", "inferers", "networks.nets")


def suffices_lean(config_texts: Iterable[str]) -> bool:
    """Return whether everything that configurations name is known to work after a lean import."""
    for text in config_texts:
        if "scripts." in text or "ignite" in text or "scipy.signal" in text:
            return False
        for target in _TARGET.findall(text):
            name = target.rsplit(".", 1)[-1]
            if name not in KNOWN | _NETWORKS and not target.startswith(("torch.", "bedside.")):
                return False
        for dotted in _DOTTED.findall(text):
            if (
                not dotted.startswith(_HARMLESS_MODULES)
                and dotted.rsplit(".", 1)[-1] not in KNOWN | _NETWORKS
            ):
                return False
    return True


def import_monai(*, lean: bool) -> None:
    """Import MONAI, once per process.

    Args:
        lean: Leave out what `suffices_lean` found unneeded; later attribute access still finds it,
            except Ignite's base classes, which MONAI fixes when it is imported.
    """
    if "monai" in sys.modules:
        return
    if not lean:
        importlib.import_module("monai")
        importlib.import_module("monai.bundle.config_parser")
        return
    for name in _BARE:
        _put_off_init(name)
    versions = importlib.import_module("monai._version").get_versions()
    vars(sys.modules["monai"])["__version__"] = str(versions.get("version", "0+unknown"))
    with _hidden(_PUT_OFF):
        for name in _PACKAGES:
            importlib.import_module(name)


def imported_lean() -> bool:
    """Return whether this process runs on a lean import, without Ignite's base classes."""
    return bool(getattr(sys.modules.get("monai"), "__bedside_lean__", False))


def _put_off_init(name: str) -> None:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    vars(package)["__bedside_lean__"] = True
    vars(package)["__getattr__"] = _finder(package)
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, package)


def _finder(package: ModuleType) -> Callable[[str], object]:
    """Return a module ``__getattr__`` that tries a submodule, then runs the real ``__init__``."""

    def find(attribute: str) -> object:
        spec = package.__spec__
        assert spec is not None
        if not attribute.startswith("__") or attribute in {"__revision_id__", "__basedir__"}:
            if importlib.util.find_spec(f"{package.__name__}.{attribute}"):
                return importlib.import_module(f"{package.__name__}.{attribute}")
            if vars(package).pop("__getattr__", None) and spec.loader:
                spec.loader.exec_module(package)
                if attribute in vars(package):
                    return vars(package)[attribute]
        raise AttributeError(f"module {package.__name__!r} has no attribute {attribute!r}")

    return find


@contextmanager
def _hidden(names: Iterable[str]) -> Iterator[None]:
    """Make modules that are not yet loaded unimportable for a while."""
    hidden = [name for name in names if name not in sys.modules]
    modules: dict[str, Any] = sys.modules  # None is Python's own mark for "cannot be imported"
    modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            if modules.get(name, ...) is None:
                del modules[name]
