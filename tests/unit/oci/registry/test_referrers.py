"""What belongs to a container image, with and without the registry's help; and tags in pages."""

import json

import pytest

from bedside.oci.descriptor import EMPTY, INDEX, MANIFEST, Descriptor
from bedside.oci.parts import Assembled
from bedside.oci.reference import Reference
from bedside.oci.registry import Registries, push, referrers
from bedside.oci.registry.push import pushing
from bedside.oci.registry.referrers import fallback_tag
from registries import Add, Proxy, Say

pytestmark = pytest.mark.needs("docker-registry")
SBOM = "application/spdx+json"


def about(image: Assembled, blob_of: Assembled, artifact_type: str = SBOM) -> Assembled:
    """Return an artifact whose subject is an image."""
    config = blob_of.parts[0]
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": artifact_type,
            "config": config.descriptor.to_json(),
            "layers": [config.descriptor.to_json()],
            "subject": image.descriptor.to_json(),
            "annotations": {"of": "tests"},
        }
    ).encode()
    return Assembled(manifest=manifest, descriptor=Descriptor.of(manifest, MANIFEST), parts=(config,))


def push_by_digest(assembled: Assembled, host: str, name: str, registries: Registries) -> None:
    push(assembled, Reference(host=host, repository=name, digest=assembled.descriptor.digest), registries)


def test_a_registry_that_keeps_no_referrers(registry, name, registries, make_image) -> None:
    image = make_image()
    place = Reference(host=registry, repository=name, tag="1")
    repository = registries.at(place)
    push(image, place, registries)
    assert referrers(repository, image.descriptor.digest) == []
    sbom, signature = about(image, make_image()), about(image, make_image(), "application/signature")
    for artifact in (sbom, signature, sbom):
        push_by_digest(artifact, registry, name, registries)
    found = referrers(repository, image.descriptor.digest)
    assert [one.digest for one in found] == [sbom.descriptor.digest, signature.descriptor.digest]
    assert found[0].artifact_type == SBOM
    assert found[0].annotations == {"of": "tests"}
    only = referrers(repository, image.descriptor.digest, "application/signature")
    assert [one.digest for one in only] == [signature.descriptor.digest]
    # Where any other client looks for it.
    tag = repository.manifest(image.descriptor.digest.replace(":", "-"))
    assert tag.descriptor.media_type == INDEX
    assert sorted(repository.tags()) == ["1", fallback_tag(image.descriptor.digest)]


def test_several_are_entered_at_once(proxy: Proxy, name, registries, make_image) -> None:
    image = make_image()
    place = Reference(host=proxy.host, repository=name, tag="1")
    both = [about(image, make_image()), about(image, make_image(), "application/signature")]
    push(image, place, registries)
    with pushing(place, registries) as under_way:
        under_way.start(*(part for one in both for part in one.parts))
        under_way.finish()
        under_way.put(both)
    assert proxy.sent("PUT", fallback_tag(image.descriptor.digest)) == 1
    found = referrers(registries.at(place), image.descriptor.digest)
    assert [one.digest for one in found] == [one.descriptor.digest for one in both]


def test_a_registry_that_keeps_them_is_left_to_it(proxy: Proxy, name, registries, make_image) -> None:
    image = make_image()
    artifact = about(image, make_image())
    listed = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {**artifact.descriptor.to_json(), "artifactType": SBOM}
    ]}  # fmt: skip
    page = {**listed, "manifests": []}
    subject = image.descriptor.digest

    def rule(request):
        if request.method == "PUT" and "/manifests/" in request.path:
            return Add({"OCI-Subject": subject})
        if "/referrers/" in request.path:
            first = "page=2" not in request.path
            link = {"Link": f'</v2/{name}/referrers/{subject}?page=2>; rel="next"'} if first else {}
            body = json.dumps(page if first else listed).encode()
            return Say(200, body, {"Content-Type": INDEX, **link})
        return None

    proxy.rule = rule
    push_by_digest(artifact, proxy.host, name, registries)
    assert not proxy.sent("PUT", "sha256-")
    found = referrers(registries.at(Reference(host=proxy.host, repository=name)), subject)
    assert [one.digest for one in found] == [artifact.descriptor.digest]


def test_an_entry_that_another_pusher_overwrote_is_written_again(
    proxy: Proxy, name, registries, make_image
) -> None:
    image = make_image()
    tag = fallback_tag(image.descriptor.digest)
    # The first write is answered and lost.
    proxy.rule = lambda r: (
        Say(201, b"", {"Docker-Content-Digest": lost[0]})
        if r.method == "PUT" and tag in r.path and not r.seen
        else None
    )
    artifact = about(image, make_image())
    entry = {**artifact.descriptor.to_json(), "annotations": {"of": "tests"}, "artifactType": SBOM}
    document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
    lost = [Descriptor.of(json.dumps(document, separators=(",", ":")).encode(), INDEX).digest]
    push_by_digest(artifact, proxy.host, name, registries)
    found = referrers(registries.at(Reference(host=proxy.host, repository=name)), image.descriptor.digest)
    assert [one.digest for one in found] == [artifact.descriptor.digest]


def test_a_config_stands_for_a_missing_type(registry, name, registries, make_image) -> None:
    image, other = make_image(), make_image()
    document = json.loads(about(image, other).manifest)
    del document["artifactType"]
    manifest = json.dumps(document).encode()
    old = Assembled(manifest=manifest, descriptor=Descriptor.of(manifest, MANIFEST), parts=other.parts[:1])
    push_by_digest(old, registry, name, registries)
    (found,) = referrers(registries.at(Reference(host=registry, repository=name)), image.descriptor.digest)
    assert found.artifact_type == other.parts[0].descriptor.media_type != EMPTY


def test_tags_come_in_pages(proxy: Proxy, name, registries) -> None:
    pages = [(["a", "b"], 'last=b>; rel="next"'), (["c"], "")]

    def rule(request):
        tags, link = pages[1 if "last=b" in request.path else 0]
        headers = {"Link": f"</v2/{name}/tags/list?n=2&{link}"} if link else {}
        return Say(200, json.dumps({"name": name, "tags": tags}).encode(), headers)

    proxy.rule = rule
    repository = registries.at(Reference(host=proxy.host, repository=name))
    assert list(repository.tags()) == ["a", "b", "c"]
    proxy.rule = lambda r: Say(200, b'{"name":"x","tags":null}')
    assert list(repository.tags()) == []
