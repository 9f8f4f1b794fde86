"""What of a wheel travels: code, its data, metadata and licences; not tests, headers, tools or stubs.

Owns the rules by which files are left out. A rule must never break an import: the image is proven after
pruning (`tests/conformance`), and what a package reads at run time stays, however odd its name.
"""

import re
from pathlib import PurePosixPath

#: Changes with the rules, so that no cache takes a layer of other rules for this one's.
RULES = 3
#: Distributions that only install others; they travel never.
INSTALLERS = frozenset({"pip", "wheel"})
#: Not needed by what the runtime does either: to build extensions, to compile for a GPU on the spot.
NOT_LOCKED = INSTALLERS | {"setuptools", "triton"}
#: Sources and stubs of compiled modules, headers, static libraries, files of build systems.
_SUFFIXES = frozenset({
    ".a", ".c", ".cc", ".cmake", ".cpp", ".cu", ".cuh", ".f", ".f90", ".h", ".hpp", ".inl",
    ".la", ".lib", ".pc", ".pxd", ".pxi", ".pyi", ".pyx", ".pyc", ".tcc",
})  # fmt: skip
_TEST_FOLDERS = frozenset({"tests", "test_files", "_test"})
_DIST_INFO = frozenset({"METADATA", "WHEEL", "entry_points.txt", "top_level.txt"})
_LICENCE = re.compile(r"(licen[cs]e|copying|notice|authors|copyright)", re.IGNORECASE)
#: Left out besides, by the path's beginning: C++ tests and build tools beside torch, its stray copy of a test
#: suite, and what only builds or measures a package.
_FOLDERS = (
    "torch/include/", "torch/share/", "torch/test/", "torch/lib/libaoti_custom_ops",
    "torch/lib/libbackend_with_compiler", "torch/lib/libjitbackend_test", "torch/lib/libtorchbind_test",
    "torch/lib/libshm_windows/", "nibabel/benchmarks/", "nisext/", "sympy/benchmarks/",
    "skimage/_build_utils/", "numpy/distutils/", "numpy/_pyinstaller/",
)  # fmt: skip
#: Modules that no inference imports: their sources travel, their bytecode does not.
SELDOM_IMPORTED = (
    "fsspec/", "imageio/", "jinja2/", "networkx/algorithms/", "networkx/generators/",
    "networkx/readwrite/", "numpy/f2py/", "scipy/io/", "sympy/physics/", "sympy/parsing/",
    "sympy/stats/", "torch/_dynamo/", "torch/_export/", "torch/_inductor/", "torch/_vendor/",
    "torch/ao/", "torch/onnx/", "torch/testing/", "torchgen/",
)  # fmt: skip
#: Pictures for examples; only the modules beside them are ever imported.
_PICTURES = re.compile(r"skimage/data/.*\.(?!pyi?$|txt$)\w+$")
#: Programs beside libraries; GDCM's own are named so and have no suffix.
_PROGRAMS = re.compile(r"torch/bin/|_gdcm/gdcm[^/.]*(-\d[\d.]*)?$")
_KEPT_PROGRAMS = ("torch/bin/torch_shm_manager",)
#: Stubs that are read at run time: lazy_loader takes from them what a package has.
_READ_STUBS = re.compile(r"skimage/(\w+/)*__init__\.pyi$")


def travels(path: str) -> bool:
    """Return whether a file of a wheel belongs in a container image.

    Args:
        path: Relative to ``site-packages``.
    """
    parts = PurePosixPath(path).parts
    if parts[0].endswith(".dist-info"):
        return parts[1] in _DIST_INFO or parts[1] == "licenses" or _LICENCE.match(parts[-1]) is not None
    if _PROGRAMS.match(path):
        return path in _KEPT_PROGRAMS
    if path.startswith(_FOLDERS) or _TEST_FOLDERS.intersection(parts[:-1]):
        return _LICENCE.match(parts[-1]) is not None
    if _PICTURES.match(path):
        return False
    return PurePosixPath(path).suffix.lower() not in _SUFFIXES or _READ_STUBS.match(path) is not None
