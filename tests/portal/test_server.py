"""The portal's process: it catches up with what arrived before it, and ends in order."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from dicom_samples import series
from portal_site import SETTINGS, site
from portal_studies import arrived

PATIENCE_S = 60.0


def test_it_catalogues_what_was_there_and_what_comes_and_ends_when_it_is_asked_to(tmp_path: Path) -> None:
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
    with site(tmp_path) as opened:
        deployment = opened.deployment
        before = arrived(deployment, series(tmp_path / "before", seed="before")).subject
        settings = tmp_path / "listening.toml"
        settings.write_text(SETTINGS.replace('listen = ""', 'listen = "127.0.0.1:0"'))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("BEDSIDE_")}
        log = tmp_path / "portal.log"
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "bedside", "portal", "-c", str(settings)],
                stderr=errors,
                env=environment,
            )
        try:
            for study_uid in (before, ""):
                if not study_uid:
                    study_uid = arrived(deployment, series(tmp_path / "after", seed="after")).subject
                until = time.monotonic() + PATIENCE_S
                while not (found := deployment.records.catalogue.study("default", study_uid)):
                    assert process.poll() is None and time.monotonic() < until, log.read_text()
                    time.sleep(0.1)
                assert found.instances == 6
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=PATIENCE_S)
    said = log.read_text()
    assert code == 0, said
    assert "action=portal.ready" in said and "action=portal.stopped" in said
