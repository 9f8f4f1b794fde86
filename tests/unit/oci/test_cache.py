"""The cache of layers: known layers cost no reading, damage is noticed, several processes share it."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedside.errors import ConfigError, Unavailable
from bedside.oci import storage
from bedside.oci.cache import IN_USE_S, LayerCache, cache_folder
from bedside.oci.compress import Compression
from bedside.oci.layer import bake
from bedside.oci.parts import Entry, Recipe


def recipe(content: bytes, key: str, calls: list[str] | None = None) -> Recipe:
    def make() -> Iterator[Entry]:
        if calls is not None:
            calls.append(key)
        yield Entry(path="f", content=content)

    return Recipe(key=key, comment="", entries=make)


@pytest.fixture
def cache(tmp_path: Path) -> LayerCache:
    return LayerCache(tmp_path / "cache")


def test_known_key_reads_nothing(cache: LayerCache) -> None:
    calls: list[str] = []
    first = bake(recipe(b"1", "k", calls), cache=cache)
    assert bake(recipe(b"ignored", "k", calls), cache=cache) == first
    assert calls == ["k"]
    bake(recipe(b"1", "k", calls), cache=cache, compression=Compression.ZSTD)
    bake(recipe(b"1", "other", calls), cache=cache)
    assert calls == ["k", "k", "other"]


@pytest.mark.parametrize("damage", ["changed", "cut", "gone", "record"])
def test_damage_is_noticed_and_made_good(cache: LayerCache, damage: str) -> None:
    calls: list[str] = []
    layer = bake(recipe(b"1" * 1000, "k", calls), cache=cache)
    blob, good = layer.part.path, layer.part.path.read_bytes()
    if damage == "record":
        next((cache.root / "layers").iterdir()).write_text("{")
    else:
        blob.unlink()
        if damage != "gone":
            blob.write_bytes(good[:-1] + b"\1" if damage == "changed" else good[:-1])
    assert bake(recipe(b"1" * 1000, "k", calls), cache=cache) == layer
    assert blob.read_bytes() == good
    assert calls == ["k", "k"]


def test_touched_blob_is_read_again_and_kept(cache: LayerCache) -> None:
    calls: list[str] = []
    layer = bake(recipe(b"1", "k", calls), cache=cache)
    os.utime(layer.part.path, (1, 1))
    assert bake(recipe(b"1", "k", calls), cache=cache) == layer
    assert calls == ["k"]


def test_sweep_removes_what_was_not_used_for_longest(tmp_path: Path) -> None:
    now = [1e9]
    cache = LayerCache(tmp_path / "cache", now=lambda: now[0])
    layers = [bake(recipe(os.urandom(1000), f"k{n}"), cache=cache) for n in range(3)]
    records = {p: p.stat() for p in (cache.root / "layers").iterdir()}
    assert len(records) == 3
    for number, layer in enumerate(layers):
        for record in records:
            if layer.part.descriptor.digest in record.read_text():
                os.utime(record, (1e9 + number, 1e9 + number))
    now[0] = 1e9 + IN_USE_S / 2
    assert cache.sweep(limit_bytes=0) == 0, "what is in use stays"
    now[0] = 1e9 + IN_USE_S + 10
    sizes = [layer.part.descriptor.size_bytes for layer in layers]
    assert cache.sweep(limit_bytes=sizes[1] + sizes[2]) == sizes[0]
    assert [layer.part.path.exists() for layer in layers] == [False, True, True]
    assert cache.known("anything") is None
    assert cache.clear() == sizes[1] + sizes[2]


def test_sweep_looks_now_and_then(tmp_path: Path) -> None:
    now = [1e9]
    cache = LayerCache(tmp_path / "cache", now=lambda: now[0])
    assert cache.sweep(pause_s=600) == 0
    layer = bake(recipe(os.urandom(1000), "k"), cache=cache)
    for record in (cache.root / "layers").iterdir():
        os.utime(record, (1e9 - 2 * IN_USE_S, 1e9 - 2 * IN_USE_S))
    now[0] += 599
    assert cache.sweep(limit_bytes=0, pause_s=600) == 0
    now[0] += 1
    assert cache.sweep(limit_bytes=0, pause_s=600) == layer.part.descriptor.size_bytes


def test_several_processes_make_a_layer_once(tmp_path: Path) -> None:
    script = """
import sys, time
from pathlib import Path
from bedside.oci.cache import LayerCache
from bedside.oci.layer import bake
from bedside.oci.parts import Entry, Recipe
root = Path(sys.argv[1])
def make():
    with (root / "calls").open("a") as stream:
        stream.write("made\\n")
    time.sleep(0.3)
    return [Entry(path="f", content=b"1" * 100000)]
layer = bake(Recipe(key="k", comment="", entries=make), cache=LayerCache(root / "cache"))
print(layer.part.descriptor.digest)
"""
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = {process.communicate()[0].strip() for process in running}
    assert [process.returncode for process in running] == [0] * 4
    assert len(said) == 1
    assert (tmp_path / "calls").read_text() == "made\n"


def test_full_disk_leaves_nothing_and_says_so(cache: LayerCache, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> Iterator[Entry]:
        yield Entry(path="f", content=b"1")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(Unavailable, match=r"the disk is full, \d+ MiB are free"):
        bake(Recipe(key="k", comment="", entries=full), cache=cache)
    assert [p for p in cache.root.rglob("*") if p.is_file() and storage.TEMPORARY in p.name] == []
    assert cache.known("k") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_that_must_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError):
        LayerCache(tmp_path / "cache").add(b"1", "text/plain")


def test_cache_folder_follows_the_environment() -> None:
    assert cache_folder({"HOME": "/h"}) == Path("/h/.cache/bedside")
    assert cache_folder({"HOME": "/h", "XDG_CACHE_HOME": "/x"}) == Path("/x/bedside")
    assert cache_folder({"HOME": "/h", "XDG_CACHE_HOME": "/x", "BEDSIDE_CACHE": "/b"}) == Path("/b")
