"""All that is known of one study: its versions, what brought it, what every rule said, jobs and results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bedside.domain.arrival import Arrival, ArrivalSummary, Entry
from bedside.domain.job import Job
from bedside.domain.pipeline import Decision
from bedside.domain.result import Result
from bedside.ports import JobFilter, Ledger, StudyFilter

#: Of one study nobody looks at more.
MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyStory:
    """What became of one version of a study.

    Attributes:
        arrival: The version, with its files.
        versions: All versions of the study, newest first.
        entries: What brought this version, newest first; the keys may hold names.
        decisions: What every rule said, in their order.
        jobs: What came of it, newest first, shadows too.
        results: Of those jobs, by id.
    """

    arrival: Arrival
    versions: Sequence[ArrivalSummary]
    entries: Sequence[Entry]
    decisions: Sequence[Decision]
    jobs: Sequence[Job]
    results: Mapping[str, Result]

    @property
    def is_newest(self) -> bool:
        """Whether no later version of the study is there."""
        return not self.versions or self.versions[0].id == self.arrival.id


def story(ledger: Ledger, tenant: str, arrival_id: str) -> StudyStory:
    """Return what is known of a version of a study.

    Raises:
        NotFound: There is none of that id in the tenant.
    """
    arrival = ledger.arrival(tenant, arrival_id)
    every = StudyFilter(subject=arrival.subject, all_versions=True)
    jobs = ledger.jobs(tenant, JobFilter(arrival_id=arrival_id), limit=MOST)
    results = {job.id: ledger.result(tenant, job.id) for job in jobs}
    return StudyStory(
        arrival=arrival,
        versions=ledger.studies(tenant, every, limit=MOST),
        entries=ledger.entries(tenant, arrival_id=arrival_id, limit=MOST),
        decisions=ledger.decisions(tenant, arrival_id),
        jobs=jobs,
        results={job_id: result for job_id, result in results.items() if result is not None},
    )
