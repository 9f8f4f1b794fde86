"""Accounts' second factors. What is used up is used up once, whoever else asks at the same moment."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from bedside.domain.second_factor import SecondFactor


class SecondFactors(Protocol):
    """One second factor an account at most."""

    def find(self, account_id: str) -> SecondFactor | None:
        """Return an account's second factor, confirmed or not, or None."""
        ...

    def begin(self, factor: SecondFactor) -> bool:
        """Record one that is not confirmed, over another such; False where one is confirmed."""
        ...

    def confirm(self, account_id: str, *, at: datetime, step: int, recovery: Sequence[str]) -> bool:
        """Confirm the one that was begun by the code of a step; False where none waits for it."""
        ...

    def use_step(self, account_id: str, step: int) -> bool:
        """Use a confirmed one's code up; False where that or a later one was used before."""
        ...

    def use_recovery(self, account_id: str, code_hash: str) -> bool:
        """Use a recovery code up; False where there is none of this hash any more."""
        ...

    def renew_recovery(self, account_id: str, recovery: Sequence[str]) -> bool:
        """Let those recovery codes work, and no others; False where no factor is confirmed."""
        ...

    def remove(self, account_id: str) -> bool:
        """Forget it; False where there was none."""
        ...
