"""Sending studies from a real browser: folders, cut lines, reloads, pauses, and plain words at the end."""

import asyncio
import base64
import hashlib
import io
import os
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from starlette.types import ASGIApp, Receive, Scope, Send

from clouds import Cloud
from portal_site import SETTINGS, Site, site

pytestmark = pytest.mark.needs("chromium")

Serve = Callable[[Site], str]
#: Longer than the slowest sending on a busy machine.
PATIENCE_MS = 30_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of two parts: deep, with odd names, an empty file, and what systems leave."""
    made = tmp_path / "Müller Änne" / "CT"
    (made / "deep" / "er").mkdir(parents=True)
    for n in range(20):
        (made / f"IM{n:04d}").write_bytes(os.urandom(450_000 + n))
    (made / "deep" / "er" / "Schädel – 1.dcm").write_bytes(os.urandom(100))
    (made / "empty").write_bytes(b"")
    (made / "DICOMDIR").write_bytes(b"directory")
    (made / ".DS_Store").write_bytes(b"junk")
    (made / "deep" / "._IM0001").write_bytes(b"junk")
    return made.parent


def content(folder: Path) -> dict[str, str]:
    """What shall arrive: names below the folder's own, and hashes."""
    return {
        f"{folder.name}/{path.relative_to(folder).as_posix()}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in (".DS_Store", "._IM0001")
    }


def arrived(site: Site) -> dict[str, str]:
    """What came to the drop-box, unpacked by Python's own library, which checks each CRC."""
    store = site.deployment.blobs.tenant("default")
    [key] = [blob.key for blob in store.list("input/") if blob.key.endswith(".zip")]
    with zipfile.ZipFile(io.BytesIO(store.get(key))) as archive:
        assert archive.testzip() is None
        return {info.filename: hashlib.sha256(archive.read(info)).hexdigest() for info in archive.infolist()}


