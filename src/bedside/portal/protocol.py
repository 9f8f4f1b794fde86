"""HTTP/1.1 as uvicorn speaks it, with heads of bounded length.

Its parser keeps a header until it ends, however long that takes. A proxy in front refuses such; where there
is none, anybody could fill the memory before a request has even begun.
"""

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Of what comes before a request's headers have ended, or between two pieces of its body: twice the longest
#: address that the parser takes.
MOST_BYTES: Final = 128 * 1024


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection on which more comes than any head has, without ending it."""

    _pending_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._pending_bytes += len(data)
        super().data_received(data)
        if self._pending_bytes > MOST_BYTES and not self.transport.is_closing():
            self.send_400_response("Head of the request is too long.")

    def on_headers_complete(self) -> None:
        """Begin to count anew: the head has ended."""
        self._pending_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Begin to count anew: what came is passed on."""
        self._pending_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Begin to count anew: the request has ended."""
        self._pending_bytes = 0
        super().on_message_complete()
