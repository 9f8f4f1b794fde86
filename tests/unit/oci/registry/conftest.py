"""A registry, a proxy before it, small container images, and a client without patience."""

import gzip
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bedside.oci.descriptor import CONFIG, LAYER_GZIP, MANIFEST, Descriptor
from bedside.oci.parts import Assembled, Part
from bedside.oci.registry import Nobody, Options, Policy, Registries
from registries import Proxy, run_registry

#: Waits that a test does not feel.
HASTY = Options(policy=Policy(first_wait_s=0.001, longest_wait_s=0.01))


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The host of a docker-registry that anybody may push to."""
    with run_registry(tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture
def proxy(registry: str) -> Iterator[Proxy]:
    """A proxy before the registry that passes everything on until it is told otherwise."""
    with Proxy(registry).running() as running:
        yield running


@pytest.fixture
def registries() -> Iterator[Registries]:
    """A client with nobody's credentials."""
    with Registries(Nobody(), HASTY) as opened:
        yield opened


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A repository of this test's own."""
    return f"tests/{request.node.name.lower().translate(str.maketrans('[]', '--')).strip('-')}"


MakeImage = Callable[..., Assembled]


@pytest.fixture
def make_image(tmp_path: Path) -> MakeImage:
    """Make container images of one random layer each, or more."""
    return lambda size_bytes=100_000, layers=1, **document: make(tmp_path, size_bytes, layers, document)


def make(
    folder: Path, size_bytes: int = 100_000, layers: int = 1, document: dict[str, object] | None = None
) -> Assembled:
    """Return a container image whose parts lie in a folder."""
    blobs = [part_of(folder, gzip.compress(os.urandom(size_bytes), 0), LAYER_GZIP) for _ in range(layers)]
    config = part_of(
        folder,
        json.dumps({"architecture": "amd64", "os": "linux", "at": os.urandom(8).hex()}).encode(),
        CONFIG,
    )
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor.to_json(),
            "layers": [blob.descriptor.to_json() for blob in blobs],
            **(document or {}),
        }
    ).encode()
    return Assembled(manifest=manifest, descriptor=Descriptor.of(manifest, MANIFEST), parts=(config, *blobs))


def part_of(folder: Path, data: bytes, media_type: str) -> Part:
    """Return a part that lies in a folder."""
    descriptor = Descriptor.of(data, media_type)
    path = folder / descriptor.hex
    path.write_bytes(data)
    return Part(descriptor=descriptor, path=path)
