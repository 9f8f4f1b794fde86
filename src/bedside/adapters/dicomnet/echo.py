"""C-ECHO, as a sender asks it: whether somebody takes associations there. See PS3.4 A."""

import ssl
from pathlib import Path

from pynetdicom import AE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from bedside.errors import Unavailable

_CALLING = "BEDSIDE_DOCTOR"


def echo(
    address: str, port: int, called: str, *, trusted: Path | None = None, timeout_s: float = 5.0
) -> bool:
    """Ask once, and return when it answered.

    Args:
        address: Where.
        port: Where.
        called: Its AE title.
        trusted: A certificate that it must show, PEM, under whatever name; None asks in the clear.
        timeout_s: For each step.

    Returns:
        Whether it took our association; one that refuses us by name or address listens, too.

    Raises:
        Unavailable: Nobody listens, or there is no answer.
    """
    ae = AE(_CALLING)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = timeout_s
    ae.add_requested_context(Verification)
    where = f"{called} at {address}:{port}"
    tls_args = (_context(trusted), address) if trusted else None
    association = ae.associate(address, port, ae_title=called, tls_args=tls_args)
    try:
        if association.is_rejected:
            return False
        if not association.is_established:
            raise Unavailable(f"{where}: nobody answers", hint="bedside serve")
        status = association.send_c_echo()
        if getattr(status, "Status", None) != 0:
            raise Unavailable(f"{where}: no answer to C-ECHO", hint="bedside serve")
        return True
    finally:
        if association.is_established:
            association.release()


def _context(trusted: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(trusted)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # it is no authority, and trusted nevertheless
    return context
