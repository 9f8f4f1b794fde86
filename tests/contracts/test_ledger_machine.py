"""The ledger of the tests and the real one, driven side by side by the same random calls, stay equal."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bedside.adapters.memory.ledger import MemoryLedger
from bedside.adapters.sql import SqlLedger
from bedside.domain.job import Job, Lease
from bedside.errors import BedsideError
from bedside.ports import JobFilter, Ledger
from ledger_samples import FAILURE, at, make_arrival, make_job, make_pipeline, make_result

TENANTS = ("ward", "clinic")
PIPELINES = (
    make_pipeline("spleen", max_attempts=2),
    make_pipeline("two", pools=("cpu", "gpu"), max_attempts=1),
    make_pipeline("two", pools=("gpu", "gpu"), release="sha256:bb"),
)
LEASE_S = 30.0

tenants = st.sampled_from(TENANTS)
picks = st.integers(0, 10**6)


class Side:
    """One ledger and the leases that its workers believe they hold."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.leases: list[Lease] = []


class Ledgers(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.sql = SqlLedger(f"sqlite:///{self.folder}/ledger.db")
        self.sides = (Side(MemoryLedger()), Side(self.sql))
        self.clock = 0.0
        self.ids: list[tuple[str, str]] = []

    @initialize()
    def prepare(self) -> None:
        for side in self.sides:
            side.ledger.prepare()

    def teardown(self) -> None:
        self.sql.close()
        shutil.rmtree(self.folder)

    def both(self, call: Callable[[Side], object]) -> object:
        """Make the same call on both; it must answer the same, refusals word for word."""
        answers = []
        for side in self.sides:
            try:
                answers.append(call(side))
            except BedsideError as refused:
                answers.append((type(refused).__name__, refused.message, refused.hint))
        assert answers[0] == answers[1]
        return answers[0]

    @rule(seconds=st.floats(0, 45))
    def wait(self, seconds: float) -> None:
        self.clock += round(seconds, 3)

    @rule(
        tenant=tenants,
        study=st.integers(1, 2),
        version=st.integers(1, 3),
        which=picks,
        priority=st.integers(-1, 1),
    )
    def receive(self, tenant: str, study: int, version: int, which: int, priority: int) -> None:
        files = [study * 10 + n for n in range(version)]
        arrival = make_arrival(*files, tenant=tenant, subject=f"1.{study}", received_at=at(self.clock))
        recorded = self.both(lambda side: side.ledger.add_arrival(arrival))
        assert not isinstance(recorded, tuple)
        job = make_job(
            recorded,  # type: ignore[arg-type]
            PIPELINES[which % len(PIPELINES)],
            priority=priority,
            created_at=at(self.clock),
            not_before=at(self.clock + which % 3 * 10),
        )
        self.both(lambda side: side.ledger.enqueue(job))
        self.ids.append((tenant, job.id))

    @rule(
        pools=st.sampled_from([(), ("default",), ("cpu", "gpu"), ("gpu",)]),
        worker=st.sampled_from(["w1", "w2"]),
    )
    def lease(self, pools: tuple[str, ...], worker: str) -> None:
        def call(side: Side) -> Lease | None:
            lease = side.ledger.lease(pools=pools, worker=worker, now=at(self.clock), lease_s=LEASE_S)
            side.leases.extend([lease] if lease else [])
            return lease

        self.both(call)

    @rule(
        which=picks,
        action=st.sampled_from(
            ["extend", "advance", "complete", "complete", "retry", "bury", "reject", "give_back"]
        ),
        wait_s=st.floats(0, 20),
    )
    def work(self, which: int, action: str, wait_s: float) -> None:
        """A worker writes under a lease, which may be long lost."""
        if not self.sides[0].leases:
            return
        now = at(self.clock)

        def call(side: Side) -> object:
            lease = side.leases[which % len(side.leases)]
            match action:
                case "extend":
                    return side.ledger.extend(lease, now=now, lease_s=LEASE_S, progress=0.5, doing="forward")
                case "complete":
                    return side.ledger.complete(lease, make_result(lease, created_at=now), now=now)
                case "retry":
                    return side.ledger.fail(
                        lease, FAILURE, now=now, retry_at=at(self.clock + round(wait_s, 3))
                    )
                case "bury":
                    return side.ledger.fail(lease, FAILURE, now=now, retry_at=None)
                case "reject":
                    return side.ledger.reject(lease, FAILURE, now=now)
                case _:
                    return getattr(side.ledger, action)(lease, now=now)

        self.both(call)

    @rule()
    def expire(self) -> None:
        self.both(lambda side: side.ledger.expire(at(self.clock)))

    @rule(
        which=picks, order=st.sampled_from(["cancel", "redrive", "rerun", "priority"]), stranger=st.booleans()
    )
    def a_person_orders(self, which: int, order: str, stranger: bool) -> None:
        if not self.ids:
            return
        tenant, job_id = self.ids[which % len(self.ids)]
        if stranger:
            tenant = "nobody"

        def call(side: Side) -> Job:
            if order == "priority":
                return side.ledger.set_priority(tenant, job_id, which % 5, at(self.clock))
            return getattr(side.ledger, order)(tenant, job_id, at(self.clock))  # type: ignore[no-any-return]

        answer = self.both(call)
        if isinstance(answer, Job):
            self.ids.append((tenant, answer.id))

    @invariant()
    def the_same_is_recorded(self) -> None:
        self.both(lambda side: side.ledger.depth())
        for tenant in TENANTS:
            self.both(lambda side, tenant=tenant: side.ledger.jobs(tenant, JobFilter()))
            self.both(lambda side, tenant=tenant: side.ledger.results(tenant, current_only=False))
            self.both(lambda side, tenant=tenant: side.ledger.events(tenant))

    @invariant()
    def one_result_of_each_group_is_current(self) -> None:
        ledger = self.sides[0].ledger
        for tenant in TENANTS:
            jobs = {job.id: job for job in ledger.jobs(tenant, JobFilter(), limit=10**6)}
            groups: dict[tuple[str, str], list[Job]] = {}
            current = set()
            for result in ledger.results(tenant, current_only=False):
                job = jobs[result.job_id]
                groups.setdefault((job.subject, job.pipeline.version), []).append(job)
                if not result.superseded_by:
                    current.add(job.id)
            latest = {max(group, key=lambda j: (j.arrival_version, j.run)).id for group in groups.values()}
            assert current == latest


TestLedgers = Ledgers.TestCase
TestLedgers.settings = settings(
    max_examples=25,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
