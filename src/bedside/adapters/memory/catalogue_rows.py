"""What the catalogue in memory keeps of an instance that is put into it."""

from bedside.domain.catalogue import Catalogued, Described, Instance, Series, Source, Study


def study_of(source: Source, described: Described) -> Study:
    """Return an instance's study; counts are made when all is in."""
    return Study(
        tenant=source.tenant,
        study_uid=source.study_uid,
        attributes=described.study,
        modalities=(),
        series=0,
        instances=0,
        revision=0,
    )


def series_of(source: Source, described: Described) -> Series:
    """Return an instance's series."""
    return Series(
        tenant=source.tenant,
        study_uid=source.study_uid,
        series_uid=described.series_uid,
        attributes=described.series,
        instances=0,
    )


def instance_of(source: Source, brought: Catalogued) -> Instance:
    """Return an instance as it is told."""
    return Instance(
        tenant=source.tenant,
        study_uid=source.study_uid,
        series_uid=brought.described.series_uid,
        sop_instance_uid=brought.described.sop_instance_uid,
        sop_class_uid=brought.described.sop_class_uid,
        transfer_syntax_uid=brought.described.transfer_syntax_uid,
        attributes=brought.described.instance,
        key=brought.key,
        size_bytes=brought.size_bytes,
        kind=source.kind,
        source_id=source.id,
    )
