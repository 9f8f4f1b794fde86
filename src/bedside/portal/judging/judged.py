"""What pages and API do alike: judge, correct, and note it; and who a reviewer is."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from fastapi import Depends

from bedside.domain.judgement import Judgement
from bedside.domain.person import Right
from bedside.errors import ErrorCode, InputRejected, told
from bedside.judging.judge import Said, Sender
from bedside.portal.access.need import Place, within
from bedside.portal.access.trail import note
from bedside.portal.here import Here

Reading = Annotated[Place, Depends(within(Right.READ))]
Judging = Annotated[Place, Depends(within(Right.JUDGE))]
#: Figures hold no patient's data, so those who look after models see them too.
Counting = Annotated[Place, Depends(within(Right.READ, Right.OPERATE))]

#: Largest segmentation taken: a hundred labels on a thousand slices, a bit per voxel, are about this.
MOST_BYTES = 2**30


def judge(place: Place, job_id: str, said: Said) -> Judgement:
    """Record what a caller says of a result, and note it."""
    judgement = place.here.deployment.judge.judge(place.tenant, job_id, said, place.caller.person.subject)
    detail = {"verdict": judgement.verdict.value}
    if judgement.reason:
        detail["reason"] = judgement.reason.value
    if said.correction:
        detail["correction"] = said.correction
    note(place.here, place.caller, "result.judged", tenant=place.tenant, object=job_id, detail=detail)
    return judgement


def correct(place: Place, job_id: str, sent: Path) -> Judgement:
    """Keep a caller's segmentation beside the model's, and note it."""
    caller = place.caller
    sender = Sender(subject=caller.person.subject, name=caller.name)
    deployment = place.here.deployment
    judgement = deployment.judge.correct(place.tenant, job_id, sent, sender)
    job = deployment.ledger.job(place.tenant, job_id)
    deployment.cataloguer.add_corrections(place.tenant, job.subject, job.id, job.prefix)
    note(
        place.here,
        caller,
        "result.corrected",
        tenant=place.tenant,
        object=job_id,
        detail={"correction": judgement.id},
    )
    return judgement


@contextmanager
def room_for(here: Here) -> Iterator[Path]:
    """Give a folder for one file under way."""
    scratch = here.deployment.scratch / "judging"
    scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=scratch))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def received(stream: AsyncIterator[bytes], path: Path) -> None:
    """Write what comes into a file.

    Raises:
        InputRejected: It is more than `MOST_BYTES`.
    """
    size = 0
    with path.open("wb") as file:
        async for piece in stream:
            size += len(piece)
            if size > MOST_BYTES:
                raise InputRejected(
                    f"correction: more than {MOST_BYTES} bytes",
                    told=told(ErrorCode.CORRECTION_TOO_LARGE, most_bytes=MOST_BYTES),
                )
            file.write(piece)


def names(here: Here, judgements: Iterable[Judgement]) -> Mapping[str, str]:
    """Return how reviewers are called, by their number; one without an account here is its number."""
    return names_of(here, (judgement.reviewer for judgement in judgements))


def names_of(here: Here, subjects: Iterable[str]) -> Mapping[str, str]:
    """Return how people are called, by their number; one without an account here is its number."""
    accounts = here.deployment.records.accounts
    found = {}
    for subject in set(subjects):
        account = accounts.account(subject)
        found[subject] = account.profile.name if account else subject
    return found
