"""Clients of AWS, each made when first used: how patient they are, how they sign.

Credentials and region come from boto3's own places (environment, profile, the machine's role), because
a role is renewed there and a key in our configuration would be a long-lived one.
"""

import os
import threading
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config

from bedside.adapters.aws.errors import as_ours

#: Further tries of one request, waiting longer each time; what fails then is for the caller's own retry.
_ATTEMPTS, _CONNECT_S, _READ_S = 5, 10, 60
#: Where somebody waits for what may as well fail.
_HASTY = 1, 2, 5


def make_client(
    service: str,
    *,
    endpoint_url: str = "",
    connections: int = 10,
    region: str = "",
    patient: bool = True,
) -> Any:
    """Return a boto3 client, which threads may share.

    Args:
        service: As boto3 calls it.
        endpoint_url: Of a server that is not AWS; empty is AWS, or what AWS_ENDPOINT_URL names.
        connections: How many threads may wait for answers at once.
        region: Where what is asked for lies; empty is that of the environment or profile.
        patient: Whether to try for minutes what does not answer, or for seconds.

    Raises:
        ConfigError: The profile or the region that the environment names is wrong.
    """
    own = Config(
        signature_version="s3v4" if service == "s3" else None,
        max_pool_connections=connections,
        # A server of one's own seldom has a name for each bucket. On AWS it must be said: by default
        # signed URLs lead to us-east-1, which sends an upload to a young bucket elsewhere away.
        s3={"addressing_style": "path" if endpoint_url else "virtual"},
    )
    with as_ours(f"AWS {service}"):
        # A session of its own: the default one is no thread's to share while it makes a client.
        return open_session(region).client(
            service, endpoint_url=endpoint_url or None, config=limits(patient=patient).merge(own)
        )


def limits(*, patient: bool = True) -> Config:
    """Return how often a request is tried, and how long each time: boto3 by itself waits for ten minutes.

    Args:
        patient: Whether to try for minutes what does not answer, or for seconds.
    """
    attempts, connect_s, read_s = (_ATTEMPTS, _CONNECT_S, _READ_S) if patient else _HASTY
    return Config(
        retries={"mode": "standard", "max_attempts": attempts},
        connect_timeout=connect_s,
        read_timeout=read_s,
    )


def open_session(region: str = "") -> Any:
    """Return a boto3 session in a region.

    Args:
        region: Empty is AWS_DEFAULT_REGION, then AWS_REGION, then the profile's. boto3 alone passes over
            the second, which Terraform, Lambda and AWS's other kits go by.

    Raises:
        ProfileNotFound: The environment names a profile that there is none of.
    """
    told = region or os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION")
    # Not boto3's default one, which is no thread's to share while it makes a client.
    return boto3.session.Session(region_name=told or None)


class LateClient:
    """A client that is made when first asked for, by whichever thread comes first.

    Args:
        make: Makes it.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._client: Any = None

    def __call__(self) -> Any:
        """Return the client."""
        with self._lock:
            if self._client is None:
                self._client = self._make()
            return self._client
