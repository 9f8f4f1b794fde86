"""What belongs to a container image in a registry: signatures, SBOMs, provenance.

Owns finding and entering referrers. A registry without the referrers endpoint is served by the
specification's fallback: an index under the tag ``sha256-…``, which the pusher keeps up to date. Two
pushers at once could lose an entry there, so it is read again after it was written.
"""

import json
from collections.abc import Sequence
from typing import Any

from bedside.errors import NotFound, Unavailable
from bedside.oci.descriptor import EMPTY, INDEX, Descriptor
from bedside.oci.parts import Assembled
from bedside.oci.registry.call import Call
from bedside.oci.registry.repository import Repository

_ROUNDS = 5


def referrers(repository: Repository, digest: str, artifact_type: str = "") -> list[Descriptor]:
    """Return the manifests whose subject is another one.

    Args:
        repository: Where both are.
        digest: Of the subject.
        artifact_type: Only those of one type; empty for all.
    """
    found = _by_endpoint(repository, digest)
    if found is None:
        found = _by_tag(repository, digest)
    return [one for one in found if not artifact_type or one.artifact_type == artifact_type]


def enter(repository: Repository, referrers: Sequence[Assembled]) -> None:
    """Enter manifests that are in the registry into the fallback indexes of their subjects.

    Raises:
        Unavailable: other pushers were always faster.
    """
    by_subject: dict[str, list[Descriptor]] = {}
    for one in referrers:
        subject = subject_of(one)
        assert subject is not None
        by_subject.setdefault(subject.digest, []).append(_entry(one))
    for digest, own in by_subject.items():
        _enter(repository, digest, own)


def _enter(repository: Repository, digest: str, own: Sequence[Descriptor]) -> None:
    for _ in range(_ROUNDS):
        entries = _by_tag(repository, digest)
        there = {one.digest for one in entries}
        missing = [one for one in own if one.digest not in there]
        if not missing:
            return
        document = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [one.to_json() for one in (*entries, *missing)],
        }
        data = json.dumps(document, separators=(",", ":")).encode()
        repository.put_manifest(Descriptor.of(data, INDEX), data, fallback_tag(digest))
    raise Unavailable(
        f"{repository.host}/{repository.name}: others change {fallback_tag(digest)} at the same time",
        hint="push again",
    )


def fallback_tag(digest: str) -> str:
    """Return the tag under which a subject's referrers are kept: its digest, cut to what a tag may be."""
    algorithm, _, digits = digest.partition(":")
    return f"{algorithm[:32]}-{digits[:64]}"


def subject_of(assembled: Assembled) -> Descriptor | None:
    """Return what a manifest is about, or None."""
    subject = json.loads(assembled.manifest).get("subject")
    return Descriptor.from_json(subject) if subject else None


def _by_endpoint(repository: Repository, digest: str) -> list[Descriptor] | None:
    """Return what the endpoint says, or None where the registry has none."""
    found: list[Descriptor] = []
    url = repository.path(f"referrers/{digest}")
    while url:
        call = Call(
            method="GET",
            url=url,
            subject=repository.subject(f"referrers of {digest}", "list"),
            scopes=repository.scopes("pull"),
            expected=frozenset({200, 400, 404, 405}),
            headers={"Accept": INDEX},
        )
        response = repository.connection.send(call)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
        if response.status_code != 200 or kind != INDEX:
            return None
        found += _entries(response.json())
        url = repository.next_page(response)
    return found


def _by_tag(repository: Repository, digest: str) -> list[Descriptor]:
    try:
        fetched = repository.manifest(fallback_tag(digest))
    except NotFound:
        return []
    try:
        document = json.loads(fetched.data)
    except ValueError:
        return []
    return _entries(document)


def _entries(document: Any) -> list[Descriptor]:
    entries = document.get("manifests") if isinstance(document, dict) else None
    return [Descriptor.from_json(entry) for entry in entries or ()]


def _entry(referrer: Assembled) -> Descriptor:
    """Return a referrer's descriptor as the specification wants it listed."""
    document = json.loads(referrer.manifest)
    config = document.get("config", {}).get("mediaType", "")
    return Descriptor(
        media_type=referrer.descriptor.media_type,
        digest=referrer.descriptor.digest,
        size_bytes=referrer.descriptor.size_bytes,
        artifact_type=document.get("artifactType") or ("" if config == EMPTY else config),
        annotations=document.get("annotations") or {},
    )
