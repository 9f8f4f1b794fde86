"""A MAP on its way into a registry: what a cut leaves there, and in which order things come."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bedside.errors import ConfigError, NotFound, Unavailable
from bedside.oci.cache import LayerCache
from bedside.oci.manifest import artifact
from bedside.oci.reference import Reference
from bedside.oci.registry import Nobody, Options, Policy, Registries, Repository, referrers
from bedside.package.publish import Publication, Publisher, publish
from bedside.package.targets import Target
from map_samples import tiny_map
from registries import Cut, Proxy, run_registry

pytestmark = pytest.mark.needs("docker-registry")

HASTY = Options(policy=Policy(first_wait_s=0.001, longest_wait_s=0.01))


@dataclass(frozen=True)
class Sending:
    """A MAP with an SBOM and a signature, and a registry behind a proxy."""

    publication: Publication
    cache: LayerCache
    proxy: Proxy
    reference: Reference

    def publish(self) -> None:
        with Registries(Nobody(), HASTY) as registries:
            publish(
                self.publication,
                [Target(reference=self.reference)],
                cache=self.cache,
                registries=registries,
            )


@pytest.fixture
def sending(tmp_path: Path) -> Iterator[Sending]:
    made = tiny_map(tmp_path)
    cache = LayerCache(tmp_path / "cache")
    sbom, signature = (
        artifact(kind, [cache.add(kind.encode(), kind)], cache=cache, subject=made.descriptor)
        for kind in ("application/spdx+json", "application/x-signature")
    )
    publication = Publication(
        assembled=made,
        attached=(sbom,),
        signatures={f"sha256-{made.descriptor.hex}.sig": signature},
        name="tiny:1",
    )
    folder = tmp_path / "registry"
    folder.mkdir()
    with run_registry(folder) as host, Proxy(host).running() as proxy:
        yield Sending(publication, cache, proxy, Reference.parse(f"{proxy.host}/tiny:1"))


def test_everything_is_there_and_the_name_came_last(sending: Sending) -> None:
    sending.publish()
    digest = sending.publication.assembled.descriptor.digest
    with Registries(Nobody(), HASTY) as registries:
        repository = registries.at(sending.reference)
        assert repository.head("1") == digest
        assert [one.artifact_type for one in referrers(repository, digest)].count("application/spdx+json")
    puts = [r.path for r in sending.proxy.requests if r.method == "PUT" and "/manifests/" in r.path]
    assert puts[-1].endswith("/manifests/1")


def test_a_cut_in_the_middle_of_a_layer_leaves_nothing_with_a_name(sending: Sending) -> None:
    layer = sending.publication.assembled.parts[-1].descriptor
    sending.proxy.rule = lambda r: (
        Cut(of_request=10) if r.method == "PUT" and layer.hex in r.path and "/blobs/" in r.path else None
    )
    with pytest.raises(Unavailable):
        sending.publish()
    assert not sending.proxy.sent("PUT", "/manifests/")
    sending.proxy.rule = lambda r: None
    unknown = pytest.raises(NotFound, match="knows no such repository")
    with Registries(Nobody(), HASTY) as registries, unknown:
        list(registries.at(sending.reference).tags())
    sending.publish()
    assert any(re.search("/manifests/1$", r.path) for r in sending.proxy.requests if r.method == "PUT")


def test_blobs_are_on_their_way_before_the_rest_is_made(sending: Sending) -> None:
    """What fails while the rest is made leaves blobs that nothing names."""
    layer = sending.publication.assembled.parts[-1]

    def there(repository: Repository) -> bool:
        deadline = time.monotonic() + 30
        while not repository.has(layer.descriptor) and time.monotonic() < deadline:
            time.sleep(0.01)
        return repository.has(layer.descriptor)

    with Registries(Nobody(), HASTY) as registries:
        targets = [Target(reference=sending.reference), Target(reference=replace(sending.reference, tag="2"))]
        with (
            pytest.raises(ConfigError, match="not made"),
            Publisher(targets, cache=sending.cache, registries=registries) as publisher,
        ):
            publisher.take(layer)
            assert there(registries.at(sending.reference))
            raise ConfigError("not made")
        assert not sending.proxy.sent("PUT", "/manifests/")
        with Publisher(targets, cache=sending.cache, registries=registries) as publisher:
            publisher.take(layer)
            publisher.publish(sending.publication)
        assert sending.proxy.sent("PUT", f"/blobs/.*{layer.descriptor.hex}") == 1, "sent once for all targets"
        assert {registries.at(sending.reference).head(tag) for tag in "12"} == {
            sending.publication.assembled.descriptor.digest
        }
