"""Passwords: which are refused and why, and what their hashes are."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest
from argon2 import Parameters, PasswordHasher, extract_parameters

from bedside.errors import TooMany
from bedside.people.passwords import AT_A_TIME, MOST_WAITING, Passwords, weakness

FINE = "seven green herons wading"  # pragma: allowlist secret
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        (FINE, None),
        ("correct-horse-battery", None),
        ("Añ0-luz y mandarinas", None),
        ("Ana herself likes long walks", None),  # a name in a long sentence
        ("elevenchars", "short"),
        ("x" * 513, "long"),
        ("aaaaaaaaaaaa", "common"),
        ("abababababab", "common"),
        ("Password1234!", "common"),
        ("passwordpassword", "common"),
        ("PasswordPassword123", "common"),
        ("qwertyuiop123", "common"),
        ("123456789012", "common"),
        ("abcdefghijkl", "common"),
        ("lkjhgfdsapoi", "common"),
        ("contraseña2026", "common"),
        ("hospital12345", "common"),
        ("1q2w3e4r5t6y", "common"),
        ("gomez-herrera1", "yours"),
        ("GomezHerrera99", "yours"),
        ("ana.gomez@ward", "yours"),
    ],
)
def test_what_is_guessed_first_is_refused(password: str, why: str | None) -> None:
    about = ("Ana Gomez-Herrera", "ana.gomez@ward.example", "ana.gomez")
    assert weakness(password, about) == why


def test_a_hash_is_argon2id_with_costs_of_today() -> None:
    kept = Passwords().hash(FINE)
    found = extract_parameters(kept)
    # OWASP: at least 19 MiB and two rounds; RFC 9106's second choice is 64 MiB and three.
    assert found.type.name == "ID" and found.memory_cost >= 65536 and found.time_cost >= 3
    assert FINE not in kept and Passwords().fits(kept, FINE) and not Passwords().fits(kept, f"{FINE}.")


def test_a_hash_of_other_costs_is_taken_and_told() -> None:
    old = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(FINE)
    now = Passwords(CHEAP)
    assert now.fits(old, FINE) and now.is_outdated(old) and not now.is_outdated(now.hash(FINE))


@pytest.mark.parametrize("kept", ["", "nonsense", "$argon2id$v=19$m=8,t=1,p=1$AAAA"])
def test_no_password_fits_where_none_is_kept(kept: str) -> None:
    passwords = Passwords(CHEAP)
    assert not passwords.fits(kept, "") and not passwords.fits(kept, "nobody has this password")


class Noted(PasswordHasher):
    """Remembers the costs of every hash that a password was checked against."""

    def __init__(self) -> None:
        super().__init__(time_cost=2, memory_cost=16, parallelism=1)
        self.costs: list[Parameters] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # noqa: A002
        self.costs.append(extract_parameters(str(hash)))
        return super().verify(hash, password)


def test_an_unknown_account_costs_what_a_known_one_does() -> None:
    hasher = Noted()
    passwords = Passwords(hasher)
    kept = passwords.hash(FINE)
    assert not passwords.fits(kept, "another password") and not passwords.fits("", "another password")
    known, unknown = hasher.costs
    assert known == unknown


class Slow(PasswordHasher):
    """Checks nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.go = threading.Event()

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # noqa: A002
        self.go.wait(10)
        return super().verify(hash, password)


def test_however_many_guess_at_once_few_threads_are_busy_with_it() -> None:
    hasher = Slow()
    passwords = Passwords(hasher)
    kept, at_once = passwords.hash(FINE), AT_A_TIME + MOST_WAITING
    with ThreadPoolExecutor(at_once + 5) as pool:
        asked = [pool.submit(passwords.fits, kept, FINE) for _ in range(at_once + 5)]
        refused = list(itertools.islice(as_completed(asked, timeout=5), 5))
        hasher.go.set()
    assert all(isinstance(one.exception(), TooMany) for one in refused)
    assert [one.result() for one in asked if one not in refused] == [True] * at_once
    assert passwords.fits(kept, FINE), "it goes on"
