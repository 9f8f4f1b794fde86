"""A container image in a registry, as parts that can be fetched, mounted or pushed elsewhere.

Owns reading manifests and indexes into `Assembled`, by small requests only: no layer is read. Every
manifest is fetched by the digest that led to it.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bedside.errors import BedsideError, NotFound
from bedside.oci.descriptor import INDEXES, MANIFESTS, Descriptor, Platform
from bedside.oci.parts import Assembled, Part
from bedside.oci.registry.repository import Fetched, Repository


def remote(repository: Repository, pointer: str, platform: Platform | None = None) -> Assembled:
    """Return a container image, index or artifact of a repository; its parts have an origin and no path.

    Args:
        repository: Where it is.
        pointer: Tag or digest.
        platform: Which member of an index; None for the whole index.

    Raises:
        NotFound: no such repository, tag or digest, or nothing for the platform.
    """
    fetched = repository.manifest(pointer)
    if fetched.descriptor.media_type not in INDEXES:
        return _manifest(repository, fetched)
    members = [Descriptor.from_json(entry) for entry in _document(repository, fetched)["manifests"]]
    if platform is not None:
        chosen = choose(members, platform, f"{repository.host}/{repository.name}: {pointer}")
        return remote(repository, chosen.digest)
    return Assembled(
        manifest=fetched.data,
        descriptor=fetched.descriptor,
        members=tuple(_member(repository, descriptor) for descriptor in members),
    )


def choose(members: list[Descriptor], platform: Platform, what: str) -> Descriptor:
    """Return the member of an index for a platform; its variant only counts where one is asked for.

    Raises:
        NotFound: none is for it.
    """
    for member in members:
        own = member.platform
        if (
            own
            and (own.os, own.architecture) == (platform.os, platform.architecture)
            and platform.variant in ("", own.variant)
        ):
            return member
    there = ", ".join(sorted({str(m.platform) for m in members if m.platform})) or "none"
    raise NotFound(
        f"{what}: nothing for {platform}; there is {there}", hint=f"--platform {there.split(',')[0]}"
    )


def _member(repository: Repository, descriptor: Descriptor) -> Assembled:
    found = remote(repository, descriptor.digest)
    return replace(found, descriptor=descriptor)


def _manifest(repository: Repository, fetched: Fetched) -> Assembled:
    if fetched.descriptor.media_type not in MANIFESTS:
        raise BedsideError(
            f"{repository.host}/{repository.name}: {fetched.descriptor.digest} is "
            f"{fetched.descriptor.media_type or 'of no media type'}, which is no container image",
            hint="push it again with a tool of this decade: docker's schema 1 has no digests of its layers",
        )
    document = _document(repository, fetched)
    blobs = [Descriptor.from_json(entry) for entry in (document["config"], *document["layers"])]
    descriptor = replace(
        fetched.descriptor,
        artifact_type=str(document.get("artifactType", "")),
        annotations=document.get("annotations") or {},
    )
    return Assembled(
        manifest=fetched.data,
        descriptor=descriptor,
        parts=tuple(Part(descriptor=blob, origin=repository.origin) for blob in blobs),
    )


def _document(repository: Repository, fetched: Fetched) -> Mapping[str, Any]:
    try:
        document: Mapping[str, Any] = json.loads(fetched.data)
        wanted = ("manifests",) if fetched.descriptor.media_type in INDEXES else ("config", "layers")
        for key in wanted:
            document[key]
    except (ValueError, KeyError, TypeError) as exc:
        digest = fetched.descriptor.digest
        raise BedsideError(
            f"{repository.host}/{repository.name}: manifest {digest} is broken: {exc}"
        ) from exc
    return document
