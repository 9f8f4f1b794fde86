"""The order of Debian's versions, by the examples of Debian policy 5.6.12 and deb-version(7)."""

import itertools

import pytest

from bedside.package.base.versions import stanzas, version_key

IN_ORDER = (
    "0.9~~", "0.9~~a", "0.9~", "0.9", "1.0~beta1~svn1245", "1.0~beta1", "1.0", "1.0-1", "1.0-1+deb12u1",
    "1.0-1+deb12u10", "1.0-2", "1.0a", "1.0+b1", "1.0.1", "1.2", "1.10", "2.36-9+deb12u9", "2.36-9+deb12u14",
    "2:0.1",
)  # fmt: skip


@pytest.mark.parametrize(("earlier", "later"), itertools.combinations(IN_ORDER, 2))
def test_versions_sort_as_debian_sorts_them(earlier: str, later: str) -> None:
    assert version_key(earlier) < version_key(later)


def test_no_epoch_is_epoch_zero() -> None:
    assert version_key("0:1.0-1") == version_key("1.0-1")


def test_stanzas_have_their_fields_and_folded_lines() -> None:
    text = "Package: a\nDescription: short\n long\n .\n more\nSize: 5\n\nPackage: b\n"

    first, second = stanzas(text)

    assert first == {"Package": "a", "Description": "short\n long\n .\n more", "Size": "5"}
    assert second == {"Package": "b"}
