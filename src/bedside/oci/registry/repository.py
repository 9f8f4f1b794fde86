"""One repository of a registry: its manifests, tags and whether it has a blob.

Owns the endpoints of the distribution specification that move little; blobs move in `upload` and
`download`. Manifests are kept as the exact bytes that were sent, because their digest is a release's
identity: nothing here parses one to write it again.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from bedside.errors import NotFound, Unavailable
from bedside.oci.descriptor import INDEXES, MANIFESTS, Descriptor, sha256_digest
from bedside.oci.parts import Origin
from bedside.oci.registry.call import Call
from bedside.oci.registry.challenge import Scope
from bedside.oci.registry.connection import Connection
from bedside.oci.registry.refusals import Subject

ACCEPT = ", ".join((*MANIFESTS, *INDEXES))
#: "A manifest should be limited to 4 MiB" (distribution specification); more would be no manifest.
LONGEST_MANIFEST_BYTES = 4 * 1024 * 1024
#: Tags asked for at once.
_PAGE = 1000
_NEXT = re.compile(r"<([^>]+)>\s*;\s*rel=\"?next\"?")
_PUSH = ("pull", "push")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A manifest or index as a registry gave it.

    Attributes:
        descriptor: Digest of the bytes, not of what the registry said.
        data: The exact bytes.
    """

    descriptor: Descriptor
    data: bytes


class Repository:
    """One repository.

    Args:
        connection: To its registry.
        name: There.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self.connection = connection
        self.name = name

    @property
    def host(self) -> str:
        """The registry."""
        return self.connection.host

    @property
    def origin(self) -> Origin:
        """This repository as the place where a blob can be had."""
        return Origin(host=self.host, repository=self.name)

    def path(self, rest: str) -> str:
        """Return the path of one of its endpoints."""
        return f"/v2/{quote(self.name)}/{rest}"

    def subject(self, what: str, doing: str) -> Subject:
        """Return what a request is about, for messages."""
        return Subject(host=self.host, repository=self.name, what=what, doing=doing)

    def scopes(self, *actions: str) -> tuple[Scope, ...]:
        """Return what a token must allow for some actions."""
        return (Scope(repository=self.name, actions=actions),)

    def manifest(self, pointer: str) -> Fetched:
        """Return a manifest or index by tag or digest.

        Raises:
            NotFound: no such repository, tag or digest.
            Unavailable: the bytes are not those of the digest asked for.
        """
        response = self.connection.send(self._about(pointer, "GET"))
        if len(response.content) > LONGEST_MANIFEST_BYTES:
            raise Unavailable(
                f"{self.host}/{self.name}: {pointer}: {len(response.content)} bytes are no manifest"
            )
        data = response.content
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
        if media_type not in (*MANIFESTS, *INDEXES):
            media_type = _media_type_within(data) or media_type
        digest = sha256_digest(data)
        if pointer.startswith("sha256:") and digest != pointer:
            raise Unavailable(
                f"{self.host}/{self.name}: gave a manifest of digest {digest}, asked for {pointer}",
                hint="check for a proxy or mirror that changes what it passes on",
            )
        return Fetched(
            descriptor=Descriptor(media_type=media_type, digest=digest, size_bytes=len(data)), data=data
        )

    def head(self, pointer: str) -> str | None:
        """Return the digest that a tag (or digest) has, or None where it is not there."""
        try:
            response = self.connection.send(self._about(pointer, "HEAD"))
        except NotFound:
            return None
        digest = response.headers.get("Docker-Content-Digest")
        return str(digest) if digest else self.manifest(pointer).descriptor.digest

    def put_manifest(self, descriptor: Descriptor, data: bytes, pointer: str = "") -> bool:
        """Write a manifest or index, and check what the registry made of it.

        Args:
            descriptor: Of ``data``.
            data: Exact bytes.
            pointer: A tag, or empty for the digest alone.

        Returns:
            Whether the registry entered it among the referrers of its subject.

        Raises:
            Unavailable: the registry has another digest than was sent.
        """
        what = pointer or descriptor.digest
        response = self.connection.send(
            Call(
                method="PUT",
                url=self.path(f"manifests/{what}"),
                subject=self.subject(f"manifest {what}", "push"),
                scopes=self.scopes(*_PUSH),
                expected=frozenset({200, 201, 202}),
                headers={"Content-Type": descriptor.media_type},
                content=data,
                commit=True,
            )
        )
        stored = response.headers.get("Docker-Content-Digest") or self.head(what)
        if stored != descriptor.digest:
            raise Unavailable(
                f"{self.host}/{self.name}: stored manifest {what} as {stored}, sent {descriptor.digest}",
                hint="the registry, or a proxy before it, changes manifests; use another",
            )
        return "OCI-Subject" in response.headers

    def delete(self, digest: str) -> None:
        """Delete a manifest, with all its tags.

        Raises:
            NotFound: it is not there.
            UsageError: the registry does not delete.
        """
        self.connection.send(
            Call(
                method="DELETE",
                url=self.path(f"manifests/{digest}"),
                subject=self.subject(f"manifest {digest}", "delete"),
                scopes=self.scopes("delete", "pull"),
                expected=frozenset({200, 202}),
            )
        )

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the repository has a blob."""
        call = Call(
            method="HEAD",
            url=self.path(f"blobs/{descriptor.digest}"),
            subject=self.subject(f"blob {descriptor.digest}", "push"),
            scopes=self.scopes(*_PUSH),
            expected=frozenset({200, 404}),
        )
        return self.connection.send(call).status_code == 200

    def tags(self) -> Iterator[str]:
        """Yield the tags, page by page.

        Raises:
            NotFound: no such repository.
        """
        url, params = self.path("tags/list"), {"n": str(_PAGE)}
        while url:
            response = self.connection.send(
                Call(
                    method="GET",
                    url=url,
                    params=params,
                    subject=self.subject("tags", "list"),
                    scopes=self.scopes("pull"),
                )
            )
            yield from response.json().get("tags") or ()
            url, params = self.next_page(response), {}

    def next_page(self, response: httpx.Response) -> str:
        """Return the URL of what follows a page, or nothing after the last."""
        after = _NEXT.search(response.headers.get("Link", ""))
        return str(response.url.join(after[1])) if after else ""

    def _about(self, pointer: str, method: str) -> Call:
        return Call(
            method=method,
            url=self.path(f"manifests/{pointer}"),
            subject=self.subject(f"manifest {pointer}", "pull"),
            scopes=self.scopes("pull"),
            headers={"Accept": ACCEPT},
        )


def _media_type_within(data: bytes) -> str:
    """Return what a manifest says of itself; some registries serve all as plain JSON."""
    try:
        document = json.loads(data)
    except ValueError:
        return ""
    return str(document.get("mediaType") or "") if isinstance(document, dict) else ""
