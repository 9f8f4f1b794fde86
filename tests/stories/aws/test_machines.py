"""Several machines on one ledger and one bucket: one loses its power, a release is promoted meanwhile."""

import json
import time
from collections import Counter

import pytest

from aws_site import Machine, Models, Site, SiteOf
from bedside.adapters.aws.feed import PATIENCE_S
from bedside.adapters.aws.queue import INVISIBLE_S
from bedside.domain.job import JobState
from serving import eventually

pytestmark = [pytest.mark.needs("initdb", "pg_ctl", "docker-registry", "terraform"), pytest.mark.timeout(600)]

#: Studies that wait when a release is promoted, and studies that come after it.
QUEUED, LATER = 20, 2


def leases(machine: Machine) -> int:
    return sum("action=job.leased " in line for line in machine.lines)


def check_each_job_ended_once(site: Site, count: int) -> None:
    jobs = site.jobs()
    assert [job.state for job in jobs] == [JobState.SUCCEEDED] * count
    assert len({job.arrival_id for job in jobs}) == count
    assert [site.actions(job).count("job.complete") for job in jobs] == [1] * count
    results = site.ledger.results(site.tenant, current_only=False)
    assert Counter(result.job_id for result in results) == Counter(job.id for job in jobs)
    assert not any(result.superseded_by for result in results)
    assert list(site.store().list("input/")) == []


def test_of_two_machines_one_loses_its_power_in_the_middle_of_a_job(site_of: SiteOf) -> None:
    site = site_of("slow")
    machines = site.start_all(2)
    site.send("one")

    def at_work() -> list[Machine]:
        """Who works on the job, once what was sent is on record."""
        return [machine for machine in machines if leases(machine) and site.entries()]

    assert eventually(at_work, within_s=60, every_s=0.02), site.told()
    (first,) = at_work()
    (second,) = [machine for machine in machines if machine is not first]
    first.lose()
    (job,) = site.jobs()
    assert job.state is JobState.RUNNING, "it was killed too late"
    time.sleep(1.5)  # till the queue answered what the dead machine asked last: that answer would be lost
    site.send("two")
    # Longer than a message is held: what the dead machine was told of comes back by then.
    assert eventually(lambda: site.settled(2), within_s=INVISIBLE_S + 60), site.told()
    check_each_job_ended_once(site, 2)
    actions = site.actions(job)
    assert [actions.count(f"job.{name}") for name in ("lease", "expire", "complete")] == [2, 1, 1]
    assert second.stop() == 0
    assert not second.said("job.lost")


def test_what_a_machine_was_told_of_when_it_lost_its_power_another_one_takes(site_of: SiteOf) -> None:
    site = site_of("1.0", quiet_s=4.0)
    first = site.start_control()
    site.send("one")
    assert eventually(lambda: site.cloud.messages(site.queue)["held"], within_s=30), first.told()
    first.lose()
    assert site.entries() == [], "it was killed too late"
    second = site.start()
    site.cloud.let_holders_lapse(site.queue)
    # Sooner than it would take what nobody told it of.
    assert eventually(lambda: site.settled(1), within_s=PATIENCE_S - 5), second.told()
    check_each_job_ended_once(site, 1)


def test_a_release_is_promoted_while_twenty_jobs_wait(site_of: SiteOf, models: Models) -> None:
    site = site_of("1.0")
    control = site.start_control()
    for number in range(QUEUED):
        site.send(f"before-{number}")
    assert eventually(lambda: len(site.jobs()) == QUEUED, within_s=60), control.told()
    assert {job.state for job in site.jobs()} == {JobState.QUEUED}
    promoted = site.command("release", "promote", f"{models.name}:2.0")
    assert promoted.returncode == 0, promoted.stderr
    machines = site.start_all(2)
    for number in range(LATER):
        site.send(f"after-{number}")
    assert eventually(lambda: site.settled(QUEUED + LATER), within_s=120), site.told()

    check_each_job_ended_once(site, QUEUED + LATER)
    old, new = models.digests["1.0"], models.digests["2.0"]
    assert Counter(job.stage.release for job in site.jobs()) == {old: QUEUED, new: LATER}
    for job in site.jobs():
        document = json.loads(site.store().get(f"{job.prefix}/result.json"))
        assert document["release"]["digest"] == job.stage.release
        assert document["release"]["version"] == {old: "1.0", new: "2.0"}[job.stage.release]
    assert eventually(lambda: not any(site.cloud.messages(site.queue).values()), within_s=30), site.told()
    assert [machine.stop() for machine in (control, *machines)] == [0, 0, 0]
