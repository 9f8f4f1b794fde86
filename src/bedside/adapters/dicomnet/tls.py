"""TLS of the receiver: a certificate that may be renewed while it runs.

Owns the looking for a newer certificate, at each handshake: whoever renews it need not tell us. While key
and certificate do not fit, between the writing of one and the other, the older pair is used.
"""

import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

from bedside.errors import ConfigError
from bedside.log import Log, silent


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files.

    Attributes:
        certificate: With the chain behind it.
        key: Its private key, not encrypted.
        client_ca: Authorities that senders' certificates must come from; None asks for none.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @property
    def every(self) -> tuple[Path, ...]:
        """All of them."""
        return (self.certificate, self.key, *([self.client_ca] if self.client_ca else []))


class RenewedTls:
    """Gives the context of a handshake. Threads may share it.

    Args:
        files: Read now, and again when they changed.
        log: Takes note of a renewal, and of one that cannot be used.

    Raises:
        ConfigError: They cannot be read, or do not fit.
    """

    def __init__(self, files: TlsFiles, log: Log = silent) -> None:
        self._files = files
        self._log = log
        self._lock = threading.Lock()
        self._seen = _state(files)
        try:
            self._context = _context(files)
        except (OSError, ValueError) as exc:  # ssl.SSLError is an OSError
            raise ConfigError(
                f"dicom.tls_certificate: {files.certificate} and {files.key} cannot be used: {_why(exc)}",
                hint=f"openssl x509 -noout -subject -enddate -in {files.certificate}",
            ) from exc

    def context(self) -> ssl.SSLContext:
        """Return the newest that can be used."""
        with self._lock:
            state = _state(self._files)
            if state != self._seen:
                self._seen = state
                try:
                    self._context = _context(self._files)
                except (OSError, ValueError) as exc:
                    self._log("dicom.certificate_unusable", reason=_why(exc))
                else:
                    self._log("dicom.certificate_renewed")
            return self._context


def check_tls(files: TlsFiles) -> None:
    """Read them once.

    Raises:
        ConfigError: They cannot be read, or do not fit.
    """
    RenewedTls(files)


def _state(files: TlsFiles) -> tuple[tuple[int, int, int], ...]:
    found = []
    for path in files.every:
        try:
            about = path.stat()
        except OSError:
            found.append((0, 0, 0))
        else:
            found.append((about.st_ino, about.st_size, about.st_mtime_ns))
    return tuple(found)


def _context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # PS3.15 B.9: BCP 195
    context.load_cert_chain(files.certificate, files.key, password=_no_password)
    if files.client_ca:
        context.load_verify_locations(files.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted")  # OpenSSL would ask on the terminal


def _why(exc: OSError | ValueError) -> str:
    if isinstance(exc, ssl.SSLError):
        return (exc.reason or "not PEM").lower().replace("_", " ")
    return str((exc.strerror if isinstance(exc, OSError) else None) or exc)