@dataclass
class Line:
    """The line between browser and portal: counts parts, and cuts or holds some of them half-way.

    Attributes:
        app: What answers.
        cuts: Numbers of parts whose line is cut, once each.
        holds: Numbers of parts that are held until `let_go` is called.
        sent: How often each part began to come.
        held: Numbers of the parts that are held now.
    """

    app: ASGIApp
    cuts: set[int] = field(default_factory=set)
    holds: set[int] = field(default_factory=set)
    sent: Counter[int] = field(default_factory=Counter)
    held: set[int] = field(default_factory=set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "PUT" or "/parts/" not in scope["path"]:
            await self.app(scope, receive, send)
            return
        number = int(scope["path"].rpartition("/")[2])
        self.sent[number] += 1
        if number in self.cuts:
            self.cuts.remove(number)
            await receive()
            return  # without an answer: the server closes the line
        while number in self.holds:
            self.held.add(number)
            await asyncio.sleep(0.02)
        self.held.discard(number)
        await self.app(scope, receive, send)

    def let_go(self) -> None:
        self.holds = set()


@pytest.fixture
def line(portal: Site) -> Line:
    made = Line(portal.client.app)
    portal.client.app = made
    return made


def until(page: Page, holds: Callable[[], bool]) -> None:
    """Wait for something that happens at the server, while the browser goes on."""
    give_up = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < give_up
        page.wait_for_timeout(20)


def listed(page: Page, tag: str) -> None:
    expect(page.locator("#list .tag").first).to_have_text(tag, timeout=PATIENCE_MS)


def test_a_folder_survives_a_cut_line(
    portal: Site, line: Line, served: Serve, page: Page, folder: Path
) -> None:
    line.cuts = {1, 2}
    page.goto(f"{served(portal)}/t/default/upload")
    page.set_input_files("#folder", folder)
    expect(page.locator("#said")).to_contain_text("2 system files")
    expect(page.locator("#active progress")).to_have_attribute("aria-label", "Progress of Müller Änne")
    listed(page, "Received")
    assert line.sent == {1: 2, 2: 2}
    assert arrived(portal) == content(folder)
    expect(page.locator("#list h3").first).to_have_text("Müller Änne")
    expect(page.locator("#sending")).to_be_hidden()


def test_without_a_connection_it_waits_and_goes_on(
    portal: Site, line: Line, served: Serve, page: Page, folder: Path
) -> None:
    line.holds = {2}
    page.goto(f"{served(portal)}/t/default/upload")
    page.set_input_files("#folder", folder)
    until(page, lambda: line.held == {2})
    page.context.set_offline(True)
    expect(page.locator("#active .words")).to_have_text(
        "No connection. It goes on by itself when the connection is back."
    )
    line.let_go()
    page.context.set_offline(False)
    listed(page, "Received")
    assert line.sent == {1: 1, 2: 2}
    assert arrived(portal) == content(folder)


def test_after_a_reload_only_missing_parts_are_sent(
    portal: Site, line: Line, served: Serve, page: Page, folder: Path
) -> None:
    line.holds = {2}
    page.goto(f"{served(portal)}/t/default/upload")
    page.set_input_files("#folder", folder)
    desk = portal.deployment.uploads

    def one_is_there() -> bool:
        mine = desk.mine("default", "p-1", limit=1)
        return bool(mine) and [part.number for part in desk.parts(mine[0])] == [1]

    until(page, one_is_there)
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    listed(page, "Unfinished")
    expect(page.locator("#list")).to_contain_text("8.4 MB of 9.0 MB are here")
    line.sent.clear()
    page.set_input_files("#folder", folder)
    expect(page.locator("#active .hint")).to_have_text(
        "Going on where it stopped: 8.4 MB of 9.0 MB were here already."
    )
    until(page, lambda: sum(line.sent.values()) == 1)
    line.let_go()
    listed(page, "Received")
    assert line.sent == {2: 1}
    assert arrived(portal) == content(folder)
    assert len(desk.mine("default", "p-1", limit=5)) == 1


def test_a_person_pauses_goes_on_and_cancels(
    portal: Site, line: Line, served: Serve, page: Page, folder: Path
) -> None:
    line.holds = {1, 2}
    page.goto(f"{served(portal)}/t/default/upload")
    page.set_input_files("#folder", folder)
    until(page, lambda: line.held == line.holds)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#active .words")).to_contain_text("Paused")
    page.wait_for_timeout(300)
    assert line.sent == {1: 1, 2: 1}
    page.get_by_role("button", name="Resume").click()
    until(page, lambda: line.sent == {1: 2, 2: 2})
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Cancel").first.click()
    listed(page, "Cancelled")
    line.let_go()
    assert list((portal.deployment.root / "default").glob(".bedside-uploads/*")) == []


def test_a_rejected_zip_says_why_while_one_looks(
    portal: Site, served: Serve, page: Page, tmp_path: Path
) -> None:
    wrong = tmp_path / "holiday.zip"
    with zipfile.ZipFile(wrong, "w") as archive:
        archive.writestr("beach.jpg", b"sand")
    (tmp_path / "again.dcm").write_bytes(b"x" * 100)
    page.goto(f"{served(portal)}/t/default/upload")
    page.set_input_files("#files", [wrong, tmp_path / "again.dcm"])
    expect(page.locator("#list li")).to_have_count(2)
    listed(page, "Received")
    portal.deployment.intake.step("default")
    listed(page, "Not usable")
    reason = page.locator("#list .notice").first
    expect(reason).to_contain_text("There are no DICOM images in it.")
    expect(reason).to_contain_text("Check that you chose the folder of the study.")
    reason.locator("summary").click()
    expect(reason.locator("details p[lang=en]")).to_have_text("entry: no DICOM instance among its 1 files")
    store = portal.deployment.blobs.tenant("default")
    sent = {store.get(b.key) for b in store.list("rejected/") if b.key.endswith(".zip")}
    assert wrong.read_bytes() in sent  # a ZIP is sent as it is


def test_a_dropped_folder_is_walked_through(portal: Site, served: Serve, page: Page) -> None:
    """Chromium lets no test drop a real folder, so the entries of one are made by hand."""
    page.goto(f"{served(portal)}/t/default/upload")
    page.evaluate(
        """async () => {
            const file = (name, text) => ({ isFile: true, fullPath: `/study/${name}`,
                file: (take) => take(new File([text], name.split('/').pop(), { lastModified: 1 })) });
            const folder = (...inside) => ({ isFile: false, createReader: () => {
                const left = inside.map((one) => [one]).concat([[]]);
                return { readEntries: (take) => take(left.shift()) }; } });
            const study = folder(file('a', 'A'), folder(file('b/c', 'C'), file('b/.DS_Store', '?')));
            const drop = new Event('drop', { bubbles: true, cancelable: true });
            drop.dataTransfer = { types: ['Files'], files: [], items: [{ webkitGetAsEntry: () => study }] };
            document.dispatchEvent(drop);
        }"""
    )
    listed(page, "Received")
    hashes = {name: hashlib.sha256(text).hexdigest() for name, text in (("a", b"A"), ("b/c", b"C"))}
    assert arrived(portal) == {f"study/{name}": sha256 for name, sha256 in hashes.items()}


def test_hashes_and_archives_are_those_of_the_standards(portal: Site, served: Serve, page: Page) -> None:
    page.goto(f"{served(portal)}/t/default/upload")
    data = bytes(range(256)) * 3
    lengths = [0, 1, 55, 56, 63, 64, 65, 119, 120, 700]
    found = page.evaluate(
        """async ({ lengths }) => {
            const { byHand, sha256 } = await import('/static/upload/sha256.js');
            const { crc32 } = await import('/static/upload/crc32.js');
            const all = Uint8Array.from({ length: 768 }, (_, n) => n % 256);
            const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
            return Promise.all(lengths.map(async (n) => {
                const some = all.slice(0, n);
                return [hex(byHand(some)), await sha256(some),
                    crc32(some.subarray(3), crc32(some.subarray(0, 3)))];
            }));
        }""",
        {"lengths": lengths},
    )
    for length, (by_hand, by_browser, crc) in zip(lengths, found, strict=True):
        expected = hashlib.sha256(data[:length]).hexdigest()
        assert (by_hand, by_browser, crc) == (expected, expected, zlib.crc32(data[:length])), length


def test_an_archive_of_very_many_files_is_zip64(portal: Site, served: Serve, page: Page) -> None:
    page.goto(f"{served(portal)}/t/default/upload")
    text: str = page.evaluate(
        """async () => {
            const { Archive, Parts } = await import('/static/upload/archive.js');
            const files = Array.from({ length: 65540 }, (_, n) => ({ path: `${n}`, file: new Blob([]) }));
            files[7].file = new Blob(['seven']);
            const parts = new Parts(new Archive(files), 1000003);
            const all = [];
            for (let part; (part = await parts.next()); ) all.push(part.bytes);
            return new Promise((read) => {
                const reader = new FileReader();
                reader.onload = () => read(reader.result.split(',')[1]);
                reader.readAsDataURL(new Blob(all));
            });
        }"""
    )
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(text))) as archive:
        assert len(archive.infolist()) == 65540 and archive.read("7") == b"seven"


def test_parts_go_from_the_page_straight_to_a_bucket(
    cloud: Cloud, tmp_path: Path, served: Serve, page: Page, folder: Path
) -> None:
    bucket = f'\n[store]\nurl = "s3://{cloud.bucket()}"\n'
    with site(tmp_path, SETTINGS + bucket) as opened:
        line = Line(opened.client.app)
        opened.client.app = line
        asked: list[str] = []
        page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
        page.goto(f"{served(opened)}/t/default/upload")
        page.set_input_files("#folder", folder)
        listed(page, "Received")
        puts = [one for one in asked if one.startswith("PUT ")]
        assert len(puts) == 2 and all(one.startswith(f"PUT {cloud.url}/") for one in puts)
        assert not line.sent and not any("ller" in one for one in puts)
        assert arrived(opened) == content(folder)
