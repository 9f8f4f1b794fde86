"""Files from a mirror, by size and hash, into a cache.

Owns the download: the next mirror is asked where one lacks the file or does not answer, and a file
counts only when its size and SHA-256 are the expected ones. The cache is addressed by hash, so that
two builds at once at worst write the same bytes twice.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx

from bedside.errors import ConfigError, Unavailable
from bedside.oci.storage import refusals, write_file

AT_A_TIME = 4
TIMEOUT_S = 30.0
#: Attempts per mirror for what a second try may cure: a cut connection, a 5xx.
ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file to fetch.

    Attributes:
        name: For messages.
        addresses: Where it may be, in the order of trying.
        size_bytes: Of the file.
        sha256: Of the file, hex.
    """

    name: str
    addresses: tuple[str, ...]
    size_bytes: int
    sha256: str


def fetch_all(wanted: Sequence[Wanted], *, cache: Path) -> list[Path]:
    """Return local files for everything wanted, in its order, fetching what the cache lacks.

    Raises:
        Unavailable: no mirror has a file, or none answers; the message says what each said.
        ConfigError: a mirror's file is another one than the lock says.
    """
    with refusals(cache):
        cache.mkdir(parents=True, exist_ok=True)
    client = httpx.Client(timeout=TIMEOUT_S, follow_redirects=True)
    with client, ThreadPoolExecutor(AT_A_TIME) as pool:
        return list(pool.map(lambda item: _fetch(client, item, cache=cache), wanted))


def _fetch(client: httpx.Client, wanted: Wanted, *, cache: Path) -> Path:
    path = cache / wanted.sha256
    if path.is_file() and _matches(path.read_bytes(), wanted):
        return path
    said: list[str] = []
    wrong = False
    for address in wanted.addresses:
        try:
            data = get(client, address)
        except Unavailable as exc:
            said.append(exc.message)
            continue
        if _matches(data, wanted):
            return _store(path, data)
        wrong = True
        digest = hashlib.sha256(data).hexdigest()
        said.append(
            f"{address}: {len(data)} bytes with sha256 {digest[:12]}…, expected {wanted.size_bytes} bytes "
            f"with {wanted.sha256[:12]}…"
        )
    kind = ConfigError if wrong else Unavailable
    raise kind(
        f"{wanted.name}: no mirror has it: {'; '.join(said) or 'no mirror is known'}",
        hint="bedside package --refresh-base FILE, or name another archive in BEDSIDE_DEBIAN_MIRROR",
    )


def get(client: httpx.Client, address: str) -> bytes:
    """Return the body of an address. Raises `Unavailable` where it cannot be had."""
    problem = ""
    for _ in range(ATTEMPTS):
        try:
            response = client.get(address)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            problem = f"{address}: {exc or type(exc).__name__}"
            continue
        if response.is_success:
            return response.content
        problem = f"{address}: HTTP {response.status_code}"
        if response.status_code < 500:
            break
    raise Unavailable(problem)


def _matches(data: bytes, wanted: Wanted) -> bool:
    return len(data) == wanted.size_bytes and hashlib.sha256(data).hexdigest() == wanted.sha256


def _store(path: Path, data: bytes) -> Path:
    write_file(path, data)
    return path
