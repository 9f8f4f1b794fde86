"""The protocol between a worker and a model's process: messages, and frames that carry them.

A frame is a length (4 bytes, big endian) and that many bytes of UTF-8 JSON, an object with a
``type``. Owns the messages' shape and nothing else: who answers what is in `bedside.runtime.child`
and in the process adapter. Refuses frames over `MAX_FRAME_BYTES`, unknown types, and fields that
are missing, unknown or of another type. Voxels never travel in frames but as files in the job's
folder, so that the same bytes work through a pipe to a child or to a container (docs/protocol.md).
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, BinaryIO, get_args, get_origin, get_type_hints

from bedside.domain.request import RunRequest
from bedside.errors import BY_NAME, BedsideError, ConfigError, ModelFailed

#: Versions this side speaks, newest last.
VERSIONS = (1,)

#: No message is near this: a report of a study with 10,000 instances has about 2 MB.
MAX_FRAME_BYTES = 64 * 2**20

_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """The child's first words, before it imported anything slow.

    Attributes:
        protocols: Versions it speaks.
        capabilities: What it can do beyond version 1's minimum.
        bedside: Its version of bedside.
        python: Its version of Python.
        torch: Its installed version of torch, ``""`` where there is none.
        pid: Its process id as it sees it.
    """

    protocols: tuple[int, ...]
    capabilities: tuple[str, ...]
    bedside: str
    python: str
    torch: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Load a bundle; answered by nothing, a failure answers the next run.

    Attributes:
        protocol: The version both sides speak from here on.
        bundle: Folder of the bundle, as the child sees it.
        release: Digest that the bundle's files must have, or ``""`` for any.
        options: Keyword arguments of `bedside.model.session.SessionOptions`.
    """

    protocol: int
    bundle: str
    release: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Read one study; answered by one `Result` or `Error` of the same id, `Progress` before it.

    Attributes:
        id: Chosen by the worker, unique while the child lives.
        request: A `RunRequest` as `request_to_json` gives it.
        input: Folder with the study's files, as the child sees it.
        output: Empty folder for what is written, as the child sees it.
    """

    id: str
    request: Mapping[str, object]
    input: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is: what is done now, and 0–1 of the whole."""

    id: str
    doing: str
    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Stop a run at its next step; answered by its `Error`, or its `Result` where it was faster."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A run ended well; its files lie in the output folder."""

    id: str
    report: Mapping[str, object]
    timings_s: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """A run ended badly: an error of `bedside.errors`, by name."""

    id: str
    name: str
    message: str
    hint: str = ""

    @classmethod
    def of(cls, run: str, failed: BedsideError) -> "Error":
        """Return the message that says why a run failed, by the nearest name that travels."""
        name = next(base.__name__ for base in type(failed).__mro__ if base.__name__ in BY_NAME)
        return cls(id=run, name=name, message=failed.message, hint=failed.hint)

    def to_exception(self) -> BedsideError:
        """Return the error it names; an unknown name, of a newer child, is `ModelFailed`."""
        return BY_NAME.get(self.name, ModelFailed)(self.message, hint=self.hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """Are you there? Answered at once, also while a run goes on."""

    nonce: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    """I am."""

    nonce: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bye:
    """End after the current run."""

    reason: str = ""


Message = Hello | Load | Run | Progress | Cancel | Result | Error | Ping | Pong | Bye

_TYPES: dict[str, type[Message]] = {cls.__name__.lower(): cls for cls in get_args(Message)}


def encode(message: Message) -> bytes:
    """Return the frame of a message.

    Raises:
        ModelFailed: It holds what JSON cannot, or is longer than `MAX_FRAME_BYTES`.
    """
    name = type(message).__name__.lower()
    value = {"type": name} | {part.name: getattr(message, part.name) for part in fields(message)}
    try:
        body = json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as exc:
        raise ModelFailed(f"protocol: a {name} message holds what JSON cannot") from exc
    if len(body) > MAX_FRAME_BYTES:
        raise ModelFailed(f"protocol: a frame of {len(body)} bytes, at most {MAX_FRAME_BYTES} are allowed")
    return _LENGTH.pack(len(body)) + body


def decode(body: bytes) -> Message:
    """Return the message in a frame's body.

    Raises:
        ModelFailed: It is not a message of this protocol.
    """
    try:
        value = json.loads(body)
    except (UnicodeDecodeError, ValueError, RecursionError) as exc:
        raise ModelFailed(f"protocol: a frame of {len(body)} bytes is not JSON") from exc
    if not isinstance(value, dict):
        raise ModelFailed("protocol: a frame is not a JSON object")
    cls = _TYPES.get(str(value.pop("type", "")))
    if cls is None:
        raise ModelFailed("protocol: a frame of no known type")
    hints = get_type_hints(cls)
    arguments: dict[str, Any] = {}
    for known in fields(cls):
        if known.name in value:
            arguments[known.name] = _checked(cls, known.name, value.pop(known.name), hints[known.name])
    if value:
        raise ModelFailed(f"protocol: {cls.__name__.lower()} has {len(value)} unknown fields")
    try:
        return cls(**arguments)
    except TypeError as exc:
        raise ModelFailed(f"protocol: {cls.__name__.lower()} lacks a field") from exc


def read_message(stream: BinaryIO) -> Message | None:
    """Read one message from a blocking stream, or None where it ended between frames.

    Raises:
        ModelFailed: The stream ended inside a frame, or holds no message of this protocol.
    """
    head = _read_exactly(stream, _LENGTH.size)
    if not head:
        return None
    if len(head) < _LENGTH.size:
        raise ModelFailed("protocol: the stream ended inside a frame's length")
    (length,) = _LENGTH.unpack(head)
    if length > MAX_FRAME_BYTES:
        raise ModelFailed(f"protocol: a frame of {length} bytes, at most {MAX_FRAME_BYTES} are allowed")
    body = _read_exactly(stream, length)
    if len(body) < length:
        raise ModelFailed(f"protocol: the stream ended after {len(body)} of {length} bytes of a frame")
    return decode(body)


def agree(theirs: tuple[int, ...]) -> int:
    """Return the newest version that both sides speak.

    Raises:
        ConfigError: There is none.
    """
    common = set(VERSIONS) & set(theirs)
    if not common:
        raise ConfigError(
            f"protocol: the model's process speaks version {_listed(theirs)}, "
            f"this worker {_listed(VERSIONS)}",
            hint="bring both to the same bedside: bedside doctor",
        )
    return max(common)


def request_to_json(request: RunRequest) -> dict[str, object]:
    """Return a request as JSON values."""
    return {**asdict(request), "content_at": request.content_at.isoformat(), "outputs": list(request.outputs)}


def request_from_json(value: Mapping[str, object]) -> RunRequest:
    """Return the request that `request_to_json` wrote.

    Raises:
        ModelFailed: It lacks a field or has one of another type.
    """
    arguments = dict(value)
    hints = get_type_hints(RunRequest)
    try:
        content_at = datetime.fromisoformat(str(arguments.pop("content_at")))
        checked = {name: _checked(Run, name, given, hints[name]) for name, given in arguments.items()}
        return RunRequest(content_at=content_at, **checked)
    except (KeyError, TypeError, ValueError) as exc:
        raise ModelFailed("protocol: run has no complete request") from exc


def _read_exactly(stream: BinaryIO, count: int) -> bytes:
    """Read ``count`` bytes, or what there is before the end. Pipes give pieces of 64 KiB."""
    pieces = []
    while count:
        piece = stream.read(count)
        if not piece:
            break
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def _checked(cls: type[Message], name: str, value: object, wanted: object) -> Any:
    """Return a JSON value as the annotated type, tuples made of lists."""
    origin, parts = get_origin(wanted), get_args(wanted)
    if origin is tuple and isinstance(value, list):
        return tuple(_checked(cls, name, item, parts[0]) for item in value)
    if origin is Mapping and isinstance(value, dict):
        return {key: _checked(cls, name, item, parts[1]) for key, item in value.items()}
    if wanted is object or wanted is Any:
        return value
    if wanted is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(wanted, type) and type(value) is wanted:
        return value
    raise ModelFailed(f"protocol: field {name} of {cls.__name__.lower()} has the wrong type")


def _listed(versions: tuple[int, ...]) -> str:
    return ", ".join(map(str, versions)) or "none"
