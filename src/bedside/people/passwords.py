"""Passwords: their hashes by Argon2id, and which ones are refused.

Length counts and rules of composition do not (NIST SP 800-63B, 3.1.1.2): a password is long enough, is none
of the commonest, and has nothing of its owner in it.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import cache, cached_property
from importlib.resources import files

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from bedside.errors import TooMany

#: Characters.
SHORTEST, LONGEST = 12, 512
#: Each takes 64 MiB for a tenth of a second: so many at a time, whoever asks.
AT_A_TIME = 4
#: So many more wait to be checked. With those above it is half of the threads that answer requests: images
#: and studies go on meanwhile.
MOST_WAITING = 16
RETRY_S = 5
#: Parts of a name or an address shorter than this stand in many honest passwords.
_PART_CHARACTERS = 4
_DIFFERENT = 5
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",  # pragma: allowlist secret
    "01234567890123456789",
    "9876543210987654321",
)


class Weakness(StrEnum):
    """Why a password is refused."""

    SHORT = "short"
    LONG = "long"
    COMMON = "common"
    YOURS = "yours"  # a name or an address of its owner is in it


class Passwords:
    """Hashes and checks passwords; threads may share it.

    Args:
        hasher: Argon2's costs; hashes of other costs are checked too, and made anew.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._few = threading.BoundedSemaphore(AT_A_TIME)
        self._room = threading.BoundedSemaphore(AT_A_TIME + MOST_WAITING)

    def hash(self, password: str) -> str:
        """Return what is kept of a password."""
        with self._few:
            return self._hasher.hash(password)

    def fits(self, kept: str, password: str) -> bool:
        """Whether a password is the one that was kept; takes the same time where none was.

        Raises:
            TooMany: So many are checked just now that this one would wait for long.
        """
        try:
            with self._place(), self._few:
                self._hasher.verify(kept or self._nobodys, password)
        except (Argon2Error, InvalidHashError):
            return False
        return bool(kept)

    def is_outdated(self, kept: str) -> bool:
        """Whether a hash has other costs than those of today."""
        return self._hasher.check_needs_rehash(kept)

    @contextmanager
    def _place(self) -> Iterator[None]:
        # Anybody may ask for a check, and as often as there are addresses; hashes are made for few.
        if not self._room.acquire(blocking=False):
            raise TooMany("many people sign in just now", retry_after_s=RETRY_S)
        try:
            yield
        finally:
            self._room.release()

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash("nobody has this password")


def weakness(password: str, about: Iterable[str]) -> Weakness | None:
    """Return why a password is refused, or None.

    Args:
        password: Not kept, not repeated.
        about: Name and addresses of its owner.
    """
    if len(password) < SHORTEST:
        return Weakness.SHORT
    if len(password) > LONGEST:
        return Weakness.LONG
    plain = password.casefold()
    if _is_common(plain):
        return Weakness.COMMON
    parts = {part for text in about for part in _parts(text) if len(part) >= _PART_CHARACTERS}
    # One's name in a long sentence is no harm; as the most of a password it is.
    if any(len(plain.replace(part, "")) < SHORTEST - _PART_CHARACTERS for part in parts if part in plain):
        return Weakness.YOURS
    return None


def _parts(text: str) -> list[str]:
    folded = text.casefold()
    words = "".join(c if c.isalnum() else " " for c in folded).split()
    return [*words, folded.replace(" ", "")]


def _is_common(plain: str) -> bool:
    if len(set(plain)) < _DIFFERENT:
        return True
    if any(plain in row * 2 or plain in row[::-1] * 2 for row in _ROWS):
        return True
    core = plain.strip("0123456789!?.,;:-_*#+$%&@ ")
    for text in (plain, core):
        squeezed = "".join(c for c in text if c.isalnum())
        if any(squeezed == word * (len(squeezed) // len(word)) for word in _common()):
            return True
    return False


@cache
def _common() -> frozenset[str]:
    text = files("bedside.people").joinpath("common.txt").read_text(encoding="utf-8")
    return frozenset(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))
