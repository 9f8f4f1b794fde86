"""What of the compressed transfer syntaxes this installation can decode."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from bedside.dicom import decoders
from bedside.dicom.codec import PLUGINS
from bedside.dicom.codestream import check_claim
from bedside.dicom.decoders import decodable, tried
from bedside.dicom.header import InstanceHeader


def test_every_decoder_of_the_worker_extra_decodes_its_sample() -> None:
    found = decodable()
    assert found.keys() == PLUGINS.keys()
    assert {syntax.fault for syntax in found.values()} == {""}
    assert found["1.2.840.10008.1.2.4.80"].name.startswith("JPEG-LS")


def test_a_missing_decoder_is_told_by_its_name() -> None:
    program = (
        "import sys; sys.modules['jpeg_ls'] = None\n"
        "from bedside.dicom.decoders import decodable\n"
        "print(sorted({s.fault for s in decodable().values() if s.fault}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "['pyjpegls is missing']\n"


@pytest.mark.parametrize("uid", PLUGINS)
def test_a_decoder_that_gives_other_values_is_told(uid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def another(header: InstanceHeader, codestream: bytes) -> NDArray[np.integer]:
        check_claim(header, codestream)  # the sample is what it says it is
        return decoders.sample() + np.uint16(decoders.TOLERANCES.get(uid, 0) + 1)

    monkeypatch.setattr(decoders, "decode_codestream", another)
    assert tried(uid).startswith("a sample came out wrong, by up to ")
