"""The portal's process: listens, answers, and ends in order."""

import logging
import signal
import socket
from functools import partial

import click
import uvicorn

from bedside.catalogue.follow import following
from bedside.domain.account import LinkKind
from bedside.errors import ConfigError
from bedside.people.links import VALID
from bedside.portal.access.accounts import AccountGate
from bedside.portal.access.bearer import BearerGate
from bedside.portal.app import create_app
from bedside.portal.protocol import BoundedProtocol
from bedside.portal.shell.errors import without_words
from bedside.viewing.tidy import tidying
from bedside.wiring import Deployment
from bedside.wiring.identity import open_api_identity

#: Answers under way have this long when the portal stops; streams of events end at once.
GRACE_S = 5


def answer(deployment: Deployment) -> None:
    """Answer at ``portal.listen`` until the process is asked to stop (SIGTERM, Ctrl-C).

    Raises:
        ConfigError: Nothing can be listened to there.
    """
    settings = deployment.settings.portal
    _ = deployment.signing_in  # whose secret cannot be read is told now, and not at the first click
    listening = _listen(settings.listen)
    known = partial(deployment.federation.account, deployment.settings.identity.issuer)
    issuer = BearerGate(open_api_identity(deployment.settings, deployment.clock), known)
    gate = AccountGate(deployment.people, issuer, settings)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(deployment, gate),
            http=BoundedProtocol,
            ws="none",
            log_config=None,
            access_log=False,  # addresses hold identifiers of studies; what matters is audited
            server_header=False,
            proxy_headers=True,
            forwarded_allow_ips=list(settings.proxies),
            timeout_graceful_shutdown=GRACE_S,
            lifespan="off",
        )
    )
    # uvicorn sends itself the signal again once it stopped: that must not end us before all is closed.
    signal.signal(signal.SIGTERM, lambda *_: setattr(server, "should_exit", True))
    # It logs with all its words what nobody foresaw, after we answered and logged it without.
    logging.getLogger("uvicorn.error").addFilter(without_words)
    _welcome(deployment)
    deployment.log("portal.ready", url=settings.address)
    with (
        listening,
        tidying(deployment.images, deployment.log),
        following(deployment.cataloguer, deployment.log),
    ):
        server.run(sockets=[listening])
    deployment.log("portal.stopped")


def _welcome(deployment: Deployment) -> None:
    """Say how the first administrator comes in, as long as there is none."""
    secret = deployment.people.invitations.first()
    if secret is None:
        return
    deployment.log("portal.first_administrator", valid_h=VALID[LinkKind.FIRST].total_seconds() / 3600)
    # Not a line of the log: it lets in whoever reads it, once.
    click.echo(
        f"nobody administers bedside yet; make the first account at\n\n"
        f"    {deployment.settings.portal.address}/first/{secret}\n\n"
        "(works once, within 24 hours; the next start makes another)",
        err=True,
    )


def _listen(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        family = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, int(port)), family=family, backlog=2048)
    except (OSError, OverflowError) as exc:
        raise ConfigError(
            f"portal.listen: cannot listen on {address}: {getattr(exc, 'strerror', None) or exc}",
            hint="bedside serve --portal 127.0.0.1:8090, or set portal.listen to another HOST:PORT",
        ) from exc
