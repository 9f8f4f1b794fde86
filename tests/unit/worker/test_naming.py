"""The release that a person means."""

from dataclasses import replace

import pytest

from bedside.errors import NotFound, UsageError
from bedside.worker.naming import find_release
from ledger_samples import make_release

A, B = make_release("a"), replace(make_release("b"), version="2.0")
LIVER = replace(make_release("c"), name="liver")
LUNG = replace(make_release("d"), name="Lung, CT (example)", version="1.2")
ALL = (A, B, LIVER, LUNG)
NAMES = {"spleen:1.0": A.digest, "localhost:5000/spleen:prod": B.digest, "lost:1": "sha256:" + "9" * 64}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (A.digest, A),
        (A.digest[7:], A),
        ("sha256:bbbb", B),
        ("bbbbb", B),
        ("spleen:1.0", A),
        ("localhost:5000/spleen:prod", B),
        ("spleen:2.0", B),
        ("liver", LIVER),
        ("Lung, CT (example):1.2", LUNG),
        ("lung-ct-example", LUNG),
        ("lung-ct-example:1.2", LUNG),
    ],
)
def test_digests_beginnings_and_names(text: str, meant: object) -> None:
    assert find_release(text, ALL, NAMES) == meant


@pytest.mark.parametrize("text", ["spleen", "sha256:aaaa"])
def test_what_fits_two_is_not_guessed(text: str) -> None:
    twins = (*ALL, replace(A, digest="sha256:" + "a" * 63 + "0", version="1.1"))
    with pytest.raises(UsageError, match="releases: "):
        find_release(text, twins, {})


@pytest.mark.parametrize("text", ["kidney", "aaa", "lost:1", ""])
def test_what_fits_none_is_told(text: str) -> None:
    with pytest.raises(NotFound):
        find_release(text, ALL, NAMES)
