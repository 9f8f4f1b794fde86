"""Whether a study, series or instance in memory meets a search."""

from collections.abc import Sequence

from bedside.domain.catalogue import Found, Study
from bedside.domain.matching import Match, kept, meets
from bedside.domain.searchable import FIELDS, MODALITIES, Level


def met(hit: Found, matches: Sequence[Match]) -> bool:
    """Return whether a hit meets all of some matches."""
    return all(any(meets(match, value) for value in _values(hit, match)) for match in matches)


def _values(hit: Found, match: Match) -> list[str]:
    field = match.field
    if field == MODALITIES:
        return list(hit.study.modalities)
    of = {Level.STUDY: hit.study, Level.SERIES: hit.series, Level.INSTANCE: hit.instance}[field.level]
    assert of is not None
    if field.name.endswith("_uid"):
        return [str(getattr(of, field.name))]
    return [kept(field, of.attributes)]


def kept_of(study: Study, tag: str) -> str:
    """Return an attribute of a study as it is kept for searching."""
    return kept(next(field for field in FIELDS if field.tag == tag), study.attributes)
