"""A whole deployment where policies are checked, once for the tests of this folder."""

from collections.abc import Iterator

import pytest

from guarded_site import Guarded, Guarding, run_guarded


@pytest.fixture(scope="session")
def guarding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarding]:
    """Begin to apply it; most of that is waiting, which other tests can use."""
    with run_guarded(tmp_path_factory.mktemp("guarded")) as running:
        yield running


@pytest.fixture(scope="session")
def guarded(guarding: Guarding) -> Guarded:
    """Return what was applied, once it is whole."""
    guarding.underway.end()
    return Guarded(cloud=guarding.cloud, outputs=guarding.terraform.outputs())
