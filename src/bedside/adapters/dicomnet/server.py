"""The TCP server under the receiver: what pynetdicom's lacks for a network with strangers in it.

Owns that one connection cannot stop the others: the TLS handshake is made in the connection's own thread,
every read has an end, no message part is read that is larger than we said we take, and connections that
ask for nothing are limited in number.
"""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from socketserver import TCPServer
from typing import Any, cast

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from bedside.adapters.dicomnet.tls import RenewedTls

#: Connections beyond the most associations, so that these can be told why they are refused.
BEYOND = 16
#: A request for an association names each kind of object and each transfer syntax of the sender.
_LONGEST_REQUEST_BYTES = 2**20
_READ_BYTES = 2**18


class Server(ThreadedAssociationServer):
    """Makes an association of each connection.

    Attributes:
        tls: Gives the context of a handshake; None is without TLS.
        timeout_s: The longest silence.
        max_pdu_bytes: The largest message part.
        opened: Called with an association before it starts.
        ended: Called with it when it ended, however it did.
        failed: Told why a connection became no association.
    """

    daemon_threads = True
    request_queue_size = 64
    tls: RenewedTls | None = None
    timeout_s: float
    max_pdu_bytes: int
    opened: Callable[[Association], None]
    ended: Callable[[Association], None]
    failed: Callable[[str, str], None]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._places = threading.BoundedSemaphore(2**16)

    def limit(self, connections: int) -> None:
        """Close connections at once while so many are open."""
        self._places = threading.BoundedSemaphore(connections)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - as TCPServer has it
        """Whether a connection is taken at all."""
        return self._places.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Handle one connection, and free its place."""
        places = self._places
        try:
            super().process_request_thread(request, client_address)
        finally:
            places.release()

    def shutdown(self) -> None:
        """Stop listening; associations that are open go on."""
        TCPServer.shutdown(self)
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - likewise
        """Take note of a connection that failed in a way nobody thought of."""
        self.failed(client_address[0], "it failed")


class Connection(RequestHandler):
    """One connection, from its handshake to its end."""

    server: Server

    def handle(self) -> None:
        """Make an association of it, and wait for its end."""
        self.request = cast(socket.socket, self.request)
        self.request.settimeout(self.server.timeout_s)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # each answer is waited for
        if self.server.tls is not None:
            try:
                self.request = self.server.tls.context().wrap_socket(self.request, server_side=True)
            except (OSError, ValueError) as exc:
                reason = exc.reason if isinstance(exc, ssl.SSLError) else None
                self.server.failed(
                    self.client_address[0], f"no TLS: {(reason or type(exc).__name__).lower()}"
                )
                self.server.shutdown_request(self.request)
                return
        association = self._create_association()
        assert association.dul.socket is not None
        # Its own reads whatever length the sender states into memory, 4 KiB at a time.
        association.dul.socket.recv = partial(  # type: ignore[method-assign]
            receive, association.dul.socket, self.server.max_pdu_bytes
        )
        self.server.opened(association)
        try:
            evt.trigger(association, evt.EVT_CONN_OPEN, {"address": self.client_address})
            association.start()
            association.join()
        finally:
            self.server.ended(association)


def hang_up(association: Association) -> None:
    """End the connection of a sender that was not let in; its own thread notices."""
    connection = association.dul.socket
    if connection is not None and connection.socket is not None:
        with suppress(OSError):
            connection.socket.shutdown(socket.SHUT_RDWR)


def receive(connection: AssociationSocket, max_pdu_bytes: int, count: int) -> bytearray:
    """Read so many bytes, or fewer where the connection ends.

    Raises:
        OSError: It is more than may come, or nothing came for too long.
    """
    limit = max_pdu_bytes if connection.assoc.is_established else _LONGEST_REQUEST_BYTES
    if count > limit + 6:
        raise OSError(f"a PDU of {count} bytes, at most {limit}")
    assert connection.socket is not None
    received = bytearray(count)
    view = memoryview(received)
    filled = 0
    while filled < count:
        came = connection.socket.recv_into(view[filled : filled + _READ_BYTES])
        if not came:
            break
        filled += came
    view.release()
    del received[filled:]
    return received
