"""Whether a server is one of this machine, to which alone a line without TLS leads."""

import ipaddress


def is_here(host: str) -> bool:
    """Return whether a name or address leads to this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
