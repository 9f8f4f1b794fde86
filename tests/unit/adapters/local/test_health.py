"""The answer to a probe."""

import socket
from collections.abc import Iterator

import httpx
import pytest

from bedside.adapters.local.health import HealthServer
from bedside.errors import ConfigError
from bedside.worker.pulse import Pulse


@pytest.fixture
def pulse() -> Pulse:
    return Pulse(lambda: 1.0)


@pytest.fixture
def server(pulse: Pulse) -> Iterator[HealthServer]:
    server = HealthServer("127.0.0.1:0", pulse.look)
    yield server
    server.close()


def test_the_status_follows_the_rounds(server: HealthServer, pulse: Pulse) -> None:
    url = f"http://127.0.0.1:{server.port}/health"
    assert httpx.get(url).status_code == 503
    pulse.beat()
    answer = httpx.get(url)
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert answer.headers["cache-control"] == "no-store"
    assert httpx.head(url).status_code == 200
    pulse.miss()
    assert (httpx.get(url).status_code, httpx.get(url).json()["status"]) == (503, "waiting")


def test_nothing_else_is_answered(server: HealthServer) -> None:
    assert httpx.get(f"http://127.0.0.1:{server.port}/jobs").status_code == 404
    assert httpx.post(f"http://127.0.0.1:{server.port}/health").status_code == 501


def test_a_port_that_is_taken_is_said(server: HealthServer, pulse: Pulse) -> None:
    with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{server.port}: Address already"):
        HealthServer(f"127.0.0.1:{server.port}", pulse.look)
    with pytest.raises(ConfigError, match="cannot listen"):
        HealthServer("127.0.0.1:70000", pulse.look)


def test_nobody_is_listened_to_after_the_end(pulse: Pulse) -> None:
    server = HealthServer("127.0.0.1:0", pulse.look)
    server.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=1)
