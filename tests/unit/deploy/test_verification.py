"""A phantom's way through a deployment, watched from outside: where it ends, and what is left of it."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from bedside.adapters.memory.clock import ManualClock
from bedside.adapters.memory.ledger import MemoryLedger
from bedside.deploy.phantom_study import PREFIX, PhantomStudy
from bedside.deploy.verdict import Plan, Reached, Verdict
from bedside.deploy.verification import SETTLE_S, Verification
from bedside.domain.arrival import Entry, EntryState, StoredFile, arrival_id, entry_id, fingerprint
from bedside.ports import Blob
from bedside.ports.cloud import Cloud, Depth, Group

FILES = (StoredFile(sop_instance_uid="1.2", sha256="ab" * 32, size_bytes=9),)
ARRIVAL = arrival_id(FILES)
OTHERS = "results/ward-3/another/result.json"


class Hospital:
    """A bucket in which machines do something at given seconds, and a queue that says nothing."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.objects = {OTHERS: 2}
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.entry = ""

    def upload(self, bucket: str, key: str, source: Path) -> bool:
        self.objects[key] = source.stat().st_size
        parts = [(f"input/{Path(key).name}", self.objects[key], self.clock.now())]
        self.entry = entry_id("ward-3", parts[0][0], fingerprint(parts))
        self.sent_at = self.clock.now()
        return True

    def listed(self, bucket: str, prefix: str) -> Sequence[Blob]:
        for at, act in list(self.later):
            if self.clock.monotonic() >= at:
                act()
                self.later.remove((at, act))
        return [
            Blob(key=key, size_bytes=size, modified_at=self.sent_at)
            for key, size in sorted(self.objects.items())
            if key.startswith(prefix)
        ]

    def empty_bucket(self, name: str, prefix: str = "") -> int:
        gone = [key for key in self.objects if key.startswith(prefix)]
        for key in gone:
            del self.objects[key]
        return len(gone)

    def depth(self, queue_url: str) -> Depth:
        return Depth(visible=1, in_flight=0, delayed=0)

    def group(self, name: str) -> Group:
        return Group(desired=1, in_service=1, max=1)

    def at(self, seconds: float, *keys: str) -> None:
        """Let machines write objects, ``ENTRY`` in a key being the entry's id."""
        self.later.append((seconds, lambda: self._write(keys)))

    def _write(self, keys: Sequence[str]) -> None:
        for key in keys:
            area, _, rest = key.replace("ENTRY", self.entry).partition("/")
            self.objects[f"{area}/ward-3/{rest}"] = 1
            if area in ("inferred", "rejected"):
                self.empty_bucket("b", "input/")


@pytest.fixture
def hospital() -> Hospital:
    return Hospital()


@pytest.fixture
def verify(hospital: Hospital, tmp_path: Path) -> Callable[..., Verdict]:
    archive = tmp_path / "phantom.zip"
    archive.write_bytes(b"a phantom")
    study = PhantomStudy(path=archive, name=f"{PREFIX}1.zip", arrival=ARRIVAL, files=FILES)

    def run(*, reads: bool = True, ledger: MemoryLedger | None = None) -> Verdict:
        plan = Plan(
            deployment="ward",
            bucket="b",
            tenant="ward-3",
            queue_url="q",
            groups=("g",),
            reads=reads,
            patience_s=600,
        )
        cloud = cast(Cloud, hospital)
        said: list[str] = []
        return Verification(cloud=cloud, clock=hospital.clock, plan=plan, study=study, ledger=ledger).run(
            said.append
        )

    return run


def test_a_result_is_waited_for_until_the_drop_box_is_tidy(
    hospital: Hospital, verify: Callable[..., Verdict]
) -> None:
    result = f"results/{ARRIVAL}/job1"
    hospital.at(60, f"arrivals/{ARRIVAL}/manifest.json", FILES[0].key)
    hospital.at(90, f"{result}/dicom/seg.dcm")  # not whole yet
    hospital.at(120, f"{result}/result.json")
    hospital.at(150, "inferred/ENTRY/000001.zip")
    verdict = verify()
    assert (verdict.ok, verdict.reached, verdict.files) == (
        True,
        Reached.READ,
        ("dicom/seg.dcm", "result.json"),
    )
    assert 150 <= verdict.waited_s < 160
    assert list(hospital.objects) == [OTHERS]


