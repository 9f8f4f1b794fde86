"""How a deployment does, in words: what needs a person stands first, and a quiet one costs nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bedside.deploy.overview import EndedJob, Overview, ended_jobs, is_dead
from bedside.ports.cloud import Alarm, Depth, Group, Pushed
from bedside.ports.cloudlogs import LogLine

AT = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
NOTHING = Depth(visible=0, in_flight=0, delayed=0)
#: No machine, of at most two.
ASLEEP = Group(desired=0, in_service=0, max=2)


def said(
    queue: Depth = NOTHING,
    dead: Depth = NOTHING,
    group: Group = ASLEEP,
    control: Group | None = None,
    alarms: Sequence[Alarm] = (),
    releases: Sequence[Pushed] | None = None,
    jobs: Sequence[EndedJob] = (),
) -> list[str]:
    found = Overview(
        urls={},
        queues={"ward-events": queue},
        dead={"ward-events-dead": dead},
        groups={"ward-default": group},
        control=control,
        alarms=alarms,
        releases=releases,
        registry="registry.example/ward",
        jobs=jobs,
    )
    return list(found.sentences())


def test_a_quiet_deployment() -> None:
    assert said() == [
        "nothing waits; no machine works and none costs",
        "no job ended in the last 24 hours",
    ]


def test_a_control_machine_works_for_no_pool_and_is_missed_when_it_is_not_there() -> None:
    there = Group(desired=1, in_service=1, max=1)
    assert said(control=there)[:2] == ["nothing waits; no machine works", "the control machine is there"]
    waiting = said(Depth(visible=1, in_flight=0, delayed=0), control=there)
    assert waiting[0].endswith(
        "; the waker asks for one within a minute, or as late as permitted_wait_s lets it"
    )
    gone = said(control=Group(desired=1, in_service=0, max=1))[1]
    assert gone.startswith("the control machine is not there") and "logs --part control" in gone


def test_work_without_machines_is_told_with_what_comes_next() -> None:
    three = Depth(visible=2, in_flight=1, delayed=1)
    assert said(three)[0] == (
        "3 messages wait and 1 are in work; no machine works; the waker asks for one within a minute, "
        "or as late as permitted_wait_s lets it"
    )
    coming = Group(desired=2, in_service=1, max=2)
    assert said(three, group=coming)[0].endswith("in work; 1 machines work, 1 more are coming")
    assert said(three, group=Group(desired=0, in_service=0, max=0))[0].endswith("works: it is night")


def test_what_needs_a_person_stands_first() -> None:
    alarms = [
        Alarm(name="ward-a", text="look: bedside deploy status", rings=True, since=AT),
        Alarm(name="ward-b", text="", rings=False, since=AT),
    ]
    job = EndedJob(at=AT, how="dead", tenant="ward-3", job="j1")
    found = said(dead=Depth(visible=1, in_flight=0, delayed=0), alarms=alarms, releases=[], jobs=[job])
    assert found == [
        "alarm ward-a rings since 2026-01-15 09:30 UTC: look: bedside deploy status",
        "1 messages were given up: bedside deploy dead list",
        "nothing waits; no machine works and none costs",
        "no release was pushed yet: bedside package BUNDLE --push registry.example/ward:VERSION",
        "jobs of the last 24 hours: 1 dead; bedside deploy logs --since 1d --filter job.dead says why",
    ]
    assert "none of 1 alarms rings" in said(alarms=alarms[1:])


def test_jobs_are_read_from_what_machines_wrote() -> None:
    texts = [
        "2026-01-15T09:30:00.000000Z action=job.leased worker=w tenant=ward-3 job=j1",
        "2026-01-15T09:31:00.000000Z action=job.succeeded worker=w tenant=ward-3 job=j1 attempt=1",
        "2026-01-15T09:32:00.000000Z action=job.dead worker=w tenant=default job=j2",
        "2026-01-15T09:33:00.000000Z action=job.succeeded worker=w tenant=default job=j3 phantom=yes",
    ]
    lines = [
        LogLine(at=AT + timedelta(minutes=n), group="g", stream="i-1", text=text, id=str(n))
        for n, text in enumerate(texts)
    ]
    assert [(job.job, job.how, job.tenant) for job in ended_jobs(lines)] == [
        ("j2", "dead", "default"),
        ("j1", "succeeded", "ward-3"),
    ]


def test_queues_of_what_was_given_up_are_told_by_their_names() -> None:
    assert is_dead("ward-events-dead") and is_dead("ward-waker-failed") and not is_dead("ward-events")
