"""WADO-RS frames: some frames of an instance, as they lie in its file or uncompressed. See PS3.18 10.4.

Frames are read by their offset; nothing is decoded unless somebody wants an uncompressed frame of what is
compressed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from bedside.dicom.native import can_be_native, frame_bytes
from bedside.domain.catalogue import Instance, Layout
from bedside.errors import NotFound
from bedside.portal.access.need import Place
from bedside.portal.dicomweb import described
from bedside.portal.dicomweb.accept import (
    ANY,
    EXPLICIT_LITTLE,
    FRAME_TYPES,
    OCTETS,
    UNCOMPRESSED,
    refuse,
    wanted,
)
from bedside.portal.dicomweb.cached import PRIVATE, tag_of, unchanged
from bedside.portal.dicomweb.described import FrameList, SeriesUid, SopInstanceUid, StudyUid
from bedside.portal.dicomweb.desk import Desk, desk_of
from bedside.portal.dicomweb.multipart import Multipart
from bedside.portal.dicomweb.need import reading

#: More than so many bytes are sent piece by piece.
_AT_ONCE_BYTES = 8 * 2**20
_MOST_FRAMES = 10_000

router = APIRouter(prefix="/dicomweb/{tenant}/studies")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """In which form frames are given.

    Attributes:
        media_type: Of each frame.
        transfer_syntax: Of each frame.
        as_stored: Whether they are given as they lie.
        multipart: Whether as parts; else there is one.
    """

    media_type: str
    transfer_syntax: str
    as_stored: bool
    multipart: bool

    @property
    def content_type(self) -> str:
        """The header of a frame."""
        return f"{self.media_type}; transfer-syntax={self.transfer_syntax}"


@router.get(
    "/{study_uid}/series/{series_uid}/instances/{sop_instance_uid}/frames/{frame_list}",
    **described.frames("RetrieveFrames", "Retrieve frames"),
)
async def frames(
    request: Request,
    study_uid: StudyUid,
    series_uid: SeriesUid,
    sop_instance_uid: SopInstanceUid,
    frame_list: FrameList,
    place: Place = Depends(reading()),
) -> Response:
    """Return frames by number, from 1."""

    def make() -> Response:
        desk = desk_of(request)
        instance, layout = desk.instance(place.tenant, study_uid, series_uid, sop_instance_uid)
        desk.seen(place, study_uid)
        return frames_of(request, desk, instance, layout, numbers_of(frame_list, layout))

    return await run_in_threadpool(make)


def frames_of(
    request: Request, desk: Desk, instance: Instance, layout: Layout, numbers: Sequence[int]
) -> Response:
    """Return the answer with some frames.

    Args:
        request: What is answered.
        desk: Reads them.
        instance: Whose.
        layout: Where they lie.
        numbers: From 0.
    """
    form = _form(request, instance, layout, len(numbers))
    tag = tag_of(instance.key, numbers, form)
    known = unchanged(request, tag)
    if known is not None:
        return known
    headers = {"ETag": tag, "Cache-Control": PRIVATE, "Vary": "Accept"}
    if not form.multipart:
        return Response(_frame(desk, instance, layout, form, numbers[0]), media_type=None, headers={
            **headers, "Content-Type": form.content_type})  # fmt: skip
    several = Multipart(media_type=form.media_type)
    headers["Content-Type"] = several.content_type
    parts = _parts(desk, instance, layout, form, several, numbers)
    stored = sum(some.length for number in numbers for some in layout.frames[number]) if layout.frames else 0
    if form.as_stored and stored <= _AT_ONCE_BYTES:
        return Response(b"".join(parts), headers=headers)
    return StreamingResponse(parts, headers=headers)


def numbers_of(frame_list: str, layout: Layout) -> list[int]:
    """Return the frames that a list like ``1,3,5`` names, counted from 0.

    Raises:
        HTTPException: 400, it is no such list; 404, there are not so many frames.
    """
    words = frame_list.replace("%2C", ",").split(",")
    if not all(word.isdecimal() and len(word) < 9 for word in words) or len(words) > _MOST_FRAMES:
        raise HTTPException(400, "frames: want numbers from 1 on, with commas between")
    numbers = [int(word) - 1 for word in words]
    if min(numbers) < 0:
        raise HTTPException(400, "frames are counted from 1")
    if layout.problem:
        raise NotFound(f"frames of this instance cannot be given: {layout.problem}")
    if max(numbers) >= layout.count:
        raise NotFound(f"frame {max(numbers) + 1} of {layout.count}")
    return numbers


def _parts(
    desk: Desk, instance: Instance, layout: Layout, form: Form, several: Multipart, numbers: Sequence[int]
) -> Iterator[bytes]:
    for number in numbers:
        data = _frame(desk, instance, layout, form, number)
        yield several.head(form.content_type, len(data))
        yield data
        yield several.tail
    yield several.end


def _frame(desk: Desk, instance: Instance, layout: Layout, form: Form, number: int) -> bytes:
    if not form.as_stored:
        return desk.apart(instance, frame_bytes, number)
    fragments = layout.frames[number]
    return b"".join(desk.some(instance, some.offset, some.length) for some in fragments if some.length)


def _form(request: Request, instance: Instance, layout: Layout, count: int) -> Form:
    """Return the most welcome form that can be given.

    Raises:
        HTTPException: 406, there is none.
    """
    stored = instance.transfer_syntax_uid
    own_type = FRAME_TYPES.get(stored, OCTETS)
    for one in wanted(request):
        multipart = one.multipart is not False
        if not multipart and count > 1:
            continue
        if stored in UNCOMPRESSED:
            if one.means(OCTETS) and one.transfer_syntax in ("", ANY, EXPLICIT_LITTLE):
                return Form(
                    media_type=OCTETS,
                    transfer_syntax=EXPLICIT_LITTLE,
                    as_stored=bool(layout.frames),
                    multipart=multipart,
                )
            continue
        # "octet-stream in any transfer syntax" is how viewers ask for frames as they are.
        if (one.means(own_type) and one.transfer_syntax in ("", ANY, stored)) or (
            one.means(OCTETS) and one.transfer_syntax in (ANY, stored)
        ):
            return Form(media_type=own_type, transfer_syntax=stored, as_stored=True, multipart=multipart)
        if one.means(OCTETS) and one.transfer_syntax in ("", EXPLICIT_LITTLE) and can_be_native(stored):
            return Form(
                media_type=OCTETS, transfer_syntax=EXPLICIT_LITTLE, as_stored=False, multipart=multipart
            )
    there = [f"{own_type}; transfer-syntax={stored}"] if stored not in UNCOMPRESSED else []
    if stored in UNCOMPRESSED or can_be_native(stored):
        there.append(f"{OCTETS}; transfer-syntax={EXPLICIT_LITTLE}")
    raise refuse(*there)
