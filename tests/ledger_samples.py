"""Small valid values for tests of the ledger: arrivals, pipelines, jobs, results, and a point in time."""

from datetime import UTC, datetime, timedelta

from bedside.domain.arrival import Arrival, ArrivalKind, Entry, EntryState, StoredFile, arrival_id, entry_id
from bedside.domain.because import Because, Cause, Ground
from bedside.domain.expression import Met, Outcome, Remark
from bedside.domain.job import Failure, Job, Lease, job_id, job_identity
from bedside.domain.pipeline import Decision, Pipeline, Release, ReleaseKind, Stage, StageKind
from bedside.domain.release import Comparison, How, LabelComparison, Promotion, Role
from bedside.domain.result import Result

T0 = datetime(2026, 3, 1, 8, 30, 15, 123456, tzinfo=UTC)
FAILURE = Failure(error="ModelFailed", message="child ended with status 139", hint="bedside doctor")


def at(seconds: float) -> datetime:
    """Return a point in time so many seconds after `T0`."""
    return T0 + timedelta(seconds=seconds)


def make_file(seed: int) -> StoredFile:
    return StoredFile(sop_instance_uid=f"2.25.{seed}", sha256=f"{seed:064x}", size_bytes=100 + seed)


def make_arrival(
    *seeds: int, tenant: str = "ward", subject: str = "1.2.3", received_at: datetime = T0
) -> Arrival:
    files = tuple(sorted(make_file(seed) for seed in seeds or (1,)))
    return Arrival(
        tenant=tenant,
        id=arrival_id(files),
        kind=ArrivalKind.DICOM,
        subject=subject,
        version=0,
        files=files,
        received_at=received_at,
    )


def make_entry(key: str = "input/a.zip", *, tenant: str = "ward", seen_at: datetime = T0) -> Entry:
    return Entry(
        tenant=tenant,
        id=entry_id(tenant, key, "f"),
        key=key,
        fingerprint="f",
        state=EntryState.TAKEN,
        arrivals=(),
        reason="",
        seen_at=seen_at,
    )


def make_pipeline(
    name: str = "spleen",
    *,
    release: str = "sha256:aa",
    pools: tuple[str, ...] = ("default",),
    max_attempts: int = 3,
) -> Pipeline:
    stages = tuple(
        Stage(
            name=f"stage{number}",
            kind=StageKind.BUNDLE,
            pool=pool,
            release=release,
            settings={"select": "Modality == 'CT'", "labels": {"1": {"name": "spleen"}}, "outputs": ["seg"]},
        )
        for number, pool in enumerate(pools)
    )
    return Pipeline(name=name, stages=stages, max_attempts=max_attempts)


def make_job(
    arrival: Arrival | None = None,
    pipeline: Pipeline | None = None,
    *,
    role: Role = Role.CURRENT,
    priority: int = 0,
    created_at: datetime = T0,
    not_before: datetime | None = None,
) -> Job:
    arrival = arrival or make_arrival()
    pipeline = pipeline or make_pipeline()
    identity = job_identity(tenant=arrival.tenant, arrival_id=arrival.id, pipeline=pipeline, role=role)
    return Job(
        tenant=arrival.tenant,
        id=job_id(identity, 0),
        identity=identity,
        run=0,
        arrival_id=arrival.id,
        subject=arrival.subject,
        arrival_version=arrival.version,
        pipeline=pipeline,
        rule="every CT",
        role=role,
        priority=priority,
        not_before=not_before or created_at,
        created_at=created_at,
    )


def make_result(lease: Lease, *, created_at: datetime = T0) -> Result:
    job = lease.job
    return Result(
        tenant=job.tenant,
        job_id=job.id,
        arrival_id=job.arrival_id,
        prefix=job.prefix,
        summary={"measurements": [{"label": "spleen", "volume_ml": 201.5}]},
        created_at=created_at,
    )


MET = Because(
    cause=Cause.FAILED,
    grounds=(
        Ground(
            met=(
                Met(clause="Modality == 'MR'", outcome=Outcome.FALSE, keyword="Modality", found="'CT'"),
                Met(
                    clause="Rows == 'x'",
                    outcome=Outcome.FALSE,
                    keyword="Rows",
                    found="512",
                    remark=Remark.NUMBER,
                ),
            ),
            count=2,
            of=3,
        ),
        Ground(met=(Met(clause="exists Rows", outcome=Outcome.ABSENT, keyword="Rows"),), series="1.2.3.4"),
    ),
    more=1,
    files=2,
)


def make_decision(
    arrival: Arrival, rule: str = "every CT", *, matched: bool = True, decided_at: datetime = T0
) -> Decision:
    return Decision(
        tenant=arrival.tenant,
        arrival_id=arrival.id,
        rule=rule,
        pipeline="spleen",
        matched=matched,
        reason="Modality == 'CT' is true for series 1.2.3.4",
        values={"1.2.3.4": {"Modality": "CT", "ImageType": ["ORIGINAL", "PRIMARY"], "SliceThickness": 2.5}},
        decided_at=decided_at,
        because=MET,
    )


def make_release(digit: str = "a", *, added_at: datetime = T0) -> Release:
    return Release(digest=f"sha256:{digit * 64}", name="spleen", version="1.0", added_at=added_at)


def make_promotion(
    digit: str = "a",
    *,
    pipeline: str = "spleen",
    stage: str = "infer",
    role: Role = Role.CURRENT,
    how: How = How.PERSON,
    share: float = 1.0,
    promoted_at: datetime = T0,
) -> Promotion:
    return Promotion(
        pipeline=pipeline,
        stage=stage,
        role=role,
        digest=f"sha256:{digit * 64}" if digit else "",
        kind=ReleaseKind.MAP,
        share=share,
        how=how,
        by="ada",
        reason="better on thin slices",
        at=promoted_at,
    )


def make_comparison(
    shadow: Job, current: Job | None = None, *, dice: float = 0.97, compared_at: datetime = T0
) -> Comparison:
    return Comparison(
        tenant=shadow.tenant,
        pipeline=shadow.pipeline.name,
        stage="stage0",
        release=shadow.stage.release,
        against="sha256:aa",
        arrival_id=shadow.arrival_id,
        shadow_job=shadow.id,
        current_job=current.id if current else "",
        labels=(LabelComparison(label="spleen", dice=dice, volume_ml=201.5, against_volume_ml=200.0),),
        numbers={"malignant": (0.25, 0.75)},
        compared_at=compared_at,
    )
