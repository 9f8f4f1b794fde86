"""The script in docs/upload.md is run as it stands there."""

import os
import re
import socket
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from bedside.portal.access.caller import Means
from portal_site import Site

pytestmark = pytest.mark.needs("curl", "openssl")


@pytest.fixture
def address(portal: Site) -> Iterator[str]:
    """The portal on a port, asked by a script."""
    portal.gate.means = Means.TOKEN
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(portal.client.app, log_config=None, access_log=False, lifespan="off")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    listening.close()


def test_the_documented_script_sends_and_goes_on(
    portal: Site, address: str, tmp_path: Path, repository: Path
) -> None:
    text = (repository / "docs" / "upload.md").read_text(encoding="utf-8")
    found = re.search(r"```sh\n(#!/bin/sh\n.*?)```", text, re.DOTALL)
    assert found
    script = tmp_path / "send.sh"
    script.write_text(found[1], encoding="utf-8")
    study = tmp_path / "study.zip"
    with zipfile.ZipFile(study, "w") as archive:
        archive.writestr("a", os.urandom(9_000_000))

    def run(text: Path) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "PORTAL": address, "TOKEN": "t"}
        return subprocess.run(
            ["sh", text, study], env=environment, capture_output=True, text=True, timeout=60
        )

    broken = tmp_path / "broken.sh"  # ends after the first part, as a cut would
    broken.write_text(found[1].replace("    number=$((number + 1))", "    exit 3"), encoding="utf-8")
    assert run(broken).returncode == 3
    desk = portal.deployment.uploads
    [upload] = desk.mine("default", "p-1", limit=5)
    assert [part.number for part in desk.parts(upload)] == [1]
    done = run(script)
    assert done.returncode == 0, done.stderr
    assert '"step":"received"' in done.stdout
    assert portal.deployment.blobs.tenant("default").get(upload.key) == study.read_bytes()
