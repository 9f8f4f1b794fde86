"""A real server for an application, and how browsers are started that look at it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from bedside.portal.protocol import BoundedProtocol

#: Of Debian's Chromium: without a screen or a GPU, and without a word to anybody else.
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def a_port() -> socket.socket:
    """Return a free port of this machine, on which browsers wait until something answers."""
    return socket.create_server(("127.0.0.1", 0), backlog=128)


def address_of(port: socket.socket) -> str:
    """Return the address at which browsers find a port."""
    return f"http://127.0.0.1:{port.getsockname()[1]}"


@contextmanager
def serving(app: ASGIApp, at: socket.socket | None = None) -> Iterator[str]:
    """Answer for an application on a free port, in a thread; give its address.

    Args:
        app: What answers.
        at: The port, where the application was told its address before; see `a_port`.
    """
    listening = at or a_port()
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield address_of(listening)
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listening.close()
        assert not thread.is_alive(), "the server of the test did not end"
