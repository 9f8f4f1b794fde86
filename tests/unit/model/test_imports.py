"""A lean import of MONAI leaves out what is slow, and is otherwise the same MONAI."""

import json
import subprocess
import sys

import pytest

from bedside.model.imports import suffices_lean

LEAN = """
import json, sys, time
from bedside.model.imports import import_monai, imported_lean
import_monai(lean=True)
absent = [name for name in ("ignite", "scipy.signal", "torch.distributed.optim") if name not in sys.modules]
import monai
from monai.bundle import ConfigParser
parser = ConfigParser({
    "net": {
        "_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 2,
        "channels": [4, 8], "strides": [2],
    },
    "pre": {"_target_": "Spacingd", "keys": "image", "pixdim": [1, 1, 1]},
    "version": "$monai.__version__",
    "seed": "$monai.utils.set_determinism(seed=1)",
})
print(json.dumps({
    "absent": absent,
    "net": str(type(parser.get_parsed_content("net"))),
    "pre": str(type(parser.get_parsed_content("pre"))),
    "version": parser.get_parsed_content("version"),
    "lean": imported_lean(),
}))
"""


def test_lean_import_gives_the_same_classes_without_the_slow_parts() -> None:
    done = subprocess.run([sys.executable, "-c", LEAN], capture_output=True, text=True, check=True)
    said = json.loads(done.stdout.splitlines()[-1])
    import monai

    assert said == {
        "absent": ["ignite", "scipy.signal", "torch.distributed.optim"],
        "net": "<class 'monai.networks.nets.unet.UNet'>",
        "pre": "<class 'monai.transforms.spatial.dictionary.Spacingd'>",
        "version": monai.__version__,
        "lean": True,
    }


@pytest.mark.parametrize(
    ("text", "lean"),
    [
        ('{"_target_": "UNet"}', True),
        ('{"_target_": "monai.networks.nets.SwinUNETR"}', True),
        ("net:\n  _target_: UNet\n", True),
        ("$monai.utils.set_determinism(seed=1)", True),
        ("$monai.transforms.Compose(@x)", True),
        ('{"_target_": "EnsembleEvaluator"}', False),
        ('{"_target_": "scripts.own.Net"}', False),
        ('{"_target_": "UltrasoundConfidenceMapTransformd"}', False),
        ("$monai.engines.SupervisedTrainer", False),
        ('{"_target_": "$@model.forward"}', False),
    ],
)
def test_lean_only_where_every_name_is_known(text: str, lean: bool) -> None:
    assert suffices_lean([text]) is lean
