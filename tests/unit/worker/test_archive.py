"""Results on their way into the archive: confirmed or tried again, whatever dies meanwhile."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from bedside.domain.arrival import StoredFile, arrival_id
from bedside.domain.export import Export, ExportState, StudyPart, claimed
from bedside.domain.job import Job, JobState
from bedside.domain.release import Role
from bedside.errors import BedsideError, NotFound, Unavailable, UsageError
from bedside.ports.archive import ArchivedInstance, ImageSet, Parcel, Receipt, RefusedInstance, Sending
from bedside.worker.archive import HOLD, LOOK, MAX_ATTEMPTS, Archivist
from unit.worker.workshop import Workshop


@dataclass
class ScriptedArchive:
    """An archive that answers as a test says; the last answer for ever."""

    answers: list[Sending | Receipt | BedsideError | None]
    asked: list[tuple[str, Parcel]] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None

    def send(self, parcel: Parcel) -> Sending:
        answer = self._answer("send", parcel)
        assert isinstance(answer, Sending)
        return answer

    def check(self, parcel: Parcel, ticket: str) -> Receipt | None:
        answer = self._answer(ticket, parcel)
        assert not isinstance(answer, Sending)
        return answer

    def image_sets(self, study_uid: str) -> Sequence[ImageSet]:
        raise NotImplementedError

    def instances(self, image_set: str) -> Sequence[ArchivedInstance]:
        raise NotImplementedError

    def remove(self, image_set: str) -> None:
        raise NotImplementedError

    def frame(self, image_set: str, frame: str) -> bytes:
        raise NotImplementedError

    def _answer(self, what: str, parcel: Parcel) -> Sending | Receipt | None:
        self.asked.append((what, parcel))
        self.meanwhile()
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if isinstance(answer, BedsideError):
            raise answer
        return answer


ALL = Sending(receipt=Receipt(stored=1))


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def archives(shop: Workshop, *answers: Sending | Receipt | BedsideError | None) -> ScriptedArchive:
    """Let the workshop's worker archive what it delivers."""
    archive = ScriptedArchive(list(answers))
    parts = shop.worker._parts
    archivist = Archivist(ledger=shop.ledger, archive=archive, clock=shop.clock, log=parts.log)
    shop.worker._parts = replace(parts, archives=True, aside=archivist.step)
    return archive


def export_of(shop: Workshop, job: Job) -> Export:
    found = shop.ledger.export("ward", job.id)
    assert found is not None
    return found


def aside(shop: Workshop, after: timedelta = timedelta()) -> Callable[[], int]:
    shop.clock.advance(after.total_seconds())
    step = shop.worker._parts.aside
    assert step is not None
    return step


def test_a_delivered_result_is_archived_when_the_archive_says_so(shop: Workshop) -> None:
    archive = archives(shop, ALL)
    job = shop.submit()
    assert shop.worker.step()
    [(_, parcel)] = archive.asked
    assert (parcel.tenant, parcel.job_id, parcel.prefix) == ("ward", job.id, f"{job.prefix}/dicom")
    export = export_of(shop, job)
    assert (export.state, export.stored) == (ExportState.STORED, 1)
    history = [event.action for event in shop.ledger.events("ward", job_id=job.id)]
    assert history[-1] == "archive.stored"
    assert aside(shop, timedelta(days=1))() == 0 and len(archive.asked) == 1


def test_nothing_is_queued_without_an_archive_and_for_shadows(shop: Workshop) -> None:
    job = shop.submit()
    assert shop.worker.step()
    assert shop.ledger.export("ward", job.id) is None
    archive = archives(shop, ALL)
    arrival = shop.ledger.arrival("ward", job.arrival_id)
    shadow = replace(job, id="s1", identity="s1", role=Role.SHADOW, arrival_id=arrival.id)
    shop.ledger.enqueue(shadow)
    assert shop.worker.step()
    assert shop.now(shadow).state is JobState.SUCCEEDED
    assert shop.ledger.export("ward", "s1") is None and not archive.asked


def test_an_import_is_looked_after_until_it_is_confirmed(shop: Workshop) -> None:
    archive = archives(shop, Sending(ticket="t"), None, Receipt(stored=1))
    job = shop.submit()
    shop.worker.step()
    assert export_of(shop, job).state is ExportState.SENT
    assert aside(shop)() == 0
    assert aside(shop, LOOK)() == 1
    assert export_of(shop, job).state is ExportState.SENT
    assert aside(shop, LOOK)() == 1
    assert export_of(shop, job).state is ExportState.STORED
    assert [what for what, _ in archive.asked] == ["send", "t", "t"]


def test_an_archive_out_of_reach_is_tried_again_later_and_longer(shop: Workshop) -> None:
    archive = archives(shop, Unavailable("archive: throttled"), Unavailable("archive: throttled"), ALL)
    job = shop.submit()
    shop.worker.step()
    assert shop.now(job).state is JobState.SUCCEEDED
    waits = []
    for _ in range(2):
        export = export_of(shop, job)
        assert export.state is ExportState.QUEUED and export.reason == "archive: throttled"
        waits.append((export.not_before - shop.clock.now()).total_seconds())
        assert aside(shop, timedelta(seconds=waits[-1] - 1))() == 0
        assert aside(shop, timedelta(seconds=1))() == 1
    assert waits == [30, 60]
    assert export_of(shop, job).state is ExportState.STORED
    assert len({parcel.token for _, parcel in archive.asked}) == 1


