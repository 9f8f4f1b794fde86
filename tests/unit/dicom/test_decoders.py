"""What of the compressed transfer syntaxes this installation can decode."""

import subprocess
import sys

from bedside.dicom.codec import PLUGINS
from bedside.dicom.decoders import decodable


def test_every_decoder_of_the_worker_extra_is_importable() -> None:
    found = decodable()
    assert found.keys() == PLUGINS.keys()
    assert all(syntax.importable for syntax in found.values())
    assert found["1.2.840.10008.1.2.4.80"].name.startswith("JPEG-LS")


def test_a_missing_decoder_is_told_by_its_name() -> None:
    program = (
        "import sys; sys.modules['jpeg_ls'] = None\n"
        "from bedside.dicom.decoders import decodable\n"
        "print(sorted({s.decoder for s in decodable().values() if not s.importable}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "['pyjpegls']\n"
