"""What is left of a deployment that was destroyed: nothing, by tag, by record and by list.

A file of its own, and the last of this folder, so that the minute for which the provider waits until a
database is gone is spent on the tests before it. The emulator is ministack, with policies checked.
"""

import pytest

from guarded_site import Guarded, Told
from terraform import Underway

pytestmark = [pytest.mark.needs("terraform"), pytest.mark.timeout(400)]


def test_destroying_leaves_nothing(guarded: Guarded, standing: Told, destroying: Underway) -> None:
    destroying.end()
    found = guarded.told()
    assert found.listed == frozenset()
    assert found.proof.left == ()
    # Those that have no question of their own carry no tag any more; the lists above are theirs.
    assert found.proof.gone > 70
    assert found.proof.gone + found.proof.unasked == len(standing.proof.left) + standing.proof.unasked
