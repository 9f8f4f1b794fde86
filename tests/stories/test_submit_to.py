"""`bedside submit --to` as typed: studies to a portal elsewhere, by token, over a line that breaks."""

import asyncio
import hashlib
import os
import socket
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from bedside.cli.main import main
from bedside.domain.upload import PART_BYTES
from bedside.portal.access.caller import Means
from bedside.uploads.limits import Wish
from bedside.uploads.packing import fingerprint_of
from intake_samples import instances
from portal_site import VIEWER, Site, site


@dataclass
class Line:
    """Cuts each part once, half-way."""

    app: ASGIApp
    cuts: bool = False
    sent: Counter[str] = field(default_factory=Counter)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "PUT":
            self.sent[scope["path"]] += 1
            if self.cuts and self.sent[scope["path"]] == 1:
                await receive()
                return
        await self.app(scope, receive, send)


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as opened:
        opened.gate.means = Means.TOKEN
        opened.client.app = Line(opened.client.app)
        yield opened


@pytest.fixture
def address(portal: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("BEDSIDE_TOKEN", "whoever")
    monkeypatch.chdir(tmp_path)
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(portal.client.app, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=asyncio.run, args=(server.serve([listening]),), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    listening.close()


def test_a_folder_arrives_over_a_line_that_breaks(
    portal: Site, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "Meitner^Lise"
    instances(folder, "far")
    (folder / "big").write_bytes(os.urandom(PART_BYTES))
    line = portal.client.app
    assert isinstance(line, Line)
    line.cuts = True
    assert main(["submit", str(folder), "--to", address]) == 0
    assert sorted(line.sent.values()) == [2, 2]
    [upload] = portal.deployment.uploads.mine("default", "p-1", limit=5)
    assert upload.name == "Meitner^Lise" and "/t/default/upload shows" in capsys.readouterr().err
    store = portal.deployment.blobs.tenant("default")
    with store.open(upload.key) as stream, zipfile.ZipFile(stream) as archive:
        assert {info.filename: archive.read(info) for info in archive.infolist()} == {
            path.name: path.read_bytes() for path in folder.iterdir()
        }


def test_it_goes_on_where_it_stopped_and_waits_for_the_end(
    portal: Site, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = tmp_path / "x.zip"
    with zipfile.ZipFile(study, "w") as archive:
        archive.writestr("a", os.urandom(2 * PART_BYTES))
    desk, line = portal.deployment.uploads, portal.client.app
    assert isinstance(line, Line)

    wish = Wish(
        name="x.zip",
        fingerprint=fingerprint_of({"x.zip": study}),
        files=1,
        size_bytes=study.stat().st_size,
    )
    begun = desk.begin("default", "p-1", wish)
    data = study.read_bytes()[:PART_BYTES]
    with desk.receive(begun, desk.part(begun, 1, hashlib.sha256(data).hexdigest())) as sink:
        sink.write([data])
        sink.finish()

    def take() -> None:
        while not portal.deployment.intake.step("default"):
            time.sleep(0.1)

    taking = threading.Thread(target=take, daemon=True)
    taking.start()
    assert main(["submit", str(study), "--to", address, "--wait"]) == 4
    taking.join()
    assert sorted(path.rpartition("/")[2] for path in line.sent) == ["2", "3"]
    assert "was rejected: entry: no DICOM instance among its 1 files" in capsys.readouterr().err


def test_what_cannot_be_sent_is_said(
    portal: Site,
    address: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study = tmp_path / "x.zip"
    with zipfile.ZipFile(study, "w") as archive:
        archive.writestr("a", "a")
    typed = ["submit", str(study), "--to"]
    assert main([*typed, "http://bedside.example"]) == 2
    assert "would travel in the clear" in capsys.readouterr().err
    assert main([*typed, "bedside.example"]) == 2
    assert main(["submit", str(study), "--token-file", str(study)]) == 2
    portal.gate.person = VIEWER
    assert main([*typed, address]) == 7
    assert "no right to send" in capsys.readouterr().err
    portal.gate.person = None
    assert main([*typed, address]) == 7
    monkeypatch.delenv("BEDSIDE_TOKEN")
    assert main([*typed, address]) == 7
    assert "there is no token" in capsys.readouterr().err
