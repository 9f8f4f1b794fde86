"""The files in which ``docker login`` and ``podman login`` keep credentials.

Owns finding and reading them, in this order: ``REGISTRY_AUTH_FILE``, ``DOCKER_CONFIG``, podman's of this
session, podman's of this user, docker's. The first that has credentials for a registry wins, as
podman does it. Nothing is ever written. See containers-auth.json(5) and docker's ``config.json``.
"""

import base64
import binascii
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bedside.errors import ConfigError
from bedside.oci.reference import DOCKER_IO
from bedside.oci.registry.credentials import Answer, Credentials
from bedside.oci.registry.helpers import ask_helper

#: The key under which docker keeps docker.io, from before registries had versions.
DOCKER_IO_KEY = "https://index.docker.io/v1/"
_DOCKER_IO_HOSTS = (DOCKER_IO, "index.docker.io", "registry-1.docker.io")


class Keyring:
    """Credentials from files.

    Args:
        files: In order; those that do not exist are skipped.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = tuple(files)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Keyring":
        """Return the key ring that docker and podman would use under an environment."""
        return cls(files(environment))

    def ask(self, host: str, repository: str) -> Answer:
        """Return the credentials for a repository.

        Raises:
            ConfigError: a file is there and cannot be read.
        """
        notes: list[str] = []
        for path in self._files:
            document = _load(path)
            if document is None:
                continue
            answer = _ask_file(path, document, host, repository)
            notes += answer.notes
            if answer.credentials:
                return Answer(credentials=answer.credentials, notes=tuple(notes))
        return Answer(notes=tuple(notes) or ("no file of docker login or podman login is there",))


def files(environment: Mapping[str, str]) -> list[Path]:
    """Return the files to read under an environment, in order, whether they exist or not."""
    home = Path(environment.get("HOME") or "/")
    session = environment.get("XDG_RUNTIME_DIR")
    podman = Path(session) if session else Path(f"/run/containers/{os.getuid()}")
    found = []
    if explicit := environment.get("REGISTRY_AUTH_FILE"):
        found.append(Path(explicit))
    if docker := environment.get("DOCKER_CONFIG"):
        found.append(Path(docker) / "config.json")
    found.append(podman / "containers" / "auth.json" if session else podman / "auth.json")
    own = environment.get("XDG_CONFIG_HOME")
    found.append((Path(own) if own else home / ".config") / "containers" / "auth.json")
    found.append(home / ".docker" / "config.json")
    return list(dict.fromkeys(found))


def _load(path: Path) -> Mapping[str, Any] | None:
    try:
        document = json.loads(path.read_bytes() or b"{}")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except PermissionError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}", hint=f"ls -l {path}") from exc
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path}: is no JSON: {exc}", hint="docker login HOST writes it anew") from exc
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: holds no JSON object", hint="docker login HOST writes it anew")
    return document


def _ask_file(path: Path, document: Mapping[str, Any], host: str, repository: str) -> Answer:
    """Ask one file: the registry's own helper, entries from the longest key, the helper for all."""
    notes: list[str] = []
    helpers = document.get("credHelpers") or {}
    keys = list(_keys(host, repository))
    server = DOCKER_IO_KEY if host == DOCKER_IO else host
    own = next((str(helpers[key]) for key in keys if key in helpers), None)
    store = document.get("credsStore")
    for name in dict.fromkeys(str(helper) for helper in (own, store if own is None else None) if helper):
        answer = ask_helper(name, server)
        notes += (f"{path}: {note}" for note in answer.notes)
        if answer.credentials:
            return answer
    entries = {_plain(str(key)): value for key, value in (document.get("auths") or {}).items()}
    for key in keys:
        credentials = _entry(path, entries.get(_plain(key)))
        if credentials:
            return Answer(credentials=credentials, notes=tuple(notes))
    return Answer(notes=(*notes, f"{path}: no entry for {host}"))


def _keys(host: str, repository: str) -> Iterator[str]:
    """Yield the keys that may hold a repository's credentials, the most particular first."""
    names = _DOCKER_IO_HOSTS if host == DOCKER_IO else (host,)
    parts = repository.split("/")
    for name in names[:1]:
        for length in range(len(parts), 0, -1):
            yield "/".join((name, *parts[:length]))
    yield from names


def _plain(key: str) -> str:
    """Return a key without scheme and version, as ``https://host/v1/`` means the host."""
    bare = key.partition("://")[2] or key
    for version in ("/v1/", "/v1", "/v2/", "/v2"):
        bare = bare.removesuffix(version)
    return bare.rstrip("/")


def _entry(path: Path, entry: object) -> Credentials | None:
    if not isinstance(entry, dict):
        return None
    username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if entry.get("auth"):
        try:
            pair = base64.b64decode(str(entry["auth"]), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as exc:
            raise ConfigError(f"{path}: an entry's auth is no base64 text", hint="docker login HOST") from exc
        username, _, password = pair.partition(":")
        password = password.rstrip("\0")
    if entry.get("identitytoken"):
        return Credentials(identity_token=str(entry["identitytoken"]), source=str(path))
    if username and password:
        return Credentials(username=username, password=password, source=str(path))
    return None
