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
from bedside.domain.arrival import Arrival
from bedside.domain.job import Job, Lease
from bedside.domain.release import Role
from bedside.errors import BedsideError
from bedside.ports import JobFilter, Ledger
from ledger_samples import FAILURE, at, make_arrival, make_job, make_pipeline, make_result

TENANTS = ("ward", "clinic")
PIPELINES = (
    make_pipeline("spleen", max_attempts=2),
    make_pipeline("two", pools=("cpu", "gpu"), max_attempts=1),
    make_pipeline("two", pools=("gpu", "gpu"), release="sha256:bb"),
)
ROLES = (Role.CURRENT, Role.CANARY, Role.SHADOW, Role.RERUN, Role.CURRENT)
LEASE_S = 30.0

tenants = st.sampled_from(TENANTS)
picks = st.integers(0, 10**6)
POOLS: tuple[tuple[str, ...], ...] = ((), ("default",), ("cpu", "gpu"), ("gpu",))
DEEDS = (
    *("receive",) * 5,
    *("serve",) * 5,
    *("lease", "lease", "rerun", "wait") * 2,
    *("expire", "cancel", "redrive", "priority"),
    *("extend", "advance", "complete", "retry", "bury", "reject", "give_back"),
)


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

    @rule(deed=st.sampled_from(DEEDS), tenant=tenants, pick=picks, seconds=st.floats(0, 20))
    def happen(self, deed: str, tenant: str, pick: int, seconds: float) -> None:
        """One rule for all, weighted by `DEEDS`: rules of their own are switched off for whole runs."""
        match deed:
            case "receive":
                self.receive(tenant, pick)
            case "wait":
                self.clock += round(seconds, 3)
            case "expire":
                self.clock += LEASE_S
                self.both(lambda side: side.ledger.expire(at(self.clock)))
            case "lease":
                pools = POOLS[pick % len(POOLS)]
                self.both(lambda side: self.take(side, pools, f"w{pick % 2}"))
            case "serve":
                self.both(self.serve)
            case "cancel" | "redrive" | "rerun" | "priority":
                self.a_person_orders(deed, pick)
            case _:
                self.work(deed, pick, round(seconds, 3))

    def receive(self, tenant: str, pick: int) -> None:
        """Versions come in any order; few studies and pipelines, so that their results meet."""
        arrival = make_arrival(*range(pick % 4 + 1), tenant=tenant, received_at=at(self.clock))
        recorded = self.both(lambda side: side.ledger.add_arrival(arrival))
        assert isinstance(recorded, Arrival)
        job = make_job(
            recorded,
            PIPELINES[pick % len(PIPELINES)],
            role=ROLES[pick % len(ROLES)],
            priority=pick % 2,
            created_at=at(self.clock),
            not_before=at(self.clock + (10 if pick % 5 == 0 else 0)),
        )
        self.both(lambda side: side.ledger.enqueue(job))
        self.ids.append((tenant, job.id))

    def take(self, side: Side, pools: tuple[str, ...], worker: str) -> Lease | None:
        lease = side.ledger.lease(pools=pools, worker=worker, now=at(self.clock), lease_s=LEASE_S)
        side.leases.extend([lease] if lease else [])
        return lease

    def serve(self, side: Side) -> Job | None:
        """What a worker does on a good day."""
        lease = self.take(side, (), "w9")
        if lease is None:
            return None
        side.leases.remove(lease)
        if lease.job.stage_index + 1 < len(lease.job.pipeline.stages):
            return side.ledger.advance(lease, now=at(self.clock))
        return side.ledger.complete(lease, make_result(lease, created_at=at(self.clock)), now=at(self.clock))

    def work(self, deed: str, pick: int, wait_s: float) -> None:
        """A worker writes under one of the last leases, which may be lost."""
        if not self.sides[0].leases:
            return
        now, later = at(self.clock), at(self.clock + wait_s)

        def call(side: Side) -> object:
            lease = side.leases[-1 - pick % min(2, len(side.leases))]
            match deed:
                case "extend":
                    return side.ledger.extend(lease, now=now, lease_s=LEASE_S, progress=0.5, doing="forward")
                case "complete":
                    return side.ledger.complete(lease, make_result(lease, created_at=now), now=now)
                case "retry":
                    return side.ledger.fail(lease, FAILURE, now=now, retry_at=later)
                case "bury":
                    return side.ledger.fail(lease, FAILURE, now=now, retry_at=None)
                case "reject":
                    return side.ledger.reject(lease, FAILURE, now=now)
                case _:
                    return getattr(side.ledger, deed)(lease, now=now)

        self.both(call)

    def a_person_orders(self, deed: str, pick: int) -> None:
        if not self.ids:
            return
        tenant, job_id = self.ids[pick % len(self.ids)]
        if pick % 11 == 0:
            tenant = "nobody"

        def call(side: Side) -> Job:
            if deed == "priority":
                return side.ledger.set_priority(tenant, job_id, pick % 5, at(self.clock))
            answer: Job = getattr(side.ledger, deed)(tenant, job_id, at(self.clock))
            return answer

        answer = self.both(call)
        if isinstance(answer, Job):
            self.ids.append((tenant, answer.id))

    @invariant()
    def the_same_is_recorded(self) -> None:
        self.both(lambda side: side.ledger.depth())
        for tenant in TENANTS:
            self.both(lambda side, tenant=tenant: side.ledger.jobs(tenant, JobFilter()))
            for shadows in (False, True):
                self.both(
                    lambda side, tenant=tenant, shadows=shadows: side.ledger.results(
                        tenant, current_only=False, shadows=shadows
                    )
                )
        self.both(lambda side: side.ledger.uncompared())
        for tenant in TENANTS:
            self.both(lambda side, tenant=tenant: side.ledger.events(tenant))

    @invariant()
    def current_are_the_results_that_none_follows(self) -> None:
        ledger = self.sides[0].ledger
        for tenant in TENANTS:
            jobs = {job.id: job for job in ledger.jobs(tenant, JobFilter(), limit=10**6)}
            for shadows in (False, True):
                found = ledger.results(tenant, current_only=False, shadows=shadows)
                owners = [jobs[result.job_id] for result in found]
                assert all((job.role is Role.SHADOW) == shadows for job in owners)
                current = {result.job_id for result in found if not result.superseded_by}
                assert current == {job.id for job in owners if not any(follows(o, job) for o in owners)}


def follows(later: Job, earlier: Job) -> bool:
    """Say whether a result takes another's place; both are of one tenant and of the same kind."""
    if later.subject != earlier.subject:
        return False
    if later.pipeline.version == earlier.pipeline.version:
        return (later.arrival_version, later.run) > (earlier.arrival_version, earlier.run)
    by_promotion = Role.RERUN not in (later.role, earlier.role)
    same_but_for_the_release = [
        (job.pipeline.name, [(s.name, dict(s.settings)) for s in job.pipeline.stages])
        for job in (later, earlier)
    ]
    return (
        by_promotion
        and same_but_for_the_release[0] == same_but_for_the_release[1]
        and later.arrival_version > earlier.arrival_version
    )


TestLedgers = Ledgers.TestCase
TestLedgers.settings = settings(
    max_examples=20,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
