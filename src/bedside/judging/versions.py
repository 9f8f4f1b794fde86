"""The versions of a result's masks: the model's own, and each that a reviewer left.

Owns which of them counts: what the newest verdict that names one stands by. A rejection names none, so it
leaves in place what was corrected before; whoever accepts the result as it is returns to the model's, and
whoever stands by a correction of somebody else, to that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bedside.domain.judgement import Correction, Judgement, Verdict

#: Id of the model's version; those of corrections are hexadecimal.
MODEL = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskVersion:
    """One version of a result's masks.

    Attributes:
        id: `MODEL`, or the id of the judgement that brought it.
        at: When it was made, UTC.
        reviewer: Subject of the person who drew it; empty for the model's.
        correction: What the person drew; None for the model's.
    """

    id: str
    at: datetime
    reviewer: str = ""
    correction: Correction | None = None

    @property
    def is_model(self) -> bool:
        """Whether it is as the model wrote it."""
        return self.correction is None


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskVersions:
    """All versions of one result.

    Attributes:
        all: Newest correction first, the model's last.
        standing: The one that counts.
        names: Each by the ids of all judgements that stand by it.
    """

    all: Sequence[MaskVersion]
    standing: MaskVersion
    names: Mapping[str, MaskVersion]

    @property
    def model(self) -> MaskVersion:
        """The model's own."""
        return self.all[-1]

    @property
    def corrections(self) -> Sequence[MaskVersion]:
        """All but the model's, newest first."""
        return self.all[:-1]

    def find(self, name: str) -> MaskVersion | None:
        """Return a version by its id, or that of a judgement that stands by it; None where there is none."""
        return self.names.get(name)


def mask_versions(judgements: Sequence[Judgement], written_at: datetime) -> MaskVersions:
    """Return the versions of a result's masks.

    Args:
        judgements: All of one result, newest first; others than corrections and acceptances say nothing here.
        written_at: When the model's result was written, UTC.
    """
    model = MaskVersion(id=MODEL, at=written_at)
    drawn: dict[str, MaskVersion] = {}
    names, standing = {MODEL: model}, model
    for one in reversed(judgements):  # oldest first: who drew it comes before who stands by it
        if one.correction is not None:
            new = MaskVersion(id=one.id, at=one.judged_at, reviewer=one.reviewer, correction=one.correction)
            standing = names[one.id] = drawn.setdefault(one.correction.sop_instance_uid, new)
        elif one.verdict is Verdict.ACCEPTED:
            standing = model
    return MaskVersions(all=(*reversed(drawn.values()), model), standing=standing, names=names)
