"""What a person who looks after a deployment is told: a notice, and the bulletin that gathers some.

A notice cannot carry free text. It has a kind, the names that a configuration gave, the ids that we
made, and the class of an error; each is held to its grammar, so that neither a file name nor a value of
a DICOM header can get into a mail, whoever adds the next notice. The words are those of a table here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum

from bedside.domain.identity import short_id
from bedside.errors import BY_NAME


class NoticeKind(StrEnum):
    """What happened."""

    JOB_DEAD = "job.dead"  # every attempt failed; it waits for a person
    JOB_REJECTED = "job.rejected"  # the study cannot be read correctly, or the model does not accept it
    INPUT_REJECTED = "input.rejected"  # nothing of a drop-box entry could be used
    RELEASE_PROMOTED = "release.promoted"
    RELEASE_ROLLED_BACK = "release.rolled_back"
    WORKER_GONE = "worker.gone"  # it died, or lost contact, with or without a job
    ARCHIVE_REFUSED = "archive.refused"  # given up, or instances were not taken
    TEST = "test"  # somebody looks whether notices arrive


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How a kind is said.

    Attributes:
        one: Of one, e.g. ``"1 job failed every attempt"`` without the number.
        many: Of several.
        todo: What to do next, commands in it.
    """

    one: str
    many: str
    todo: str


WORDINGS: Mapping[NoticeKind, Wording] = {
    NoticeKind.JOB_DEAD: Wording(
        one="job failed every attempt and waits for a person",
        many="jobs failed every attempt and wait for a person",
        todo="bedside job show JOB says why; bedside job retry JOB sends it again",
    ),
    NoticeKind.JOB_REJECTED: Wording(
        one="job ended because its study cannot be read correctly",
        many="jobs ended because their studies cannot be read correctly",
        todo="bedside job show JOB says why",
    ),
    NoticeKind.INPUT_REJECTED: Wording(
        one="thing in the drop-box could not be used",
        many="things in the drop-box could not be used",
        todo="the tenant's area rejected/ holds each with its reason, and the log names its entry",
    ),
    NoticeKind.RELEASE_PROMOTED: Wording(
        one="release reads every new study from now on",
        many="releases read every new study from now on",
        todo="bedside release history says who and why; bedside release rollback takes it back",
    ),
    NoticeKind.RELEASE_ROLLED_BACK: Wording(
        one="release was rolled back to",
        many="releases were rolled back to",
        todo="bedside release history says who and why",
    ),
    NoticeKind.WORKER_GONE: Wording(
        one="worker died or lost contact; what it did is done by another",
        many="workers died or lost contact; what they did is done by others",
        todo="bedside doctor, on its machine; bedside job show JOB",
    ),
    NoticeKind.ARCHIVE_REFUSED: Wording(
        one="result is not, or not whole, in the archive",
        many="results are not, or not whole, in the archive",
        todo="bedside archive list --state failed says why; bedside archive retry sends them again",
    ),
    NoticeKind.TEST: Wording(
        one="test: notices arrive here",
        many="tests: notices arrive here",
        todo="nothing",
    ),
}

_ID = r"[0-9a-f]{1,64}(\.r[0-9]{1,6})?"
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
#: Per field, what it may be; every one may be empty.
_GRAMMAR: Mapping[str, re.Pattern[str]] = {
    "tenant": re.compile(_NAME),
    "job": re.compile(_ID),
    "entry": re.compile(_ID),
    "pipeline": re.compile(_NAME),
    "stage": re.compile(_NAME),
    "release": re.compile(r"(sha256:)?[0-9a-f]{64}"),
    "worker": re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"),  # its host's name is in it
    "cause": re.compile("|".join(BY_NAME)),
}

#: Of a bulletin that gathers more, so many are told one by one.
EXAMPLES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that happened. Two that are equal are the same thing told twice.

    Attributes:
        kind: What.
        tenant: Whose, or empty.
        job: A job's id.
        entry: A drop-box entry's id.
        pipeline: A pipeline's name.
        stage: A stage's name.
        release: A release's digest.
        worker: A worker's name, or its machine's.
        cause: A class name of `bedside.errors.BY_NAME`.

    Raises:
        ValueError: A field is not what it may be; the message does not repeat it.
    """

    kind: NoticeKind
    tenant: str = ""
    job: str = ""
    entry: str = ""
    pipeline: str = ""
    stage: str = ""
    release: str = ""
    worker: str = ""
    cause: str = ""

    def __post_init__(self) -> None:
        for name, grammar in _GRAMMAR.items():
            value = getattr(self, name)
            if value and not grammar.fullmatch(value):
                raise ValueError(f"notice: its {name} of {len(value)} characters is none")

    @classmethod
    def of(cls, kind: NoticeKind, **known: str) -> "Notice":
        """Return a notice of what is known, less what is no name or id: telling must not fail a job."""
        fit = {name: value for name, value in known.items() if _GRAMMAR[name].fullmatch(value)}
        return cls(kind=kind, **fit)

    def to_json(self) -> dict[str, str]:
        """Return what is known of it, by name."""
        known = {field.name: str(getattr(self, field.name)) for field in fields(self)}
        return {name: value for name, value in known.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulletin:
    """What is sent: one notice, or a digest of those of one kind that came close together.

    Attributes:
        kind: Of all of them.
        deployment: Whose workers say so.
        count: How many there were.
        first_at: When the first came, UTC.
        last_at: When the last did.
        notices: The first `EXAMPLES` of them.
    """

    kind: NoticeKind
    deployment: str
    count: int
    first_at: datetime
    last_at: datetime
    notices: Sequence[Notice]

    @property
    def id(self) -> str:
        """The same however often it is sent."""
        return short_id(
            [self.deployment, self.count, self.first_at.isoformat(), [n.to_json() for n in self.notices]]
        )

    @property
    def subject(self) -> str:
        """One line of ASCII below 100 characters, as SNS wants it."""
        return f"bedside {self.deployment}: {self._said}"

    @property
    def text(self) -> str:
        """All of it, for a person."""
        lines = [f"{self._said} (deployment {self.deployment}).", ""]
        for notice in self.notices:
            known = notice.to_json()
            words = [f"{name} {known[name]}" for name in known if name != "kind"]
            if words:
                lines.append(f"- {', '.join(words)}")
        if (more := self.count - len(self.notices)) > 0:
            lines.append(f"- and {more} more")
        if self.count > 1:
            lines += ["", f"From {_time(self.first_at)} to {_time(self.last_at)}."]
        else:
            lines += ["", f"At {_time(self.first_at)}."]
        return "\n".join([*lines, "", f"What to do: {WORDINGS[self.kind].todo}.", ""])

    def to_json(self) -> dict[str, object]:
        """Return it for a program; ``schema`` says which shape this is."""
        return {
            "schema": "bedside.notice/1",
            "id": self.id,
            "deployment": self.deployment,
            "kind": self.kind.value,
            "count": self.count,
            "first_at": self.first_at.isoformat(),
            "last_at": self.last_at.isoformat(),
            "notices": [notice.to_json() for notice in self.notices],
            "text": self.text,
        }

    @property
    def _said(self) -> str:
        wording = WORDINGS[self.kind]
        return f"{self.count} {wording.one if self.count == 1 else wording.many}"


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")
