"""Answers that break off on the way are asked for again, from where they began and not for ever."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore import exceptions

from bedside.adapters.aws.reading import S3Object
from bedside.errors import Unavailable


class Body:
    """What an answer's body is, or an error instead of its bytes."""

    def __init__(self, content: bytes | Exception) -> None:
        self.content = content

    def __enter__(self) -> "Body":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self) -> bytes:
        if isinstance(self.content, Exception):
            raise self.content
        return self.content


class Client:
    """Answers one thing after another, the last one for ever."""

    def __init__(self, *contents: bytes | Exception) -> None:
        self.contents = list(contents)
        self.asked: list[dict[str, str]] = []

    def get_object(self, **asked: str) -> dict[str, Any]:
        self.asked.append(asked)
        content = self.contents.pop(0) if len(self.contents) > 1 else self.contents[0]
        return {"Body": Body(content), "ContentLength": 5, "ETag": "v1"}


def broken() -> Exception:
    return exceptions.ResponseStreamingError(error="connection reset")


@pytest.mark.parametrize(
    "read", [lambda o: o.read(), lambda o: o.read_range(0, 5, "v1")], ids=["whole", "range"]
)
def test_an_answer_that_breaks_off_is_asked_for_again(read: Callable[[S3Object], bytes]) -> None:
    damaged = exceptions.FlexibleChecksumError(error_msg="differs")
    client = Client(
        broken(), damaged, exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=5), b"whole"
    )
    assert read(S3Object(client=client, bucket="b", key="k")) == b"whole"
    assert len(client.asked) == 4
    assert all(asked == client.asked[0] for asked in client.asked)


def test_what_never_comes_whole_is_unavailable() -> None:
    client = Client(broken())
    with pytest.raises(Unavailable, match="AWS was not reached"):
        S3Object(client=client, bucket="b", key="k").read()
    assert len(client.asked) == 4
