"""How objects travel to and within S3: sizes of parts, requests at once, and errors of files on this machine.

Owns boto3's transfers. They send each part with its checksum, and give up an upload that failed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from boto3.s3.transfer import TransferConfig, create_transfer_manager

from bedside.adapters.aws.errors import as_ours
from bedside.errors import Unavailable

MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Options:
    """How objects travel.

    Attributes:
        endpoint_url: Of a server that is not AWS.
        part_bytes: Larger objects travel in parts of this size; 5 MiB is the least that S3 takes.
        copy_bytes: Larger objects are copied in parts; S3 copies no more than 5 GiB at once.
        copy_part_bytes: Of those parts.
        threads: Requests at once.
    """

    endpoint_url: str = ""
    part_bytes: int = 16 * MIB
    copy_bytes: int = 5 * 2**30
    copy_part_bytes: int = 256 * MIB
    threads: int = 16

    @property
    def uploads(self) -> TransferConfig:
        """How files are sent."""
        return self._transfer(self.part_bytes, self.part_bytes)

    @property
    def copies(self) -> TransferConfig:
        """How objects are copied that S3 does not copy at once."""
        return self._transfer(self.copy_bytes, self.copy_part_bytes)

    def _transfer(self, at_once_bytes: int, part_bytes: int) -> TransferConfig:
        return TransferConfig(
            multipart_threshold=at_once_bytes + 1,
            multipart_chunksize=part_bytes,
            max_concurrency=self.threads,
            preferred_transfer_client="classic",  # the other one cannot copy
        )


@contextmanager
def transferring(client: Any, doing: str, config: TransferConfig) -> Iterator[Any]:
    """Give what sends and copies in parts, several at once.

    Args:
        client: Of boto3.
        doing: For messages.
        config: Sizes and threads.

    Raises:
        Unavailable: AWS refuses or is out of reach, or a file here cannot be read. What was begun and
            not finished is cancelled, its parts are removed.
    """
    with (
        as_ours(f"store: cannot {doing}"),
        local_errors(doing),
        create_transfer_manager(client, config) as transfers,
    ):
        yield transfers


@contextmanager
def local_errors(doing: str) -> Iterator[None]:
    """Turn errors of files on this machine into ours, without their paths."""
    try:
        yield
    except OSError as exc:
        why = os.strerror(exc.errno) if exc.errno else type(exc).__name__
        raise Unavailable(f"store: cannot {doing}: {why}", hint="bedside doctor") from exc
