"""Numbers as pages say them: seconds, bytes and money in few digits, the same in every language."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bedside.worker.naming import short

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def seconds(value: float) -> str:
    """Return a time: ``0.12 s``, ``48 s``, ``3 min 20 s``, ``5 h 10 min``, ``2 d 4 h``."""
    if value < 10:
        return f"{value:.2f} s" if value < 1 else f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _two(whole, 60, "min", "s")
    if whole < 86_400:
        return _two(whole // 60, 60, "h", "min")
    return _two(whole // 3600, 24, "d", "h")


def size(value: float) -> str:
    """Return a number of bytes: ``512 B``, ``1.5 GB``; powers of a thousand."""
    for unit in _UNITS[:-1]:
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} {_UNITS[-1]}"


def usd(value: float) -> str:
    """Return a sum of money: ``0.0042 USD``, ``12.30 USD``."""
    return f"{value:.4f} USD" if value < 1 else f"{value:,.2f} USD"


def number(value: float) -> str:
    """Return a count or a small sum, without a needless point."""
    return f"{value:,.0f}" if value == round(value) else f"{value:,.4g}"


def past(at: datetime, now: datetime) -> str:
    """Return how long ago something was."""
    return seconds(max((now - at).total_seconds(), 0.0))


def _two(value: int, per: int, large: str, small: str) -> str:
    rest = value % per
    return f"{value // per} {large}" + (f" {rest} {small}" if rest else "")


#: What templates of this area may call.
SAID: Mapping[str, Any] = {
    "say_seconds": seconds,
    "say_size": size,
    "say_usd": usd,
    "say_number": number,
    "say_past": past,
    "short": short,
}
