"""What of a wheel travels."""

import pytest

from bedside.package.wheels.prune import travels


@pytest.mark.parametrize(
    "path",
    [
        "numpy/__init__.py",
        "numpy/testing/__init__.py",
        "torch/testing/_internal/common_dtype.py",
        "torch/bin/torch_shm_manager",
        "torch/lib/libtorch_cpu.so",
        "skimage/__init__.pyi",
        "skimage/measure/__init__.pyi",
        "skimage/feature/orb_descriptor_positions.txt",
        "skimage/data/_fetchers.py",
        "pydicom/data/charset_files/charlist",
        "highdicom/_standard/module_attribute_map.json",
        "_gdcm/_gdcmswig.so",
        "_gdcm/libgdcmCommon.so.3.2",
        "python_gdcm.libs/libssl-8.so.1.1",
        "monai-1.6.1.dist-info/METADATA",
        "monai-1.6.1.dist-info/LICENSE",
        "numpy-2.4.6.dist-info/licenses/numpy/linalg/lapack_lite/LICENSE.txt",
        "pydicom-3.0.2.dist-info/entry_points.txt",
        "scipy/tests/LICENSE",
    ],
)
def test_what_is_imported_read_or_owed_to_a_licence_stays(path: str) -> None:
    assert travels(path)


@pytest.mark.parametrize(
    "path",
    [
        "numpy/_core/tests/test_numeric.py",
        "numpy/_core/include/numpy/arrayobject.h",
        "numpy/random/lib/libnpyrandom.a",
        "torch/include/ATen/ATen.h",
        "torch/bin/protoc",
        "torch/lib/libtorchbind_test.so",
        "torch/_C/__init__.pyi",
        "torch/share/cmake/Torch/TorchConfig.cmake",
        "pydicom/data/test_files/CT_small.dcm",
        "skimage/data/brain.tiff",
        "scipy/special.pxd",
        "_gdcm/gdcmconv",
        "_gdcm/gdcmopenjpeg-2.3",
        "monai/__pycache__/__init__.cpython-311.pyc",
        "monai-1.6.1.dist-info/RECORD",
    ],
)
def test_tests_headers_tools_stubs_and_pictures_do_not(path: str) -> None:
    assert not travels(path)
