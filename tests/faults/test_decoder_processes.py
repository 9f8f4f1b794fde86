"""Processes that decode do not outlive the one that asked, however it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from pydicom.uid import JPEG2000Lossless

from dicom_samples import change, ramp, series

#: Reads one instance over and over; the guard is what spawned processes need.
PROGRAM = """
import sys
from pathlib import Path
from bedside.dicom.codec import decode_all, encoded_frames
from bedside.dicom.header import read_header

if __name__ == "__main__":
    frames = encoded_frames(read_header(Path(sys.argv[1])))
    for _ in decode_all(frames * 4000):
        print("one", flush=True)
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core decodes in its own process")
def test_they_end_with_a_killed_parent(tmp_path: Path) -> None:
    (path,) = series(tmp_path / "s", array=ramp((1, 256, 256)))
    change(path, lambda d: d.compress(JPEG2000Lossless, generate_instance_uid=False))
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    with subprocess.Popen([sys.executable, program, path], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "one\n"
        children = psutil.Process(parent.pid).children(recursive=True)
        assert len(children) >= 2
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    until = time.monotonic() + 30
    while any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children):
        assert time.monotonic() < until, "decoders outlive their parent"
        time.sleep(0.05)
