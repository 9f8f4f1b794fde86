"""The client of AWS HealthImaging, which boto3 calls medical-imaging, and where its DICOMweb answers.

Owns how patient it is: a throttled request is tried again a few times, waiting longer each time; what is
throttled then waits in the ledger.
"""

from typing import Any

from botocore.config import Config

from bedside.adapters.aws.clients import open_session
from bedside.adapters.aws.errors import as_ours

SERVICE = "medical-imaging"
_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 6},
    connect_timeout=10,
    read_timeout=60,
)


def make_imaging_client(region: str = "", endpoint_url: str = "") -> Any:
    """Return a boto3 client of HealthImaging.

    Args:
        region: Empty is the one that the environment or the profile names.
        endpoint_url: Of a server that is not AWS; empty is AWS, or what AWS_ENDPOINT_URL names.

    Raises:
        ConfigError: The profile or the region is wrong.
    """
    with as_ours("archive"):
        session = open_session(region)
        where = {"endpoint_url": endpoint_url or None}
        client = session.client(SERVICE, config=_CONFIG, **where)
        if not is_aws(client):
            # The operations on image sets have a host of their own; a server elsewhere has but one.
            client = session.client(SERVICE, config=_CONFIG.merge(Config(inject_host_prefix=False)), **where)
        return client


def is_aws(client: Any) -> bool:
    """Whether a client speaks to AWS itself."""
    return ".amazonaws." in client.meta.endpoint_url


def dicomweb_url(client: Any) -> str:
    """Return where DICOMweb answers: a host beside the service's own."""
    url = str(client.meta.endpoint_url).rstrip("/")
    return url.replace(f"://{SERVICE}", f"://dicom-{SERVICE}", 1) if is_aws(client) else url
