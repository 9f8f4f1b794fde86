"""Which version of a result's masks is meant: the model's own, or one that a reviewer corrected.

Owns what an address without a version means. To a person, the one that counts, and the page says which it
is; to a script, the model's, which is what a result has always been.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query

from bedside.domain.judgement import Verdict
from bedside.errors import ErrorCode, NotFound, told
from bedside.judging.versions import MODEL, MaskVersion, MaskVersions, mask_versions
from bedside.portal.access.need import Place
from bedside.portal.judging.judged import names_of
from bedside.portal.results.found import Found
from bedside.ports.judgements import JudgementFilter

#: More of one result than anybody makes.
_MOST = 1000
_SAYING = frozenset({Verdict.ACCEPTED, Verdict.CORRECTED})

VersionId = Annotated[
    str,
    Query(
        max_length=64,
        pattern=r"^[A-Za-z0-9._-]*$",
        description="Which masks: `model`, or the id of a correction; the model's where it is left out.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The versions of a result, and the one that is shown.

    Attributes:
        versions: All there are.
        version: The one that is shown.
        reviewers: How people are called, by their number.
    """

    versions: MaskVersions
    version: MaskVersion
    reviewers: Mapping[str, str]

    @property
    def is_choice(self) -> bool:
        """Whether there is another."""
        return bool(self.versions.corrections)


def versions_of(place: Place, found: Found) -> MaskVersions:
    """Return the versions of a result's masks; a shadow's are never corrected."""
    kept = place.here.deployment.records.judgements
    where = JudgementFilter(job_id=found.job.id, verdicts=_SAYING)
    return mask_versions(kept.find(place.tenant, where, limit=_MOST), found.result.created_at)


def version_of(place: Place, found: Found, wanted: str) -> MaskVersion:
    """Return the version that a script asks for.

    Raises:
        NotFound: The result has no such version.
    """
    if wanted in {"", MODEL}:  # asked for with every slab
        return mask_versions((), found.result.created_at).model
    return _named(versions_of(place, found), wanted)


def shown_to_people(place: Place, found: Found, wanted: str) -> Shown:
    """Return the version that a page shows: the one asked for, else the one that counts.

    Raises:
        NotFound: The result has no such version.
    """
    versions = versions_of(place, found)
    return Shown(
        versions=versions,
        version=_named(versions, wanted) if wanted else versions.standing,
        reviewers=names_of(place.here, (one.reviewer for one in versions.corrections)),
    )


def noted(version: MaskVersion) -> dict[str, str]:
    """Return what the trail says of a version: nothing of the model's own."""
    return {} if version.is_model else {"version": version.id}


def _named(versions: MaskVersions, name: str) -> MaskVersion:
    version = versions.find(name)
    if version is None:
        raise NotFound("the result has no such version of its masks", told=told(ErrorCode.CORRECTION_MISSING))
    return version
