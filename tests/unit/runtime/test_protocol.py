"""The frames and messages between a worker and a model's process."""

import io
import json
import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside.domain.request import RunRequest
from bedside.errors import ConfigError, InputRejected, ModelFailed
from bedside.runtime import protocol

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=4)
MESSAGES = st.one_of(
    st.builds(
        protocol.Hello,
        protocols=st.lists(st.integers()).map(tuple),
        capabilities=st.lists(st.text()).map(tuple),
        bedside=st.text(),
        python=st.text(),
        torch=st.text(),
        pid=st.integers(),
    ),
    st.builds(protocol.Load, protocol=st.integers(), bundle=st.text(), release=st.text(), options=OBJECTS),
    st.builds(protocol.Run, id=st.text(), request=OBJECTS, input=st.text(), output=st.text()),
    st.builds(protocol.Progress, id=st.text(), doing=st.text(), fraction=st.floats(0, 1)),
    st.builds(protocol.Cancel, id=st.text()),
    st.builds(protocol.Result, id=st.text(), report=OBJECTS, timings_s=OBJECTS),
    st.builds(protocol.Error, id=st.text(), name=st.text(), message=st.text(), hint=st.text()),
    st.builds(protocol.Ping, nonce=st.integers()),
    st.builds(protocol.Pong, nonce=st.integers()),
    st.builds(protocol.Bye, reason=st.text()),
)


class Dripping(io.BytesIO):
    """A stream that gives a few bytes at a time, as a pipe may."""

    def read(self, count: int | None = -1) -> bytes:
        return super().read(min(count or 0, 3) if count else 0)


@given(st.lists(MESSAGES, max_size=5))
def test_what_is_written_is_read_back(messages: list[protocol.Message]) -> None:
    stream = Dripping(b"".join(protocol.encode(message) for message in messages))
    assert [protocol.read_message(stream) for _ in messages] == messages
    assert protocol.read_message(stream) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_clear_refusal(noise: bytes) -> None:
    stream = io.BytesIO(noise)
    try:
        while protocol.read_message(stream) is not None:
            pass
    except ModelFailed as refused:
        assert refused.message.startswith("protocol: ")


@given(OBJECTS, st.sampled_from(sorted(protocol._TYPES)))
def test_any_json_object_is_a_message_or_a_clear_refusal(value: dict[str, object], kind: str) -> None:
    body = json.dumps({**value, "type": kind}).encode()
    try:
        message = protocol.decode(body)
    except ModelFailed as refused:
        assert refused.message.startswith("protocol: ")
    else:
        assert type(message).__name__.lower() == kind


@given(MESSAGES, st.data())
def test_a_stream_cut_anywhere_is_noticed(message: protocol.Message, data: st.DataObject) -> None:
    frame = protocol.encode(message)
    cut = data.draw(st.integers(1, len(frame) - 1))
    with pytest.raises(ModelFailed, match="the stream ended"):
        protocol.read_message(io.BytesIO(frame[:cut]))


def test_a_frame_too_long_is_refused_before_it_is_read() -> None:
    stream = io.BytesIO(struct.pack(">I", protocol.MAX_FRAME_BYTES + 1) + b"x" * 10)
    with pytest.raises(ModelFailed, match=f"a frame of {protocol.MAX_FRAME_BYTES + 1} bytes"):
        protocol.read_message(stream)
    assert stream.tell() == 4


@pytest.mark.parametrize("report", [{"volume": float("nan")}, {"volume": {1, 2}}])
def test_what_json_cannot_hold_is_refused(report: dict[str, object]) -> None:
    with pytest.raises(ModelFailed, match="result message holds what JSON cannot"):
        protocol.encode(protocol.Result(id="1", report=report, timings_s={}))


def test_unknown_fields_and_wrong_types_are_refused() -> None:
    with pytest.raises(ModelFailed, match="ping has 1 unknown fields"):
        protocol.decode(b'{"type":"ping","nonce":1,"more":2}')
    with pytest.raises(ModelFailed, match="field nonce of ping has the wrong type"):
        protocol.decode(b'{"type":"ping","nonce":true}')
    with pytest.raises(ModelFailed, match="ping lacks a field"):
        protocol.decode(b'{"type":"ping"}')


def test_the_newest_common_version_is_spoken() -> None:
    assert protocol.agree((1, 7)) == 1
    with pytest.raises(ConfigError, match=r"speaks version 7, 8, this worker 1"):
        protocol.agree((7, 8))


def test_an_error_travels_by_name() -> None:
    back = protocol.Error(id="1", name="InputRejected", message="what: why", hint="do").to_exception()
    assert (type(back), back.message, back.hint) == (InputRejected, "what: why", "do")
    unknown = protocol.Error(id="1", name="OfANewerChild", message="m").to_exception()
    assert type(unknown) is ModelFailed


def test_a_request_comes_back_equal() -> None:
    request = RunRequest(
        job_identity="j",
        arrival_id="a",
        release="sha256:0",
        release_name="spleen",
        release_version="1",
        content_at=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        select='Modality == "CT"',
        outputs=("seg",),
        labels={"1": {"name": "spleen", "colour": [1, 2, 3]}},
        accept={"modality": ["CT"]},
    )
    wire = json.loads(json.dumps(protocol.request_to_json(request)))
    assert protocol.request_from_json(wire) == request
    with pytest.raises(ModelFailed, match="run has no complete request"):
        protocol.request_from_json({"job_identity": "j"})
    with pytest.raises(ModelFailed, match="field select"):
        protocol.request_from_json({**wire, "select": 3})
