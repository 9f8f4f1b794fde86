"""MAPs for tests: a tiny one that is only files, made in a moment, and the packaged example bundle."""

from collections.abc import Mapping
from pathlib import Path

from bedside.oci.cache import LayerCache
from bedside.oci.compress import Compression
from bedside.oci.descriptor import Platform
from bedside.oci.layer import bake
from bedside.oci.manifest import Making, assemble
from bedside.oci.parts import Assembled, Entry, Recipe

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
