"""Reads the parts of a request into files as they come. See PS3.18 8.6.1.2.

A part is never in memory as a whole; one that is too long is counted and thrown away.
"""

from pathlib import Path
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from bedside.errors import UsageError

#: RFC 2046 allows 70 characters; the parser takes no more than these.
_MOST_BOUNDARY = 256


class Parts:
    """The parts of one request.

    Args:
        content_type: Of the request.
        folder: Where files go.
        limit_bytes: Of one part; a longer one has no file.

    Raises:
        UsageError: The request has no boundary.
    """

    def __init__(self, content_type: str, folder: Path, limit_bytes: int) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if not 0 < len(boundary) <= _MOST_BOUNDARY:
            raise UsageError("Content-Type: multipart without a boundary, or with one that is too long")
        self.folder = folder
        self._limit_bytes = limit_bytes
        self._count = 0
        self._size_bytes = 0
        self._header = [b"", b""]
        self._kind = ""
        self._file: BinaryIO | None = None
        self._whole: list[tuple[Path | None, str]] = []
        self.ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._heard(0, data[start:end]),
                "on_header_value": lambda data, start, end: self._heard(1, data[start:end]),
                "on_header_end": self._note,
                "on_headers_finished": self._open,
                "on_part_data": self._take,
                "on_part_end": self._close,
                "on_end": self._end,
            },
        )

    def feed(self, data: bytes) -> list[tuple[Path | None, str]]:
        """Take some bytes; return the parts that are whole now: file (None: too long) and media type.

        Raises:
            UsageError: The request is no such thing.
        """
        try:
            self._parser.write(data)
        except FormParserError as exc:
            raise UsageError("the request is no multipart message") from exc
        whole, self._whole = self._whole, []
        return whole

    def close(self) -> None:
        """Let go of the file under way."""
        if self._file is not None:
            self._file.close()

    def _begin(self) -> None:
        self._count += 1
        self._size_bytes = 0
        self._kind = ""
        self._header = [b"", b""]

    def _heard(self, which: int, data: bytes) -> None:
        self._header[which] += data

    def _note(self) -> None:
        if self._header[0].strip().lower() == b"content-type":
            kind = self._header[1].decode("latin-1")
            self._kind = kind.partition(";")[0].strip().lower()
        self._header = [b"", b""]

    def _open(self) -> None:
        self._file = (self.folder / f"{self._count:06d}.dcm").open("wb")

    def _take(self, data: bytes, start: int, end: int) -> None:
        self._size_bytes += end - start
        if self._file is not None and self._size_bytes <= self._limit_bytes:
            self._file.write(data[start:end])

    def _close(self) -> None:
        assert self._file is not None
        self._file.close()
        path = Path(self._file.name)
        self._file = None
        fits = self._size_bytes <= self._limit_bytes
        if not fits:
            path.unlink()
        self._whole.append((path if fits else None, self._kind))

    def _end(self) -> None:
        self.ended = True
