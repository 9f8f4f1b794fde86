"""Second factors: set up with a first right code, asked for after the password, each code once.

Codes are those of RFC 6238, made by any authenticator app. Who lost the phone brings a recovery code; who
lost those too asks an administrator.
"""

import hmac
import secrets
from collections.abc import Collection
from datetime import timedelta

import pyotp

from bedside.domain.account import Account, key_of
from bedside.domain.person import PersonRole
from bedside.domain.second_factor import DIGITS, DRIFT, RECOVERY_CODES, STEP_S, SecondFactor
from bedside.errors import UsageError
from bedside.ports import Clock
from bedside.ports.second_factors import SecondFactors

#: One that waits for its first code is shown again for so long.
BEGUN = timedelta(minutes=15)
#: Of recovery codes: no letters or digits that are taken for others.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # pragma: allowlist secret
_GROUP = 5


class Seconds:
    """What accounts are asked for after the password.

    Args:
        factors: Keeps them.
        clock: The time.
        needed_by: Roles whose people must have one.
        issuer: What the app calls this portal.
    """

    def __init__(
        self, factors: SecondFactors, clock: Clock, *, needed_by: Collection[PersonRole], issuer: str
    ) -> None:
        self._factors = factors
        self._clock = clock
        self._needed_by = frozenset(needed_by)
        self._issuer = issuer

    def of(self, account: Account) -> SecondFactor | None:
        """Return an account's second factor, where it is confirmed."""
        found = self._factors.find(account.id)
        return found if found and found.is_confirmed else None

    def is_needed(self, account: Account) -> bool:
        """Whether somebody's roles demand one."""
        return any(post.role in self._needed_by for post in account.person.posts)

    def begin(self, account: Account) -> SecondFactor:
        """Return one that waits for its first code: the one that was begun just now, or a new one.

        What was shown long ago may have been seen by somebody who knew the password of then.

        Raises:
            UsageError: One is confirmed already.
        """
        known = self._factors.find(account.id)
        fresh = known is not None and self._clock.now() - known.made_at < BEGUN
        if known is not None and not known.is_confirmed and fresh:
            return known
        made = self._new(account)
        if not self._factors.begin(made):
            raise UsageError("there is a second factor already", hint="remove it first")
        return made

    def forget_begun(self, account: Account) -> None:
        """Let nobody know the secret of one that waits for its first code, where there is one.

        Of an account whose password was changed: whoever had the old one may have begun it and wait for the
        owner to confirm it.
        """
        known = self._factors.find(account.id)
        if known is not None and not known.is_confirmed:
            self._factors.begin(self._new(account))  # where it was confirmed at this moment, nothing happens

    def uri(self, account: Account, factor: SecondFactor) -> str:
        """Return what the app reads from the QR code."""
        return pyotp.TOTP(factor.secret).provisioning_uri(name=account.email, issuer_name=self._issuer)

    def confirm(self, account: Account, code: str) -> list[str] | None:
        """Confirm the one that was begun; return its recovery codes, shown once, or None for a wrong code."""
        waiting = self._factors.find(account.id)
        step = self._step(waiting, code) if waiting else None
        if step is None:
            return None
        made = _recovery_codes()
        hashes = [key_of(_plain(each)) for each in made]
        now = self._clock.now()
        return made if self._factors.confirm(account.id, at=now, step=step, recovery=hashes) else None

    def accept(self, account: Account, code: str) -> str:
        """Use a code up; return by what it was right, ``app`` or ``recovery``, or empty where it was not."""
        factor = self.of(account)
        if factor is None:
            return ""
        step = self._step(factor, code)
        if step is not None:
            return "app" if self._factors.use_step(account.id, step) else ""
        hashed = key_of(_plain(code))
        return "recovery" if self._factors.use_recovery(account.id, hashed) else ""

    def renew(self, account: Account) -> list[str]:
        """Return new recovery codes; the old ones end.

        Raises:
            UsageError: There is no second factor.
        """
        made = _recovery_codes()
        if not self._factors.renew_recovery(account.id, [key_of(_plain(each)) for each in made]):
            raise UsageError("there is no second factor")
        return made

    def remove(self, account: Account) -> bool:
        """Forget an account's second factor; False where there was none."""
        return self._factors.remove(account.id)

    def _new(self, account: Account) -> SecondFactor:
        return SecondFactor(account=account.id, secret=pyotp.random_base32(), made_at=self._clock.now())

    def _step(self, factor: SecondFactor, code: str) -> int | None:
        """Return the step of time to which a code belongs, or None where it belongs to none near now."""
        given = code.replace(" ", "")
        if len(given) != DIGITS or not given.isascii() or not given.isdigit():
            return None
        totp, now = pyotp.TOTP(factor.secret), int(self._clock.now().timestamp()) // STEP_S
        found = None
        for step in range(now - DRIFT, now + DRIFT + 1):
            if hmac.compare_digest(totp.generate_otp(step), given):
                found = step
        return found


def _recovery_codes() -> list[str]:
    """Return new ones: 49 bits each, in two groups that can be read aloud."""
    groups = ["".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(2 * RECOVERY_CODES)]
    return [f"{first}-{second}" for first, second in zip(groups[::2], groups[1::2], strict=True)]


def _plain(code: str) -> str:
    """Return a recovery code as it is hashed, however it was typed."""
    return "".join(code.lower().split()).replace("-", "")
