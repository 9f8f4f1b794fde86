"""What was left out of the packages is missed by nothing: all of the runtime imports, and it computes.

The packages are those of the image, unpacked, under the base's own Python and C library; nothing of this
machine's Python takes part. One study through the finished MAP is read in test_golden_anywhere.py.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

import bedside
from bedside.oci.descriptor import Platform
from bedside.oci.parts import Recipe
from bedside.oci.tar import arranged
from bedside.package.base.debian import debian_base, debian_interpreter
from bedside.package.base.interpreter import this_machine
from bedside.package.base.lock import read_debian_lock
from bedside.package.base.unpacked import write_entries
from bedside.package.wheels.lock import read_wheel_lock
from bedside.package.wheels.recipes import wheel_recipes
from bedside.package.wheels.unpack import SITE_PACKAGES
from map_samples import fresh_lock, packaging_cache

IMPORTS = """
import importlib, json, pkgutil
import bedside
for room in ("domain", "dicom", "model", "phantom", "runtime"):
    package = importlib.import_module(f"bedside.{room}")
    for module in pkgutil.walk_packages(package.__path__, f"bedside.{room}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
import monai, monai.bundle, monai.data, monai.engines, monai.handlers, monai.inferers, monai.losses
import monai.metrics
import monai.networks.blocks, monai.networks.layers, monai.networks.nets, monai.transforms, monai.utils
import ignite.engine, ignite.handlers, ignite.metrics
import skimage.feature, skimage.filters, skimage.measure, skimage.morphology, skimage.segmentation
import skimage.transform
import scipy.io, scipy.ndimage, scipy.optimize, scipy.signal, scipy.sparse, scipy.spatial, scipy.stats
import nibabel, highdicom.seg, pydicom.pixels, PIL.Image, PIL.ImageFont, yaml, networkx, sympy
import torch.ao.quantization, torch.export, torch.fx, torch.hub, torch.jit, torch.onnx, torch.optim
import torch.distributed, torch._dynamo, torch.utils.checkpoint, torch.utils.data
from importlib.metadata import distributions, entry_points
print(json.dumps([
    [found.metadata["Name"] for found in distributions()],
    [point.value for point in entry_points(group="pylibjpeg.pixel_data_decoders")],
]))
"""

COMPUTES = """
import numpy, torch
from monai.inferers import SlidingWindowInferer
from monai.networks.nets import UNet
from scipy.ndimage import label
from skimage.measure import marching_cubes
torch.manual_seed(0)
network = UNet(3, 1, 2, channels=(4, 8), strides=(2,)).eval()
study = torch.zeros(1, 1, 32, 32, 32)
study[..., 8:20, 8:20, 8:20] = 1
with torch.no_grad():
    eager = SlidingWindowInferer(16, overlap=0.5)(study, network)
    script = torch.jit.script(torch.jit.trace(network, study[..., :16, :16, :16]))
    traced = SlidingWindowInferer(16, overlap=0.5)(study, script)
assert torch.equal(eager, traced), (eager - traced).abs().max()
vertices, *_ = marching_cubes(study[0, 0].numpy(), 0.5)
print(tuple(eager.shape), label(study[0, 0].numpy())[1], len(vertices))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base and the packages of the image, unpacked."""
    folder, cache = tmp_path_factory.mktemp("root"), packaging_cache()
    lock, platform = read_debian_lock(fresh_lock()), Platform(architecture=this_machine())
    interpreter = debian_interpreter(lock, cache=cache)
    base = debian_base(lock, cache=cache, platform=platform)
    for recipe in (
        *base.layers,
        *wheel_recipes(read_wheel_lock(), cache=cache, interpreter=interpreter, platform=platform),
    ):
        assert isinstance(recipe, Recipe)
        write_entries(arranged(recipe.entries()), folder)
    return folder


def run(root: Path, program: str, tmp: Path) -> list[str]:
    """Run a program under the Python of a root, without entering it, and return its lines."""
    libraries = next((root / "usr/lib").glob("*-linux-gnu"))
    loader = next(libraries.glob("ld-linux-*"))
    done = subprocess.run(
        [
            loader,
            "--library-path",
            libraries,
            root / "usr/bin/python3.11",
            "-B",
            "-W",
            "ignore",
            "-c",
            program,
        ],
        env={
            "PYTHONHOME": str(root / "usr"),
            "PYTHONPATH": f"{root / SITE_PACKAGES}{os.pathsep}{Path(bedside.__file__).parents[1]}",
            "PYTHONNOUSERSITE": "1",
            "PYTHONUTF8": "1",
            "HOME": str(tmp),
            "LOGNAME": "bedside",
        },
        cwd=tmp,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()


def test_every_module_of_the_runtime_imports_and_plugins_are_found(root: Path, tmp_path: Path) -> None:
    (line,) = run(root, IMPORTS, tmp_path)
    names, decoders = json.loads(line)

    assert {canonicalize_name(name) for name in names} == {wheel.name for wheel in read_wheel_lock().wheels}
    assert {value.partition(".")[0].partition(":")[0] for value in decoders} >= {"openjpeg", "rle"}


def test_a_network_gives_the_same_eager_and_as_torchscript(root: Path, tmp_path: Path) -> None:
    (line,) = run(root, COMPUTES, tmp_path)

    assert line.startswith("(1, 2, 32, 32, 32) 1 ")


def test_what_no_program_reads_is_not_there(root: Path) -> None:
    site = root / SITE_PACKAGES
    found = list(files_below(site))

    assert not [path for path in found if path.suffix in {".h", ".a", ".cpp", ".cmake"}]
    assert not [
        path for path in found if "tests" in path.relative_to(site).parts[:-1] and path.suffix == ".py"
    ]
    assert not (site / "pip").exists()
    assert (site / "monai/__pycache__/__init__.cpython-311.pyc").is_file()
    assert (site / "monai/__init__.py").is_file()


def files_below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
