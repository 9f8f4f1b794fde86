"""Log lines."""

import io
from datetime import UTC, datetime

from bedside.log import Lines, line


def test_a_line_is_words_with_one_equals_sign_each() -> None:
    said = line(
        "job.failed", job="3f", attempt=2, reason='gap of 10 mm, "big"', wait_s=0.25, worker="", hint=None
    )
    assert said == 'action=job.failed job=3f attempt=2 reason="gap of 10 mm, \\"big\\"" wait_s=0.25'


def test_a_line_stays_one_line() -> None:
    assert "\n" not in line("x", reason="a\nb\x1b[31m")
    assert "\x1b" not in line("x", reason="a\x1b[31m")


def test_each_line_has_its_time_and_the_writers_fields() -> None:
    stream = io.StringIO()
    log = Lines(lambda: datetime(2026, 3, 1, 8, 30, tzinfo=UTC), stream=stream, worker="w1")
    log("job.leased", job="3f")
    assert stream.getvalue() == "2026-03-01T08:30:00.000000Z action=job.leased worker=w1 job=3f\n"
