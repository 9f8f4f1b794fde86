"""HTTP clients for one registry, and which scheme it speaks.

Owns the choice between https and http. There is one only where plain http is allowed: on this machine's
own addresses, where it is tried first because hardly any local registry has a certificate, and wherever
it was asked for, where it is tried last.
"""

import httpx

from bedside import __version__
from bedside.errors import BedsideError
from bedside.oci.reference import DOCKER_IO, is_loopback
from bedside.oci.registry.call import Options
from bedside.oci.registry.failures import failure
from bedside.oci.registry.trust import context_for

#: docker.io is a name; this is the machine.
_DOCKER_IO_API = "registry-1.docker.io"
_MOST_CONNECTIONS = 16
#: What Go's server answers to plain http on a port for TLS.
_WRONG_SCHEME = "HTTP request to an HTTPS server"


def connect(host: str, options: Options) -> tuple[httpx.Client, httpx.URL]:
    """Return a client for a registry and the URL of its root.

    Raises:
        Again: it cannot be reached (only noticed here where its scheme must be found out).
    """
    api = _DOCKER_IO_API if host == DOCKER_IO else host
    if not (options.insecure or is_loopback(host)):
        return client_for(host, options), httpx.URL(f"https://{api}")
    failed: BedsideError | None = None
    for scheme in ("http", "https") if is_loopback(host) else ("https", "http"):
        client = client_for(host, options, tls=scheme == "https")
        root = httpx.URL(f"{scheme}://{api}")
        try:
            response = client.get(root.join("/v2/"), follow_redirects=False)
        except httpx.HTTPError as exc:
            client.close()
            failed = failed or failure(exc, host, "")
            continue
        if not _elsewhere(response):
            return client, root
        client.close()
    raise failed or BedsideError(f"{host}: speaks neither http nor https", hint=f"curl -i {host}/v2/")


def client_for(host: str, options: Options, *, tls: bool = True, own: bool = True) -> httpx.Client:
    """Return a new client.

    Args:
        host: The registry that it is for.
        options: How to speak.
        tls: Whether it will speak https.
        own: Whether it speaks to the registry itself, rather than to its token server.
    """
    folders = options.certificate_folders if own else ()
    return httpx.Client(
        verify=context_for(host, folders, verify=not options.insecure) if tls else False,
        headers={"User-Agent": f"bedside/{__version__}"},
        limits=httpx.Limits(max_connections=_MOST_CONNECTIONS, max_keepalive_connections=_MOST_CONNECTIONS),
        timeout=httpx.Timeout(options.idle_timeout_s, connect=options.connect_timeout_s),
        trust_env=not is_loopback(host),  # proxies cannot reach this machine's own addresses
    )


def _elsewhere(response: httpx.Response) -> bool:
    if response.is_redirect:
        return response.url.scheme == "http" and response.headers.get("Location", "").startswith("https:")
    return response.status_code == httpx.codes.BAD_REQUEST and _WRONG_SCHEME in response.text
