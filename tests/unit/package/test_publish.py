"""A MAP on its way into a registry: what a cut leaves there, and in which order things come."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bedside.errors import NotFound, Unavailable
from bedside.oci.cache import LayerCache
from bedside.oci.manifest import artifact
from bedside.oci.reference import Reference
from bedside.oci.registry import Nobody, Options, Policy, Registries, referrers
from bedside.package.publish import Publication, Target, publish
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
