"""From the parameters of an address or a form to what the ledger is asked for.

Forms send every field, filled or not, so that empty means any; what cannot be understood is refused with
the words that would be.
"""

from dataclasses import dataclass, replace
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, TypeVar

from fastapi import Depends, Form, Query

from bedside.domain.job import JobState
from bedside.domain.release import Role
from bedside.errors import ErrorCode, UsageError, told
from bedside.ports import JobFilter, StudyFilter

#: Of studies: the state of those that started nothing.
NOTHING = "none"

_E = TypeVar("_E", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody wants listed, as it was written.

    Attributes:
        state: A state of jobs, or `NOTHING`.
        pipeline: Its name.
        release: Its digest.
        rule: Its name.
        role: For whom jobs are.
        since: A day, UTC.
        until: The last day, UTC.
        text: Begins an id or a study's UID; of a form that was posted also words for the catalogue.
        after: Id of what the list goes on after.
    """

    state: str = ""
    pipeline: str = ""
    release: str = ""
    rule: str = ""
    role: str = ""
    since: str = ""
    until: str = ""
    text: str = ""
    after: str = ""

    def jobs(self, named: frozenset[str] = frozenset()) -> JobFilter:
        """Return which jobs these are.

        Args:
            named: Studies that the words were found in.

        Raises:
            UsageError: It cannot be understood.
        """
        since, until = self._days()
        return JobFilter(
            states=frozenset({_one_of(JobState, self.state, "state")} if self.state else ()),
            roles=frozenset({_one_of(Role, self.role, "role")} if self.role else ()),
            pipeline=self.pipeline,
            release=self.release,
            rule=self.rule,
            since=since,
            until=until,
            text=self.text.strip(),
            named=named,
        )

    def studies(self, named: frozenset[str] = frozenset()) -> StudyFilter:
        """Return which studies these are; see `jobs`."""
        nothing = self.state == NOTHING
        jobs = (replace(self, state="") if nothing else self).jobs()
        return StudyFilter(
            jobs=replace(jobs, since=None, until=None, text=""),
            without_job=nothing,
            since=jobs.since,
            until=jobs.until,
            text=jobs.text,
            named=named,
        )

    def query(self, **changed: str) -> dict[str, str]:
        """Return the parameters of an address that asks the same; never the words that were searched for."""
        values = {
            "state": self.state,
            "pipeline": self.pipeline,
            "release": self.release,
            "rule": self.rule,
            "role": self.role,
            "since": self.since,
            "until": self.until,
        }
        return {name: value for name, value in (values | changed).items() if value}

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but everything was asked for."""
        return bool(self.query() or self.text)

    def _days(self) -> tuple[datetime | None, datetime | None]:
        since, until = _day(self.since, "since"), _day(self.until, "until")
        if until is None or until.year == MAXYEAR:  # there may be no day after it
            return since, None
        return since, until + timedelta(days=1)


def by_address(
    state: Annotated[
        str, Query(max_length=20, description="State of a job; of studies also none: nothing was started.")
    ] = "",
    pipeline: Annotated[str, Query(max_length=200, description="Name of a pipeline.")] = "",
    release: Annotated[str, Query(max_length=200, description="Digest of a release that a stage runs.")] = "",
    rule: Annotated[str, Query(max_length=200, description="Name of the rule that started the job.")] = "",
    role: Annotated[str, Query(max_length=20, description="current, canary, shadow or rerun.")] = "",
    since: Annotated[str, Query(max_length=10, description="First day, YYYY-MM-DD, UTC.")] = "",
    until: Annotated[str, Query(max_length=10, description="Last day, YYYY-MM-DD, UTC.")] = "",
    text: Annotated[
        str,
        Query(
            max_length=200, description="Beginning of a job's id, an arrival's id or a Study Instance UID."
        ),
    ] = "",
    after: Annotated[
        str, Query(max_length=200, description="Go on after this id: `next` of the page before.")
    ] = "",
) -> Asked:
    """Return what an address asks for."""
    return Asked(
        state=state,
        pipeline=pipeline,
        release=release,
        rule=rule,
        role=role,
        since=since,
        until=until,
        text=text,
        after=after,
    )


def by_form(
    text: Annotated[str, Form(max_length=200)] = "",
    state: Annotated[str, Form(max_length=20)] = "",
    pipeline: Annotated[str, Form(max_length=200)] = "",
    release: Annotated[str, Form(max_length=200)] = "",
    rule: Annotated[str, Form(max_length=200)] = "",
    role: Annotated[str, Form(max_length=20)] = "",
    since: Annotated[str, Form(max_length=10)] = "",
    until: Annotated[str, Form(max_length=10)] = "",
    after: Annotated[str, Form(max_length=200)] = "",
) -> Asked:
    """Return what a form asks for: its words may be a name, which must not stand in an address."""
    return Asked(
        state=state,
        pipeline=pipeline,
        release=release,
        rule=rule,
        role=role,
        since=since,
        until=until,
        text=text,
        after=after,
    )


ByAddress = Annotated[Asked, Depends(by_address)]
ByForm = Annotated[Asked, Depends(by_form)]


def _one_of(kind: type[_E], text: str, name: str) -> _E:
    try:
        return kind(text)
    except ValueError as exc:
        raise UsageError(
            f"{name}: unknown", hint=f"one of {', '.join(kind)}", told=told(ErrorCode.FILTER_UNKNOWN)
        ) from exc


def _day(text: str, name: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), time(), tzinfo=UTC)
    except ValueError as exc:
        raise UsageError(f"{name}: no day", hint="YYYY-MM-DD", told=told(ErrorCode.DAY_WRONG)) from exc
