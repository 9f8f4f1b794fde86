"""The tables of the catalogue: studies, their series and instances, and which sources are in it.

Each attribute that is searched by is a column in the form of `bedside.domain.matching.kept`; what lists show
is JSON beside it. Metadata and layouts are compressed: they are read whole or not at all.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table, UniqueConstraint

from bedside.adapters.sql.schema import metadata
from bedside.adapters.sql.types import Sequence, Words, document
from bedside.domain.searchable import FIELDS, Level


def _seq() -> Column[int]:
    return Column("seq", Sequence, primary_key=True, autoincrement=True)


def _words(name: str) -> Column[str]:
    return Column(name, Words, nullable=False)


def _fields(level: Level) -> list[Column[str]]:
    return [
        _words(field.name) for field in FIELDS if field.level is level and not field.name.endswith("_uid")
    ]


catalogue_studies = Table(
    "catalogue_studies",
    metadata,
    _seq(),
    _words("tenant"),
    _words("study_uid"),
    *_fields(Level.STUDY),
    Column("attributes", document(), nullable=False),
    Column("modalities", document(), nullable=False),
    Column("rank", Integer, nullable=False),
    Column("series", Integer, nullable=False),
    Column("instances", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    UniqueConstraint("tenant", "study_uid"),
    # Lists are by date; what people look for first. Names are looked through without reading every row.
    Index("ix_catalogue_studies_date", "tenant", "study_date", "study_time", "seq", "patient_name"),
    Index("ix_catalogue_studies_patient", "tenant", "patient_id"),
    Index("ix_catalogue_studies_accession", "tenant", "accession_number"),
)

catalogue_series = Table(
    "catalogue_series",
    metadata,
    _seq(),
    _words("tenant"),
    _words("study_uid"),
    _words("series_uid"),
    *_fields(Level.SERIES),
    Column("attributes", document(), nullable=False),
    Column("number", Integer, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("instances", Integer, nullable=False),
    UniqueConstraint("tenant", "study_uid", "series_uid"),
    Index("ix_catalogue_series_uid", "tenant", "series_uid"),
    Index("ix_catalogue_series_modality", "tenant", "modality", "study_uid"),
)

catalogue_instances = Table(
    "catalogue_instances",
    metadata,
    _seq(),
    _words("tenant"),
    _words("study_uid"),
    _words("series_uid"),
    _words("sop_instance_uid"),
    _words("sop_class_uid"),
    _words("transfer_syntax_uid"),
    *_fields(Level.INSTANCE),
    Column("attributes", document(), nullable=False),
    Column("number", Integer, nullable=False),
    Column("rank", Integer, nullable=False),
    _words("kind"),
    _words("source_id"),
    _words("key"),
    Column("size_bytes", BigInteger, nullable=False),
    Column("metadata", LargeBinary, nullable=False),
    Column("layout", LargeBinary, nullable=False),
    UniqueConstraint("tenant", "study_uid", "sop_instance_uid"),
    Index("ix_catalogue_instances_series", "tenant", "study_uid", "series_uid", "number"),
    Index("ix_catalogue_instances_uid", "tenant", "sop_instance_uid"),
    Index("ix_catalogue_instances_source", "tenant", "kind", "source_id"),
)

catalogue_sources = Table(
    "catalogue_sources",
    metadata,
    _seq(),
    _words("tenant"),
    _words("kind"),
    _words("id"),
    _words("study_uid"),
    Column("done", Boolean, nullable=False),
    _words("problem"),
    UniqueConstraint("tenant", "kind", "id"),
    Index("ix_catalogue_sources_study", "tenant", "study_uid"),
)
