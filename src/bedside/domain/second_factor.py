"""A second factor: codes that an app makes of a shared secret and the time (TOTP, RFC 6238).

Six digits, SHA-1 and thirty seconds, since that is what every app understands. Each code lets in once: the
step of time of the last one is kept. Ten recovery codes stand in for a lost phone, each once; only their
hashes are kept. The secret itself must be kept, or no code could be checked.
"""

from dataclasses import dataclass, field
from datetime import datetime

#: Seconds of one step; RFC 6238 recommends thirty.
STEP_S = 30
DIGITS = 6
#: Steps by which the clocks of phone and server may differ.
DRIFT = 1
RECOVERY_CODES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondFactor:
    """One account's second factor.

    Attributes:
        account: Whose.
        secret: Shared with their app, in base 32.
        made_at: When it was begun.
        confirmed_at: When a first code of it was right; None is not asked for yet.
        last_step: Step of time of the last code that let in; codes up to it do not any more.
        recovery: Hashes of the recovery codes that are left.
    """

    account: str
    secret: str = field(repr=False)
    made_at: datetime
    confirmed_at: datetime | None = None
    last_step: int = 0
    recovery: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_confirmed(self) -> bool:
        """Whether it is asked for."""
        return self.confirmed_at is not None
