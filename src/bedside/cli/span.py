"""A length of time as people type it: ``90s``, ``30m``, ``2h``, ``1d``."""

import re
from datetime import timedelta
from typing import Any

import click

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Span(click.ParamType[timedelta]):
    """A length of time, e.g. 90s, 30m, 2h or 1d."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return it, or refuse with what it should look like."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"(\d{1,6})([smhd])", str(value))
        if found is None:
            self.fail(f"{value!r} is no time: a number and s, m, h or d, e.g. 30m", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})
