"""From settings to the receiver of C-STORE, and to the question whether it answers."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING

from bedside.errors import ConfigError

if TYPE_CHECKING:
    from bedside.adapters.dicomnet import DicomReceiver, Doors, TlsFiles
    from bedside.config import DicomSettings, Settings
    from bedside.wiring.deployment import Deployment


@contextmanager
def receiving(deployment: "Deployment") -> Iterator["DicomReceiver | None"]:
    """Receive by C-STORE for a while; nothing where ``dicom.port`` is 0.

    At the end open associations have ``worker.grace_s`` to end, from `DicomReceiver.stop_listening` on.

    Raises:
        ConfigError: Nothing can be listened to there, the certificate is of no use, or pynetdicom is missing.
    """
    wanted = deployment.settings.dicom
    if not wanted.port:
        yield None
        return
    try:
        from bedside.adapters.dicomnet import DicomReceiver, ReceiverOptions
    except ImportError as exc:
        raise _missing(exc) from exc
    from bedside.worker.instances import InstanceKeeper

    keeper = InstanceKeeper(
        blobs=deployment.blobs,
        scratch=deployment.scratch / "dicom",
        min_free_bytes=wanted.min_free_bytes,
    )
    keeper.clear()
    options = ReceiverOptions(
        address=wanted.address,
        port=wanted.port,
        title=wanted.ae[0].title,
        tls=_tls(wanted),
        max_associations=wanted.max_associations,
        max_pdu_bytes=wanted.max_pdu_bytes,
        max_bytes=wanted.max_bytes,
        timeout_s=wanted.timeout_s,
        grace_s=deployment.settings.worker.grace_s,
    )
    receiver = DicomReceiver(
        options, _doors(deployment), keeper.keep, observer=deployment.observer, log=deployment.log
    )
    try:
        deployment.log(
            "dicom.listening",
            address=wanted.address,
            port=wanted.port,
            titles=",".join(ae.title for ae in wanted.ae),
            tls=bool(wanted.tls_certificate),
        )
        yield receiver
    finally:
        receiver.close()
        keeper.clear()


def port_is_free(address: str, port: int) -> bool:
    """Whether nobody listens there.

    Raises:
        ConfigError: Nobody can: it is no address of this machine, or not ours to take.
    """
    family = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
    with socket.socket(family) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((address, port))
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                return False
            raise ConfigError(
                f"dicom.port: cannot listen on {address}:{port}: {exc.strerror}", hint="bedside config show"
            ) from exc
    return True


def check_certificate(settings: "Settings") -> None:
    """Read what TLS needs, as the receiver does when it starts.

    Raises:
        ConfigError: It cannot be used, or pynetdicom is missing.
    """
    try:
        from bedside.adapters.dicomnet import check_tls
    except ImportError as exc:
        raise _missing(exc) from exc
    files = _tls(settings.dicom)
    if files is not None:
        check_tls(files)


def receiver_state(settings: "Settings") -> str:
    """Ask the receiver of these settings for C-ECHO, and return in words what it said.

    Raises:
        ConfigError: pynetdicom is missing, or the certificate is.
        Unavailable: Nobody answers there.
    """
    try:
        from bedside.adapters.dicomnet import echo
    except ImportError as exc:
        raise _missing(exc) from exc
    wanted = settings.dicom
    title = wanted.ae[0].title
    tls = _tls(wanted)
    where = f"{title} at {wanted.address}:{wanted.port}{' with TLS' if tls else ''}"
    # A receiver on every address answers on our own.
    any_address = ip_address(wanted.address)
    address = wanted.address
    if any_address.is_unspecified:
        address = "127.0.0.1" if any_address.version == 4 else "::1"
    if tls is not None and tls.client_ca:
        return f"{where} listens; it asks for a certificate, which this command has not"
    admitted = echo(address, wanted.port, title, trusted=tls.certificate if tls else None)
    return f"{where} answers" if admitted else f"{where} answers, and takes nothing from this machine"


def _doors(deployment: "Deployment") -> "Doors":
    from bedside.adapters.dicomnet import Called, Doors

    settings = deployment.settings
    called = {
        ae.title: Called(
            tenant=ae.tenant or next(iter(settings.system.tenants), ""),
            calling=frozenset(ae.calling),
            networks=tuple(map(ip_network, ae.networks)),
        )
        for ae in settings.dicom.ae
    }
    networks = tuple(map(ip_network, settings.dicom.networks))
    return Doors(called=called, networks=networks, serves=lambda tenant: tenant in deployment.tenants)


def _tls(wanted: "DicomSettings") -> "TlsFiles | None":
    from bedside.adapters.dicomnet import TlsFiles

    if not wanted.tls_certificate:
        return None
    authorities = Path(wanted.tls_client_ca) if wanted.tls_client_ca else None
    return TlsFiles(certificate=Path(wanted.tls_certificate), key=Path(wanted.tls_key), client_ca=authorities)


def _missing(exc: ImportError) -> ConfigError:
    return ConfigError(
        f"dicom.port: receiving needs the Python package {exc.name}", hint="pip install 'bedside[dicom]'"
    )
