"""The catalogue in this process's memory."""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bedside.adapters.memory.catalogue_rows import instance_of, series_of, study_of
from bedside.adapters.memory.catalogue_search import kept_of, met
from bedside.adapters.memory.ledger import MemoryLedger
from bedside.domain.arrival import Arrival, ArrivalKind
from bedside.domain.catalogue import (
    Catalogued,
    Found,
    Instance,
    Layout,
    Series,
    Source,
    SourceKind,
    Study,
    next_revision,
    text_of,
)
from bedside.domain.release import Role
from bedside.domain.result import Result
from bedside.domain.searchable import Level
from bedside.ports.catalogue import Head, Lacking, Search

_LAST = 2**31 - 1
#: (tenant, Study Instance UID)
_Place = tuple[str, str]


@dataclass(slots=True)
class _Kept:
    """One instance, what it says, and the rank of what brought it."""

    instance: Instance
    rank: int
    brought: Catalogued


@dataclass(slots=True)
class _StudyOf:
    """A study, and the rank of what told of it."""

    study: Study
    rank: int


class MemoryCatalogue:
    """A `bedside.ports.catalogue.Catalogue` in memory; safe between threads.

    Args:
        ledger: Whose arrivals and results it follows.
    """

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger
        self._lock = threading.RLock()
        self._studies: dict[_Place, _StudyOf] = {}
        self._series: dict[_Place, dict[str, tuple[int, Series]]] = {}
        self._instances: dict[_Place, dict[str, _Kept]] = {}
        self._sources: dict[tuple[str, SourceKind, str], bool] = {}

    def head(self) -> Head:
        """Return how far arrivals and results have come."""
        with self._ledger._lock:
            return Head(arrival=len(self._ledger._arrivals), result=len(self._ledger._results))

    def behind(self, since: Head, *, limit: int = 100) -> Sequence[tuple[str, str]]:
        """Return (tenant, Study Instance UID) of studies that lack something, newest first."""
        with self._ledger._lock:
            arrived = list(self._ledger._arrivals.values())[since.arrival :]
            written = list(self._ledger._results.values())[since.result :]
        told = [(a.received_at, a.tenant, a.subject) for a in arrived]
        told += [(r.created_at, r.tenant, self._subject(r)) for r in written]
        places = dict.fromkeys((tenant, subject) for _, tenant, subject in sorted(told, reverse=True))
        return [place for place in places if self.lacking(*place)][:limit]

    def lacking(self, tenant: str, study_uid: str) -> Lacking:
        """Return what one study lacks."""
        wanted, withdrawn = [], []
        newest = self._ledger.newest_arrival(tenant, study_uid)
        if newest is not None and newest.kind is ArrivalKind.DICOM:
            source = Source(
                tenant=tenant,
                study_uid=study_uid,
                kind=SourceKind.ARRIVAL,
                id=newest.id,
                rank=newest.version,
            )
            if not self._sources.get(_mark_of(source)):
                wanted.append(source)
        for result in self._results_of(tenant, study_uid):
            source = Source(
                tenant=tenant,
                study_uid=study_uid,
                kind=SourceKind.RESULT,
                id=result.job_id,
                rank=0,
                prefix=result.prefix,
            )
            if result.superseded_by and _mark_of(source) in self._sources:
                withdrawn.append(source)
            elif not result.superseded_by and not self._sources.get(_mark_of(source)):
                wanted.append(source)
        return Lacking(wanted=tuple(wanted), withdrawn=tuple(withdrawn))

    def put(self, source: Source, instances: Iterable[Catalogued], *, done: bool, problem: str = "") -> bool:  # noqa: ARG002 - nobody reads it here
        """Add instances of a source, or replace those of lower or the same rank."""
        with self._lock:
            if not self._is_known(source):
                return False
            for brought in instances:
                self._put(source, brought)
            self._sources[_mark_of(source)] = done or self._sources.get(_mark_of(source), False)
            self._count((source.tenant, source.study_uid))
        return True

    def _put(self, source: Source, brought: Catalogued) -> None:
        place, described = (source.tenant, source.study_uid), brought.described
        before = self._studies.setdefault(place, _StudyOf(study=study_of(source, described), rank=-1))
        if before.rank <= source.rank:
            attributes = replace(before.study, attributes=described.study)
            self._studies[place] = _StudyOf(study=attributes, rank=source.rank)
        series = series_of(source, described)
        of_study = self._series.setdefault(place, {})
        rank, known = of_study.get(described.series_uid, (-1, series))
        of_study[described.series_uid] = (source.rank, series) if rank <= source.rank else (rank, known)
        instance = instance_of(source, brought)
        there = self._instances.setdefault(place, {})
        known_one = there.get(described.sop_instance_uid)
        if known_one is None or known_one.rank <= source.rank:
            there[described.sop_instance_uid] = _Kept(instance=instance, rank=source.rank, brought=brought)

    def withdraw(self, source: Source) -> None:
        """Remove a source's instances, and what is empty without them."""
        place = (source.tenant, source.study_uid)
        with self._lock:
            there = self._instances.get(place, {})
            mine = [uid for uid, one in there.items() if _is_of(one.instance, source)]
            for uid in mine:
                del there[uid]
            self._sources.pop(_mark_of(source), None)
            self._count(place)

    def study(self, tenant: str, study_uid: str) -> Study | None:
        """Return a study, or None where nothing of it is catalogued."""
        return self.studies(tenant, [study_uid]).get(study_uid)

    def studies(self, tenant: str, study_uids: Iterable[str]) -> Mapping[str, Study]:
        """Return those of some studies that are catalogued, by UID."""
        with self._lock:
            found = {uid: self._studies.get((tenant, uid)) for uid in study_uids}
        return {uid: one.study for uid, one in found.items() if one}

    def series(self, tenant: str, study_uid: str) -> Sequence[Series]:
        """Return a study's series, in order of Series Number."""
        with self._lock:
            found = [series for _, series in self._series.get((tenant, study_uid), {}).values()]
        return sorted(found, key=lambda series: _number(series.number))

    def instances(self, tenant: str, study_uid: str, series_uid: str = "") -> Sequence[Instance]:
        """Return instances of a study or of one series, in order of Instance Number."""
        return [kept.instance for kept in self._in_order(tenant, study_uid, series_uid)]

    def instance(
        self, tenant: str, study_uid: str, series_uid: str, sop_instance_uid: str
    ) -> tuple[Instance, Layout] | None:
        """Return an instance and where its bytes lie, or None where it is not there."""
        for found in self._in_order(tenant, study_uid, series_uid, sop_instance_uid):
            return found.instance, found.brought.described.layout
        return None

    def metadata(
        self, tenant: str, study_uid: str, series_uid: str = "", sop_instance_uid: str = ""
    ) -> Sequence[tuple[Instance, bytes]]:
        """Return the metadata of instances, as `instances`."""
        found = self._in_order(tenant, study_uid, series_uid, sop_instance_uid)
        return [(one.instance, one.brought.described.metadata) for one in found]

    def search(self, tenant: str, search: Search) -> Sequence[Found]:
        """Return what meets a search: newest study first, then by series and instance number."""
        with self._lock:
            found = [hit for hit in self._hits(tenant, search) if met(hit, search.matches)]
        return found[search.offset : search.offset + search.limit]

    def _in_order(
        self, tenant: str, study_uid: str, series_uid: str, sop_instance_uid: str = ""
    ) -> list[_Kept]:
        with self._lock:
            found = list(self._instances.get((tenant, study_uid), {}).values())
        return sorted(
            (
                one
                for one in found
                if series_uid in ("", one.instance.series_uid)
                and sop_instance_uid in ("", one.instance.sop_instance_uid)
            ),
            key=lambda one: (one.instance.series_uid, _instance_number(one.instance)),
        )

    def _hits(self, tenant: str, search: Search) -> Iterator[Found]:
        studies = [one.study for (whose, _), one in reversed(self._studies.items()) if whose == tenant]
        studies.sort(key=lambda s: (kept_of(s, "00080020"), kept_of(s, "00080030")), reverse=True)
        for study in studies:
            if search.study_uid not in ("", study.study_uid):
                continue
            if search.level is Level.STUDY:
                yield Found(study=study)
                continue
            for series in self.series(tenant, study.study_uid):
                if search.series_uid not in ("", series.series_uid):
                    continue
                if search.level is Level.SERIES:
                    yield Found(study=study, series=series)
                    continue
                inside = self.instances(tenant, study.study_uid, series.series_uid)
                yield from (Found(study=study, series=series, instance=one) for one in inside)

    def _count(self, place: _Place) -> None:
        there = [one.instance for one in self._instances.get(place, {}).values()]
        if not there:
            self._studies.pop(place, None)
            self._series.pop(place, None)
            self._instances.pop(place, None)
            return
        series = {}
        for uid, (rank, one) in self._series[place].items():
            inside = sum(1 for instance in there if instance.series_uid == uid)
            if inside:
                series[uid] = (rank, replace(one, instances=inside))
        self._series[place] = series
        before = self._studies[place]
        self._studies[place] = _counted(
            before,
            modalities=tuple(sorted({one.modality for _, one in series.values() if one.modality})),
            series=len(series),
            instances=len(there),
        )

    def _is_known(self, source: Source) -> bool:
        with self._ledger._lock:
            if source.kind is SourceKind.ARRIVAL:
                return (source.tenant, source.id) in self._ledger._arrivals
            result = self._ledger._results.get((source.tenant, source.id))
        return result is not None and not result.superseded_by

    def _results_of(self, tenant: str, study_uid: str) -> list[Result]:
        found = self._ledger.results(tenant, subject=study_uid, current_only=False)
        of_dicom = [r for r in found if self._arrival(r).kind is ArrivalKind.DICOM]
        jobs = {r.job_id: self._ledger.job(tenant, r.job_id) for r in of_dicom}
        return [r for r in reversed(of_dicom) if jobs[r.job_id].role is not Role.SHADOW]

    def _arrival(self, result: Result) -> Arrival:
        return self._ledger.arrival(result.tenant, result.arrival_id)

    def _subject(self, result: Result) -> str:
        return self._arrival(result).subject


def _counted(before: _StudyOf, *, modalities: tuple[str, ...], series: int, instances: int) -> _StudyOf:
    """Return a study with its counts, one revision later."""
    study = before.study
    counted = replace(
        study,
        modalities=modalities,
        series=series,
        instances=instances,
        revision=next_revision(study.revision, time.time()),
    )
    return _StudyOf(study=counted, rank=before.rank)


def _is_of(instance: Instance, source: Source) -> bool:
    return (instance.kind, instance.source_id) == (source.kind, source.id)


def _mark_of(source: Source) -> tuple[str, SourceKind, str]:
    return source.tenant, source.kind, source.id


def _number(text: str) -> int:
    return int(text) if text.lstrip("-").isdecimal() else _LAST


def _instance_number(instance: Instance) -> int:
    return _number(text_of(instance.attributes, "00200013"))
