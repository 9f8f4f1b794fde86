"""Which judgements commands ask for: the options that all of them have in common."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import click

from bedside.cli.audit.wishes import Since
from bedside.domain.judgement import Verdict
from bedside.ports.judgements import JudgementFilter

_Decorated = TypeVar("_Decorated", bound=Callable[..., object])


def wishes(command: _Decorated) -> _Decorated:
    """Add ``--pipeline``, ``--release``, ``--verdict``, ``--since`` and ``--until``."""
    options = (
        click.option("--pipeline", default="", show_default="all", help="Of this pipeline."),
        click.option("--release", default="", show_default="all", help="Of this release, by its digest."),
        click.option(
            "--verdict",
            "verdicts",
            multiple=True,
            type=click.Choice([verdict.value for verdict in Verdict]),
            show_default="all",
            help="Only these.",
        ),
        click.option("--since", type=Since(), help="Not before, e.g. 7d or 2026-03-01."),
        click.option("--until", type=Since(), help="Before, e.g. 1d or 2026-04-01."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def wanted(
    pipeline: str, release: str, verdicts: tuple[str, ...], since: datetime | None, until: datetime | None
) -> JudgementFilter:
    """Return what those options ask for."""
    return JudgementFilter(
        pipeline=pipeline,
        release=release,
        verdicts=frozenset(Verdict(verdict) for verdict in verdicts),
        since=since,
        until=until,
    )
