"""MAPs for tests: a tiny one that is only files, made in a moment, and the packaged example bundle."""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bedside.domain.identity import short_id
from bedside.oci.cache import LayerCache
from bedside.oci.compress import Compression
from bedside.oci.descriptor import Platform
from bedside.oci.layer import bake
from bedside.oci.manifest import Making, assemble
from bedside.oci.parts import Assembled, Entry, Recipe
from bedside.oci.storage import locked, write_file

#: Paths of a MAP as every reader expects them, with contents that only a test would write.
TINY_FILES: Mapping[str, bytes] = {
    "etc/holoscan/app.json": b'{"command":"[\\"/opt/holoscan/app/run\\"]","input":{"formats":[]}}',
    "etc/holoscan/pkg.json": b'{"apiVersion":"1.0.0","applicationRoot":"/opt/holoscan/app"}',
    "opt/holoscan/app/run": b"#!/bin/sh\necho read\n",
    "opt/holoscan/models/tiny/model.ts": bytes(range(256)) * 16,
}


def tiny_map(
    folder: Path,
    *,
    files: Mapping[str, bytes] = TINY_FILES,
    compression: Compression = Compression.GZIP,
    architecture: str = "amd64",
    model: bytes = b"",
) -> Assembled:
    """Make a MAP of a few KB in two layers, without an operating system below it.

    Args:
        folder: Takes the cache.
        files: What the lower layer holds.
        compression: Of the layers.
        architecture: What it says it runs on.
        model: Content of the upper layer.
    """
    cache = LayerCache(folder / "cache")
    lower = Recipe(
        key=f"files-{sorted(files.items())}",
        comment="files",
        entries=lambda: [Entry(path=path, content=content, mode=0o755) for path, content in files.items()],
    )
    upper = Recipe(
        key=f"model-{model!r}",
        comment="model",
        entries=lambda: [Entry(path="opt/holoscan/models/upper/model.ts", content=model)],
    )
    layers = [bake(recipe, cache=cache, compression=compression) for recipe in (lower, upper)]
    making = Making(
        config={
            "User": "1000:1000",
            "Env": ["HOLOSCAN_INPUT_PATH=/var/holoscan/input"],
            "Entrypoint": ["/opt/holoscan/app/run"],
            "Labels": {"org.opencontainers.image.title": "tiny"},
        },
        platform=Platform(architecture=architecture),
        annotations={"org.opencontainers.image.title": "tiny"},
    )
    return assemble(layers, making, cache=cache)


def bundle_in(folder: Path, *, weights: bytes = b"weights", name: str = "Tiny model") -> Path:
    """Write a bundle that can be opened and packed, not run; its files in no particular order."""
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    files = {
        "configs/metadata.json": json.dumps(
            {"name": name, "version": "1.2.3", "task": "finds things"}
        ).encode(),
        "configs/inference.json": b'{"path": "models/model.pt"}',
        "models/model.pt": weights,
        "LICENSE": b"Apache License\nVersion 2.0",
        "docs/README.md": b"not part of a release",
    }
    names = list(files)
    random.Random(str(folder)).shuffle(names)
    for one in names:
        (folder / one).parent.mkdir(exist_ok=True)
        (folder / one).write_bytes(files[one])
    return folder


def packaging_cache() -> Path:
    """Folder for base and wheels, kept from one test session to the next: they are 300 MB to fetch."""
    named = os.environ.get("BEDSIDE_TEST_CACHE")
    return Path(named) if named else Path(tempfile.gettempdir()) / f"bedside-test-cache-{os.getuid()}"


def package(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run ``bedside package`` as a person would, with the tests' cache and a lock that mirrors still have."""
    cache = packaging_cache()
    lock = [] if "--base-lock" in arguments else ["--base-lock", str(fresh_lock())]
    return subprocess.run(
        [sys.executable, "-m", "bedside", "package", *map(str, arguments), "--cache", str(cache), *lock],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def fresh_lock() -> Path:
    """Return a lock of Debian packages of today: mirrors forget what the committed one names."""
    from bedside.package.base.mirrors import apt_mirrors
    from bedside.package.base.resolve import LEFT_OUT, WANTED, lock_debian

    cache = packaging_cache()
    place = cache / f"debian-lock-{short_id([WANTED, sorted(LEFT_OUT)])}.json"
    with locked(cache / "debian-lock.lock"):
        if not place.is_file() or place.stat().st_mtime < time.time() - 12 * 3600:
            made = lock_debian(apt_mirrors(), now=datetime.now(UTC))
            write_file(place, made.to_json().encode())
    return place


@pytest.fixture(scope="session")
def example_map(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example bundle, packaged for this machine as an OCI layout with the tag ``1.0.0``."""
    from bedside.phantom.example import example_bundle

    layout = tmp_path_factory.mktemp("example-map") / "layout"
    done = package(example_bundle(), "-o", layout, "--no-prove", "--compression", "zstd")
    assert done.returncode == 0, done.stderr
    return layout
