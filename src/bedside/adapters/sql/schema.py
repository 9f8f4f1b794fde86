"""The tables, as they are now; `migrations` says how an older database becomes this.

Rows carry a sequence number, which breaks ties of time and orders history. Indexes serve the calls
that run all the time: leasing (with and without named pools), a subject's results, lists by age.
A test compares these tables with what the migrations make.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
    false,
)

from bedside.adapters.sql.types import Moment, Sequence, Words, document

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _seq() -> Column[int]:
    return Column("seq", Sequence, primary_key=True, autoincrement=True)


def _words(name: str) -> Column[str]:
    return Column(name, Words, nullable=False)


tenants = Table(
    "tenants",
    metadata,
    _seq(),
    _words("name"),
    _words("state"),
    _words("input_bucket"),
    _words("output_bucket"),
    _words("ending"),
    _words("place"),
    Column("made_at", Moment, nullable=False),
    Column("closed_at", Moment),
    UniqueConstraint("name"),
)

arrivals = Table(
    "arrivals",
    metadata,
    _seq(),
    _words("tenant"),
    _words("id"),
    _words("kind"),
    _words("subject"),
    Column("version", Integer, nullable=False),
    Column("files", document(), nullable=False),
    Column("received_at", Moment, nullable=False),
    # Of `files`, which lists need not read: a study's may be a megabyte.
    Column("instances", Integer, nullable=False, server_default="0"),
    Column("size_bytes", BigInteger, nullable=False, server_default="0"),
    # Whether there is a job on it: to ask that of each of many costs more than to note it once.
    Column("started", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("tenant", "id"),
    UniqueConstraint("tenant", "subject", "version"),
)
# Holds all that the list of studies shows.
Index(
    "ix_arrivals_listed",
    arrivals.c.tenant,
    arrivals.c.received_at,
    arrivals.c.seq,
    arrivals.c.version,
    arrivals.c.subject,
    arrivals.c.id,
    arrivals.c.kind,
    arrivals.c.instances,
    arrivals.c.size_bytes,
    arrivals.c.started,
)

entries = Table(
    "entries",
    metadata,
    _seq(),
    _words("tenant"),
    _words("id"),
    # A name from somebody's disk, as JSON: any byte of it survives, whatever its encoding.
    Column("key", document(), nullable=False),
    _words("fingerprint"),
    _words("state"),
    Column("arrivals", document(), nullable=False),
    _words("reason"),
    Column("seen_at", Moment, nullable=False),
    UniqueConstraint("tenant", "id"),
    Index("ix_entries_state", "tenant", "state", "seen_at", "seq"),
    Index("ix_entries_age", "tenant", "seen_at", "seq"),
)

decisions = Table(
    "decisions",
    metadata,
    _seq(),
    _words("tenant"),
    _words("arrival_id"),
    _words("rule"),
    _words("pipeline"),
    Column("matched", Boolean, nullable=False),
    _words("reason"),
    # By series what was read, and beside them why, as values (`rows`).
    Column("attributes", document(), nullable=False),
    Column("decided_at", Moment, nullable=False),
    UniqueConstraint("tenant", "arrival_id", "rule", "pipeline"),
)

releases = Table(
    "releases",
    metadata,
    _seq(),
    _words("digest"),
    _words("name"),
    _words("version"),
    Column("added_at", Moment, nullable=False),
    _words("kind"),
    _words("source"),
    Column("size_bytes", BigInteger, nullable=False),
    UniqueConstraint("digest"),
)

release_names = Table(
    "release_names",
    metadata,
    _seq(),
    _words("name"),
    _words("digest"),
    Column("named_at", Moment, nullable=False),
    UniqueConstraint("name"),
)

promotions = Table(
    "promotions",
    metadata,
    _seq(),
    _words("pipeline"),
    _words("stage"),
    _words("role"),
    _words("digest"),
    _words("kind"),
    Column("share", Float, nullable=False),
    _words("how"),
    _words("by"),
    _words("reason"),
    Column("at", Moment, nullable=False),
    Index("ix_promotions_place", "pipeline", "stage", "role", "seq"),
)

jobs = Table(
    "jobs",
    metadata,
    _seq(),
    _words("tenant"),
    _words("id"),
    _words("identity"),
    Column("run", Integer, nullable=False),
    _words("arrival_id"),
    _words("subject"),
    Column("arrival_version", Integer, nullable=False),
    _words("pipeline_name"),
    _words("pipeline_version"),
    Column("pipeline", document(), nullable=False),
    _words("rule"),
    _words("role"),
    Column("stage_index", Integer, nullable=False),
    _words("pool"),  # of the stage it is at
    _words("state"),
    Column("priority", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("fence", Integer, nullable=False),
    _words("worker"),
    Column("not_before", Moment, nullable=False),
    Column("lease_until", Moment),
    Column("progress", Float, nullable=False),
    _words("doing"),
    Column("failure", document()),
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("ended_at", Moment),
    UniqueConstraint("tenant", "id"),
    UniqueConstraint("tenant", "identity", "run"),
    Index("ix_jobs_subject", "tenant", "subject", "pipeline_version"),
    Index("ix_jobs_role", "role", "state", "created_at", "seq"),
    Index("ix_jobs_ended", "ended_at", "tenant", "state"),
)
# In the order in which jobs are leased, so that the first due row is the answer; not_before is there to
# skip delayed jobs without reading them. Neither holds a column that a heartbeat changes.
_line = (jobs.c.priority.desc(), jobs.c.created_at, jobs.c.seq, jobs.c.not_before)
Index("ix_jobs_due_in_pool", jobs.c.state, jobs.c.pool, *_line)
Index("ix_jobs_due", jobs.c.state, *_line)

# Lists by age, and all that they are filtered by: whatever is asked, no row is read that is not shown.
# The jobs of an arrival have the same, or SQLite, which knows no numbers of rows, walks the other index.
_listed = (
    jobs.c.created_at,
    jobs.c.seq,
    jobs.c.state,
    jobs.c.role,
    jobs.c.rule,
    jobs.c.pipeline_name,
    jobs.c.pipeline_version,
)
Index("ix_jobs_listed", jobs.c.tenant, *_listed, jobs.c.arrival_id)
Index("ix_jobs_arrival", jobs.c.tenant, jobs.c.arrival_id, *_listed)

results = Table(
    "results",
    metadata,
    _seq(),
    _words("tenant"),
    _words("job_id"),
    _words("arrival_id"),
    _words("subject"),
    _words("pipeline_version"),
    _words("track"),
    _words("role"),
    Column("arrival_version", Integer, nullable=False),
    Column("run", Integer, nullable=False),
    _words("prefix"),
    Column("summary", document(), nullable=False),
    Column("created_at", Moment, nullable=False),
    _words("superseded_by"),
    UniqueConstraint("tenant", "job_id"),
    ForeignKeyConstraint(["tenant", "job_id"], ["jobs.tenant", "jobs.id"]),
    Index("ix_results_subject", "tenant", "subject", "pipeline_version"),
    Index("ix_results_age", "tenant", "created_at", "seq"),
)

comparisons = Table(
    "comparisons",
    metadata,
    _seq(),
    _words("tenant"),
    _words("pipeline"),
    _words("stage"),
    _words("release"),
    _words("against"),
    _words("arrival_id"),
    _words("shadow_job"),
    _words("current_job"),
    Column("labels", document(), nullable=False),
    Column("numbers", document(), nullable=False),
    _words("problem"),
    Column("compared_at", Moment, nullable=False),
    UniqueConstraint("tenant", "shadow_job"),
    ForeignKeyConstraint(["tenant", "shadow_job"], ["jobs.tenant", "jobs.id"]),
    Index("ix_comparisons_release", "tenant", "pipeline", "release", "compared_at", "seq"),
)

exports = Table(
    "exports",
    metadata,
    _seq(),
    _words("tenant"),
    _words("job_id"),
    _words("prefix"),
    _words("state"),
    Column("revision", Integer, nullable=False),
    Column("sending", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    _words("ticket"),
    Column("not_before", Moment, nullable=False),
    Column("study", Words, nullable=False, server_default="none"),
    Column("stored", Integer, nullable=False),
    Column("refused", document(), nullable=False),
    _words("reason"),
    Column("created_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    UniqueConstraint("tenant", "job_id"),
    ForeignKeyConstraint(["tenant", "job_id"], ["jobs.tenant", "jobs.id"]),
    Index("ix_exports_due", "state", "not_before", "seq"),
    Index("ix_exports_age", "tenant", "created_at", "seq"),
)

events = Table(
    "events",
    metadata,
    _seq(),
    Column("at", Moment, nullable=False),
    _words("tenant"),
    _words("action"),
    _words("arrival_id"),
    _words("job_id"),
    _words("stage"),
    Column("attempt", Integer, nullable=False),
    _words("worker"),
    _words("detail"),
    Index("ix_events_job", "tenant", "job_id", "seq"),
    Index("ix_events_arrival", "tenant", "arrival_id", "seq"),
)
