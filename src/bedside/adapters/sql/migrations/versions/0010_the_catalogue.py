"""The catalogue of studies, series and instances."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_STUDY = (
    "tenant study_uid study_date study_time accession_number referring_physician_name study_description "
    "patient_name patient_id issuer_of_patient_id patient_birth_date patient_sex study_id"
)
_SERIES = (
    "tenant study_uid series_uid modality series_description body_part_examined series_number "
    "step_start_date step_start_time scheduled_step_id requested_procedure_id"
)
_INSTANCE = (
    "tenant study_uid series_uid sop_instance_uid sop_class_uid transfer_syntax_uid instance_number "
    "number_of_frames kind source_id key"
)


def upgrade() -> None:
    """Bring the tables one step on. What there was before is catalogued by the portal, in the background."""
    _make(
        "catalogue_studies",
        _STUDY,
        ("tenant", "study_uid"),
        *_documents("attributes", "modalities"),
        *_numbers("rank", "series", "instances", "revision"),
    )
    _index("catalogue_studies", "date", "tenant", "study_date", "study_time", "seq", "patient_name")
    _index("catalogue_studies", "patient", "tenant", "patient_id")
    _index("catalogue_studies", "accession", "tenant", "accession_number")
    _make(
        "catalogue_series",
        _SERIES,
        ("tenant", "study_uid", "series_uid"),
        *_documents("attributes"),
        *_numbers("number", "rank", "instances"),
    )
    _index("catalogue_series", "uid", "tenant", "series_uid")
    _index("catalogue_series", "modality", "tenant", "modality", "study_uid")
    _make(
        "catalogue_instances",
        _INSTANCE,
        ("tenant", "study_uid", "sop_instance_uid"),
        *_documents("attributes"),
        *_numbers("number", "rank"),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("metadata", sa.LargeBinary(), nullable=False),
        sa.Column("layout", sa.LargeBinary(), nullable=False),
    )
    _index("catalogue_instances", "series", "tenant", "study_uid", "series_uid", "number")
    _index("catalogue_instances", "uid", "tenant", "sop_instance_uid")
    _index("catalogue_instances", "source", "tenant", "kind", "source_id")
    _make(
        "catalogue_sources",
        "tenant kind id study_uid problem",
        ("tenant", "kind", "id"),
        sa.Column("done", sa.Boolean(), nullable=False),
    )
    _index("catalogue_sources", "study", "tenant", "study_uid")


def _make(name: str, words: str, unique: tuple[str, ...], *columns: sa.Column[object]) -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        name,
        sa.Column("seq", key, autoincrement=True, nullable=False),
        *(sa.Column(word, sa.Text(), nullable=False) for word in words.split()),
        *columns,
        sa.PrimaryKeyConstraint("seq", name=op.f(f"pk_{name}")),
        sa.UniqueConstraint(*unique, name=op.f(f"uq_{name}_{'_'.join(unique)}")),
    )


def _index(table: str, name: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{name}", table, list(columns))


def _documents(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.JSON(none_as_null=True), nullable=False) for name in names]


def _numbers(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.Integer(), nullable=False) for name in names]
