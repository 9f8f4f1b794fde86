"""Which instances there are, by their attributes: what DICOMweb and lists of studies are answered from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bedside.domain.catalogue import Catalogued, Found, Instance, Layout, Series, Source, Study
from bedside.domain.matching import Match
from bedside.domain.searchable import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What somebody looks for.

    Attributes:
        level: What is listed.
        study_uid: Only in this study; empty is any.
        series_uid: Only in this series; empty is any.
        matches: All of them must be met; of the level or one above it.
        limit: At most so many.
        offset: After so many.
    """

    level: Level
    study_uid: str = ""
    series_uid: str = ""
    matches: tuple[Match, ...] = ()
    limit: int = 100
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """How far arrivals and results have come: what is recorded later has a higher number."""

    arrival: int = 0
    result: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """What the catalogue of one study lacks or has too much.

    Attributes:
        wanted: Sources that are not in it yet: the newest version of the arrival, and the results that count.
        withdrawn: Sources whose instances must go: results that were superseded.
    """

    wanted: tuple[Source, ...] = ()
    withdrawn: tuple[Source, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.wanted or self.withdrawn)


class Catalogue(Protocol):
    """The catalogue of all tenants' instances. Every call but `behind` and `head` sees one tenant only.

    An instance is there once: the one of the source with the highest rank, and of the same rank the one that
    was put last. Results of shadows and superseded results are not in it.
    """

    # Filling

    def head(self) -> Head:
        """Return how far arrivals and results have come."""
        ...

    def behind(self, since: Head, *, limit: int = 100) -> Sequence[tuple[str, str]]:
        """Return (tenant, Study Instance UID) of studies that lack something, newest first.

        Only of what was recorded after ``since``; an empty head is everything.
        """
        ...

    def lacking(self, tenant: str, study_uid: str) -> Lacking:
        """Return what one study lacks."""
        ...

    def put(self, source: Source, instances: Iterable[Catalogued], *, done: bool, problem: str = "") -> bool:
        """Add instances of a source, or replace those of lower or the same rank.

        Args:
            source: What brought them.
            instances: Of the source's study.
            done: Whether these were its last: from then on it is not `lacking`.
            problem: What of it could not be catalogued; no patient data.

        Returns:
            False where the ledger does not know the source (any more): then nothing is written.
        """
        ...

    def withdraw(self, source: Source) -> None:
        """Remove a source's instances, and what is empty without them."""
        ...

    # Asking

    def study(self, tenant: str, study_uid: str) -> Study | None:
        """Return a study, or None where nothing of it is catalogued."""
        ...

    def studies(self, tenant: str, study_uids: Iterable[str]) -> Mapping[str, Study]:
        """Return those of some studies that are catalogued, by UID."""
        ...

    def series(self, tenant: str, study_uid: str) -> Sequence[Series]:
        """Return a study's series, in order of Series Number."""
        ...

    def instances(self, tenant: str, study_uid: str, series_uid: str = "") -> Sequence[Instance]:
        """Return instances of a study or of one series, in order of Instance Number."""
        ...

    def instance(
        self, tenant: str, study_uid: str, series_uid: str, sop_instance_uid: str
    ) -> tuple[Instance, Layout] | None:
        """Return an instance and where its bytes lie, or None where it is not there."""
        ...

    def metadata(
        self, tenant: str, study_uid: str, series_uid: str = "", sop_instance_uid: str = ""
    ) -> Sequence[tuple[Instance, bytes]]:
        """Return the metadata of instances, as `instances`; see `Described.metadata`."""
        ...

    def search(self, tenant: str, search: Search) -> Sequence[Found]:
        """Return what meets a search: newest study first, then by series and instance number."""
        ...