def test_a_drop_box_that_is_never_tidied_holds_nobody_up(
    hospital: Hospital, verify: Callable[..., Verdict]
) -> None:
    hospital.at(1, f"arrivals/{ARRIVAL}/manifest.json", f"results/{ARRIVAL}/job1/result.json")
    verdict = verify()
    assert verdict.ok and SETTLE_S <= verdict.waited_s < SETTLE_S + 10


def test_without_a_pipeline_being_taken_in_is_the_end(
    hospital: Hospital, verify: Callable[..., Verdict]
) -> None:
    hospital.at(60, f"arrivals/{ARRIVAL}/manifest.json")
    verdict = verify(reads=False)
    assert (verdict.ok, verdict.reached) == (True, Reached.TAKEN)
    assert "reading was not verified" in verdict.text
    assert list(hospital.objects) == [OTHERS]


def test_a_phantom_that_is_rejected_says_why_where_the_ledger_can_be_read(
    hospital: Hospital, verify: Callable[..., Verdict]
) -> None:
    ledger = MemoryLedger()
    hospital.at(60, "rejected/ENTRY/reason.json")
    hospital.later.append((60, lambda: ledger.put_entry(_rejected(hospital))))
    verdict = verify(ledger=ledger)
    assert (verdict.ok, verdict.reached) == (False, Reached.REJECTED)
    assert "rejected: entry: no DICOM instance" in verdict.text
    assert list(hospital.objects) == [OTHERS]


def _rejected(hospital: Hospital) -> Entry:
    return Entry(
        tenant="ward-3",
        id=hospital.entry,
        key=f"input/{PREFIX}1.zip",
        fingerprint="f",
        state=EntryState.REJECTED,
        arrivals=(),
        reason="entry: no DICOM instance",
        seen_at=hospital.clock.now() + timedelta(0),
    )


def test_all_ended_and_no_result_is_a_failure_and_no_wait(
    hospital: Hospital, verify: Callable[..., Verdict]
) -> None:
    hospital.at(60, f"arrivals/{ARRIVAL}/manifest.json", "inferred/ENTRY/000001.zip")
    verdict = verify()
    assert (verdict.ok, verdict.reached) == (False, Reached.UNREAD)
    assert verdict.waited_s < 70 and verdict.hint.endswith(ARRIVAL)
    assert list(hospital.objects) == [OTHERS]


def test_what_a_machine_may_be_working_on_is_left_to_it(
    hospital: Hospital, verify: Callable[..., Verdict]
) -> None:
    hospital.at(60, f"arrivals/{ARRIVAL}/manifest.json")
    verdict = verify()
    assert (verdict.ok, verdict.reached) == (False, Reached.TAKEN)
    assert f"arrivals/ward-3/{ARRIVAL}/manifest.json" in hospital.objects


def test_a_machine_that_is_faster_than_the_first_look_is_waited_for_all_the_same(
    hospital: Hospital, verify: Callable[..., Verdict]
) -> None:
    def take() -> None:
        hospital.empty_bucket("b", "input/")

    hospital.later.append((0, take))
    hospital.at(10, f"arrivals/{ARRIVAL}/manifest.json", f"results/{ARRIVAL}/job1/result.json")
    verdict = verify()
    assert verdict.ok and verdict.reached is Reached.READ
    assert list(hospital.objects) == [OTHERS]


def test_who_stops_waiting_takes_the_phantom_away(hospital: Hospital, verify: Callable[..., Verdict]) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    hospital.later.append((60, stop))
    with pytest.raises(KeyboardInterrupt):
        verify()
    hospital.later.clear()
    assert list(hospital.objects) == [OTHERS]
