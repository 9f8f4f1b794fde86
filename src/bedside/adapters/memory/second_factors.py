"""`MemorySecondFactors`: second factors in this process's memory, for tests."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bedside.domain.second_factor import SecondFactor


class MemorySecondFactors:
    """A `bedside.ports.second_factors.SecondFactors` as long as the object lives; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._factors: dict[str, SecondFactor] = {}

    def find(self, account_id: str) -> SecondFactor | None:
        """Return an account's second factor, confirmed or not, or None."""
        with self._lock:
            return self._factors.get(account_id)

    def begin(self, factor: SecondFactor) -> bool:
        """Record one that is not confirmed, over another such; False where one is confirmed."""
        with self._lock:
            if self._confirmed(factor.account):
                return False
            self._factors[factor.account] = factor
            return True

    def confirm(self, account_id: str, *, at: datetime, step: int, recovery: Sequence[str]) -> bool:
        """Confirm the one that was begun by the code of a step; False where none waits for it."""
        with self._lock:
            known = self._factors.get(account_id)
            if known is None or known.is_confirmed:
                return False
            self._factors[account_id] = replace(
                known, confirmed_at=at, last_step=step, recovery=tuple(recovery)
            )
            return True

    def use_step(self, account_id: str, step: int) -> bool:
        """Use a confirmed one's code up; False where that or a later one was used before."""
        with self._lock:
            known = self._confirmed(account_id)
            if known is None or known.last_step >= step:
                return False
            self._factors[account_id] = replace(known, last_step=step)
            return True

    def use_recovery(self, account_id: str, code_hash: str) -> bool:
        """Use a recovery code up; False where there is none of this hash any more."""
        with self._lock:
            known = self._factors.get(account_id)
            if known is None or code_hash not in known.recovery:
                return False
            left = tuple(code for code in known.recovery if code != code_hash)
            self._factors[account_id] = replace(known, recovery=left)
            return True

    def renew_recovery(self, account_id: str, recovery: Sequence[str]) -> bool:
        """Let those recovery codes work, and no others; False where no factor is confirmed."""
        with self._lock:
            known = self._confirmed(account_id)
            if known is None:
                return False
            self._factors[account_id] = replace(known, recovery=tuple(recovery))
            return True

    def remove(self, account_id: str) -> bool:
        """Forget it; False where there was none."""
        with self._lock:
            return self._factors.pop(account_id, None) is not None

    def _confirmed(self, account_id: str) -> SecondFactor | None:
        known = self._factors.get(account_id)
        return known if known and known.is_confirmed else None
