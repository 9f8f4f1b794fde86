"""Whom to trust with TLS: this machine's store, and what docker and podman were told about a registry.

Owns building the context. The machine's own store is used rather than a bundle of ours, because that is
where a hospital's certificate authority is installed.
"""

import ssl
from collections.abc import Sequence
from pathlib import Path

import certifi

from bedside.errors import ConfigError

#: Where docker and podman look for a registry's own certificates, below which its host is a folder.
CERTIFICATE_FOLDERS = (Path("/etc/docker/certs.d"), Path("/etc/containers/certs.d"))


def context_for(
    host: str, folders: Sequence[Path] = CERTIFICATE_FOLDERS, *, verify: bool = True
) -> ssl.SSLContext:
    """Return the TLS context for a registry.

    Args:
        host: With its port where it has one.
        folders: Where ``HOST/*.crt`` (authorities) and ``HOST/*.cert`` with ``*.key`` (ours) may be.
        verify: Whether the registry's certificate must be right.

    Raises:
        ConfigError: a certificate that was put there cannot be read.
    """
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not paths.cafile and not (paths.capath and any(Path(paths.capath).iterdir())):
        context.load_verify_locations(certifi.where())
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for folder in folders:
        _load(context, folder / host)
    return context


def _load(context: ssl.SSLContext, folder: Path) -> None:
    try:
        found = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    for path in found:
        try:
            if path.suffix == ".crt":
                context.load_verify_locations(path)
            elif path.suffix == ".cert":
                context.load_cert_chain(path, path.with_suffix(".key"))
        except (OSError, ssl.SSLError) as exc:
            raise ConfigError(
                f"{path}: cannot be used: {exc}", hint=f"openssl x509 -in {path} -noout"
            ) from exc
