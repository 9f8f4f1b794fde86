"""Pushing to and pulling from a real docker-registry."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bedside.errors import BedsideError, NotFound
from bedside.oci.descriptor import INDEX, Descriptor, Platform
from bedside.oci.layout import OciLayout
from bedside.oci.parts import Assembled, Origin
from bedside.oci.reference import Reference
from bedside.oci.registry import Progress, Pulling, Registries, Step, pull, push, read_blob, remote
from registries import Proxy

pytestmark = pytest.mark.needs("docker-registry")


def at(host: str, name: str, tag: str = "1") -> Reference:
    return Reference(host=host, repository=name, tag=tag)


def test_what_is_pushed_is_what_others_read(registry, name, registries, make_image) -> None:
    image = make_image(layers=3)
    pushed = push(image, at(registry, name), registries)
    assert pushed == image.descriptor
    fetched = registries.at(at(registry, name)).manifest("1")
    assert fetched.data == image.manifest
    assert fetched.descriptor.digest == image.descriptor.digest
    assert list(registries.at(at(registry, name)).tags()) == ["1"]


@pytest.mark.needs("skopeo")
def test_skopeo_reads_it(registry, name, registries, make_image, tmp_path) -> None:
    image = make_image(layers=2)
    push(image, at(registry, name), registries)
    words = ["skopeo", "inspect", "--tls-verify=false", "--raw", f"docker://{registry}/{name}:1"]
    raw = subprocess.run(words, check=True, capture_output=True, cwd=tmp_path).stdout
    assert raw == image.manifest
    # skopeo checks every blob's digest as it copies.
    words = [
        "skopeo",
        "copy",
        "--src-tls-verify=false",
        f"docker://{registry}/{name}:1",
        f"dir:{tmp_path}/copied",
    ]
    subprocess.run(words, check=True, capture_output=True, cwd=tmp_path)


def test_a_second_push_sends_no_blob(proxy: Proxy, name, registries, make_image) -> None:
    image = make_image(layers=3)
    push(image, at(proxy.host, name), registries)
    assert proxy.sent("PUT", "/blobs/uploads/") == 4
    sent = proxy.body_bytes
    told: list[Progress] = []
    push(image, at(proxy.host, name, "2"), registries, told.append)
    assert proxy.sent("PUT", "/blobs/uploads/") == 4
    assert proxy.body_bytes - sent == len(image.manifest)
    assert [one.step for one in told] == [Step.PRESENT] * 4 + [Step.DONE]


def test_one_changed_layer_is_the_only_one_sent(proxy: Proxy, name, registries, make_image, tmp_path) -> None:
    image, other = make_image(layers=3, size_bytes=400_000), make_image()
    push(image, at(proxy.host, name), registries)
    before = proxy.body_bytes
    document = json.loads(image.manifest)
    document["layers"].append(other.parts[1].descriptor.to_json())
    manifest = json.dumps(document).encode()
    changed = Assembled(
        manifest=manifest,
        descriptor=Descriptor.of(manifest, image.descriptor.media_type),
        parts=(*image.parts, other.parts[1]),
    )
    push(changed, at(proxy.host, name), registries)
    assert proxy.body_bytes - before <= 1.05 * other.parts[1].descriptor.size_bytes + len(manifest)


def test_the_manifest_goes_last(proxy: Proxy, name, registries, make_image) -> None:
    push(make_image(layers=4), at(proxy.host, name), registries)
    writes = [request.path for request in proxy.requests if request.method in ("PUT", "POST")]
    assert "/manifests/" in writes[-1]
    assert not any("/manifests/" in path for path in writes[:-1])


def test_no_upload_is_in_pieces(proxy: Proxy, name, registries, make_image) -> None:
    push(make_image(size_bytes=6_000_000), at(proxy.host, name), registries)
    assert not proxy.sent("PATCH", "")
    lengths = [r.headers.get("Content-Length") for r in proxy.requests if r.method == "PUT"]
    assert all(lengths)


def test_a_base_is_mounted(proxy: Proxy, name, registries, make_image, tmp_path) -> None:
    base = make_image(size_bytes=300_000)
    push(base, at(proxy.host, f"{name}-base"), registries)
    before = proxy.body_bytes
    origin = Origin(host=proxy.host, repository=f"{name}-base")
    # As a base in a registry comes: no file, only an origin.
    derived = replace(base, parts=tuple(replace(part, path=None, origin=origin) for part in base.parts))
    told: list[Progress] = []
    push(derived, at(proxy.host, name), registries, told.append)
    assert proxy.body_bytes - before == len(base.manifest)
    assert not proxy.sent("GET", "/blobs/")
    assert [one.step for one in told] == [Step.MOUNTED, Step.MOUNTED, Step.DONE]


def test_a_declined_mount_goes_on_in_its_session(proxy: Proxy, name, registries, make_image) -> None:
    image = make_image()
    nowhere = Origin(host=proxy.host, repository="tests/nowhere")
    told: list[Progress] = []
    push(
        replace(image, parts=tuple(replace(part, origin=nowhere) for part in image.parts)),
        at(proxy.host, name),
        registries,
        told.append,
    )
    assert proxy.sent("POST", "/blobs/uploads/") == 2  # the mounts; no session was opened beside theirs
    assert Step.MOUNTED not in {one.step for one in told}
    assert registries.at(at(proxy.host, name)).head("1") == image.descriptor.digest


def test_a_part_of_another_registry_is_fetched_on_the_way(
    registry, proxy: Proxy, name, registries, make_image
) -> None:
    base = make_image()
    push(base, at(registry, f"{name}-base"), registries)
    there = remote(registries.at(at(registry, f"{name}-base")), "1")
    assert all(part.path is None for part in there.parts)
    # The proxy has another host, so nothing can be mounted; a name of its own, so nothing is there.
    push(there, at(proxy.host, name), registries)
    assert registries.at(at(proxy.host, name)).head("1") == base.descriptor.digest


def index_of(*members: Assembled, platforms: tuple[str, ...]) -> Assembled:
    described = tuple(
        replace(m, descriptor=replace(m.descriptor, platform=Platform(architecture=p)))
        for m, p in zip(members, platforms, strict=True)
    )
    document = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [m.descriptor.to_json() for m in described],
    }
    data = json.dumps(document).encode()
    return Assembled(manifest=data, descriptor=Descriptor.of(data, INDEX), members=described)


def test_an_index_and_one_of_its_platforms(registry, name, registries, make_image, tmp_path) -> None:
    amd64, arm64 = make_image(), make_image()
    index = index_of(amd64, arm64, platforms=("amd64", "arm64"))
    push(index, at(registry, name), registries)
    whole = remote(registries.at(at(registry, name)), "1")
    assert whole.manifest == index.manifest
    assert [m.descriptor.digest for m in whole.members] == [amd64.descriptor.digest, arm64.descriptor.digest]
    layout = OciLayout(tmp_path / "layout")
    found = pull(
        at(registry, name), layout, registries, Pulling(platform=Platform(architecture="arm64"), tag="mine")
    )
    assert found.digest == arm64.descriptor.digest
    assert layout.resolve("mine").digest == arm64.descriptor.digest
    assert not layout.blob(amd64.parts[1].descriptor.digest).exists()
    with pytest.raises(NotFound, match="nothing for linux/riscv64; there is linux/amd64, linux/arm64"):
        remote(registries.at(at(registry, name)), "1", Platform(architecture="riscv64"))


def test_a_pull_brings_everything_whole(registry, name, registries, make_image, tmp_path) -> None:
    image = make_image(layers=5)
    push(image, at(registry, name), registries)
    layout = OciLayout(tmp_path / "layout")
    found = pull(at(registry, name), layout, registries, Pulling(tag="1"))
    assert found.digest == image.descriptor.digest
    assert layout.verify() == []
    assert layout.read(found) == image.manifest
    assert not list((tmp_path / "layout").rglob(".writing*"))


def test_a_second_pull_fetches_no_blob(proxy: Proxy, name, registries, make_image, tmp_path) -> None:
    image = make_image(layers=2)
    push(image, at(proxy.host, name), registries)
    layout = OciLayout(tmp_path / "layout")
    pull(at(proxy.host, name), layout, registries)
    fetched = proxy.sent("GET", "/blobs/")
    assert fetched == 3
    pull(at(proxy.host, name), layout, registries)
    assert proxy.sent("GET", "/blobs/") == fetched


def test_by_digest(registry, name, registries, make_image, tmp_path) -> None:
    image = make_image()
    reference = at(registry, name).at(image.descriptor.digest)
    push(image, reference, registries)  # no tag at all
    assert pull(reference, OciLayout(tmp_path / "layout"), registries).digest == image.descriptor.digest
    wrong = at(registry, name).at("sha256:" + "0" * 64)
    with pytest.raises(NotFound, match="MANIFEST_UNKNOWN"):
        pull(wrong, OciLayout(tmp_path / "layout"), registries)
    with pytest.raises(BedsideError, match="has the digest"):
        push(image, wrong, registries)


def test_small_questions(registry, name, registries, make_image) -> None:
    image = make_image()
    repository = registries.at(at(registry, name))
    with pytest.raises(NotFound, match="no such repository"):
        list(repository.tags())
    assert repository.head("1") is None
    push(image, at(registry, name), registries)
    assert repository.head("1") == image.descriptor.digest
    config = image.parts[0]
    assert config.path is not None
    assert read_blob(repository, config.descriptor) == config.path.read_bytes()
    repository.delete(image.descriptor.digest)
    assert repository.head("1") is None
    with pytest.raises(NotFound):
        repository.delete(image.descriptor.digest)


def test_a_part_that_is_nowhere(registry, name, registries, make_image) -> None:
    image = make_image()
    nowhere = replace(image, parts=tuple(replace(part, path=None) for part in image.parts))
    with pytest.raises(BedsideError, match="neither a file nor a place"):
        push(nowhere, at(registry, name), registries)
    assert registries.at(at(registry, name)).head("1") is None


def test_a_changed_file_is_not_sent(registry, name, registries, make_image, tmp_path: Path) -> None:
    image = make_image()
    path = image.parts[1].path
    data = bytearray(path.read_bytes())
    data[500] ^= 1
    path.write_bytes(data)
    with pytest.raises(BedsideError, match="is not blob") as caught:
        push(image, at(registry, name), registries)
    assert str(path) in caught.value.message
    path.write_bytes(data[:-1])
    with pytest.raises(BedsideError, match=f"it has {len(data) - 1} bytes, {len(data)} expected"):
        push(image, at(registry, name), registries)
    assert registries.at(at(registry, name)).head("1") is None


def test_registries_are_opened_once(registries: Registries) -> None:
    one = registries.at(Reference.parse("localhost:1/a"))
    assert registries.at(Origin(host="localhost:1", repository="b")).connection is one.connection
