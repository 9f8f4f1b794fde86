"""All registries that one piece of work speaks to, each with one connection.

Owns opening and closing them. Nothing is connected before the first request.
"""

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from bedside.oci.parts import Origin
from bedside.oci.reference import Reference
from bedside.oci.registry.call import Options
from bedside.oci.registry.connection import Connection
from bedside.oci.registry.credentials import Authority
from bedside.oci.registry.keyring import Keyring
from bedside.oci.registry.repository import Repository


class Registries:
    """Opens repositories. Safe from several threads; close it, or use it with ``with``.

    Args:
        authority: Has credentials.
        options: How to speak.
    """

    def __init__(self, authority: Authority, options: Options | None = None) -> None:
        self.options = options or Options()
        self._authority = authority
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._connections: dict[str, Connection] = {}

    @classmethod
    def of(cls, environment: Mapping[str, str], options: Options | None = None) -> "Registries":
        """Return registries with the credentials that docker and podman would use under an environment."""
        return cls(Keyring.of(environment), options)

    def at(self, place: Reference | Origin) -> Repository:
        """Return the repository of a reference, whether or not it is there."""
        with self._lock:
            connection = self._connections.get(place.host)
            if connection is None:
                connection = Connection(place.host, self._authority, self.options, self._closing)
                self._connections[place.host] = connection
        return Repository(connection, place.repository)

    def close(self) -> None:
        """Close all connections; whoever waits to try again gives up."""
        self._closing.set()
        with self._lock:
            for connection in self._connections.values():
                connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
