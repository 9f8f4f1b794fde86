"""Portals for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from portal_results import made_result, read_only, results  # noqa: F401  # fixtures
from portal_site import Site, site


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Site]:
    """A portal over an empty deployment, asked by a clinician of tenant ``default``."""
    with site(tmp_path) as opened:
        yield opened