def test_it_is_given_up_after_many_attempts_and_says_why(shop: Workshop) -> None:
    archive = archives(shop, Unavailable("archive: throttled"))
    job = shop.submit()
    shop.worker.step()
    while aside(shop, timedelta(hours=2))():
        pass
    export = export_of(shop, job)
    assert (export.state, export.reason) == (ExportState.FAILED, "archive: throttled")
    assert len(archive.asked) == MAX_ATTEMPTS


def test_what_no_retry_can_mend_fails_at_once(shop: Workshop) -> None:
    archives(shop, UsageError("archive: no such thing"))
    job = shop.submit()
    shop.worker.step()
    assert export_of(shop, job).state is ExportState.FAILED


def test_refused_instances_are_kept_with_their_reasons(shop: Workshop) -> None:
    refused = RefusedInstance(instance="seg.dcm", reason="ValidationException")
    archives(shop, Sending(receipt=Receipt(stored=2, refused=(refused,))))
    job = shop.submit()
    shop.worker.step()
    export = export_of(shop, job)
    assert (export.state, export.stored) == (ExportState.FAILED, 2)
    assert export.refused == (("seg.dcm", "ValidationException"),)
    assert export.reason == "1 of 3 instances refused"


def test_a_sending_that_failed_as_a_whole_is_sent_anew(shop: Workshop) -> None:
    archive = archives(shop, Sending(ticket="t"), NotFound("archive: import job t failed"), ALL)
    job = shop.submit()
    shop.worker.step()
    aside(shop, LOOK)()
    assert export_of(shop, job).state is ExportState.QUEUED
    aside(shop, timedelta(minutes=1))()
    assert export_of(shop, job).state is ExportState.STORED
    first, _, anew = (parcel.token for _, parcel in archive.asked)
    assert first != anew


def test_a_study_goes_with_its_first_archived_result_only(shop: Workshop) -> None:
    refused = RefusedInstance(instance="seg.dcm", reason="ValidationException")
    archive = archives(shop, Sending(receipt=Receipt(stored=2, refused=(refused,))), ALL)
    first = shop.submit()
    files = shop.ledger.arrival("ward", first.arrival_id).files
    shop.worker.step()
    for _ in range(2):
        shop.ledger.rerun("ward", first.id, shop.clock.now())
        shop.worker.step()
    assert [parcel.study for _, parcel in archive.asked] == [files, files, ()]


def test_a_later_version_brings_what_is_new_in_it(shop: Workshop) -> None:
    archive = archives(shop, ALL)
    job = shop.submit()
    shop.worker.step()
    files = shop.ledger.arrival("ward", job.arrival_id).files
    late = StoredFile(sop_instance_uid="1.2.3", sha256=f"{3:064x}", size_bytes=5)
    shop.blobs.put(late.key, b"file3")
    both = tuple(sorted([*files, late]))
    arrival = shop.ledger.arrival("ward", job.arrival_id)
    second = shop.ledger.add_arrival(replace(arrival, id=arrival_id(both), files=both))
    shop.ledger.enqueue(
        replace(job, id="j2", identity="j2", arrival_id=second.id, arrival_version=second.version)
    )
    assert shop.worker.step()
    assert [parcel.study for _, parcel in archive.asked] == [files, (late,)]


def test_a_study_follows_with_the_next_result_where_the_setting_was_off_before(shop: Workshop) -> None:
    """As after an update that sends studies: nothing is sent twice, and no study is taken for there."""
    archive = archives(shop, ALL)
    job = shop.submit()
    files = shop.ledger.arrival("ward", job.arrival_id).files
    for number, studies in enumerate((False, True, True, False)):
        archivist = Archivist(ledger=shop.ledger, archive=archive, studies=studies, clock=shop.clock)
        shop.worker._parts = replace(shop.worker._parts, aside=archivist.step)
        if number:
            shop.ledger.enqueue(replace(job, id=f"j{number}", identity=f"j{number}"))
        assert shop.worker.step()
    assert [parcel.study for _, parcel in archive.asked] == [(), files, (), ()]
    assert len({parcel.token for _, parcel in archive.asked}) == 4
    exports = [shop.ledger.export("ward", known) for known in (job.id, "j1", "j2", "j3")]
    parts = [export.study for export in exports if export]
    assert parts == [StudyPart.NONE, StudyPart.STORED, StudyPart.STORED, StudyPart.NONE]


def test_a_worker_that_dies_while_sending_lets_go(shop: Workshop) -> None:
    archive = archives(shop, ALL)
    job = shop.submit()
    shop.worker._parts = replace(shop.worker._parts, aside=None)
    shop.worker.step()
    dead = claimed(export_of(shop, job), shop.clock.now(), HOLD)
    assert shop.ledger.put_export(dead)
    archivist = Archivist(ledger=shop.ledger, archive=archive, clock=shop.clock)
    assert archivist.step() == 0
    shop.clock.advance(HOLD.total_seconds())
    assert archivist.step() == 1
    assert export_of(shop, job).state is ExportState.STORED
    assert archive.asked[0][1].token == dead.token


def test_a_worker_that_stood_still_changes_nothing_any_more(shop: Workshop) -> None:
    late = archives(shop, Unavailable("archive: slow"))
    job = shop.submit()
    other = Archivist(ledger=shop.ledger, archive=ScriptedArchive([ALL]), clock=shop.clock)

    def another_does_it() -> None:
        shop.clock.advance(HOLD.total_seconds())
        assert other.step() == 1

    late.meanwhile = another_does_it
    shop.worker.step()
    assert export_of(shop, job).state is ExportState.STORED
