"""ECR's hosts, told from others without importing boto3.

Owns the list of endings. It is closed: a host that only looks like ECR's would be sent a password.
"""

import re
from dataclasses import dataclass

PUBLIC_HOST = "public.ecr.aws"
#: The only region whose endpoint gives credentials for public.ecr.aws.
_PUBLIC_REGION = "us-east-1"
#: AWS's partitions, and the dual-stack names.
_ENDINGS = (
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "on.aws",
    "on.amazonwebservices.com.cn",
    "sc2s.sgov.gov",
    "c2s.ic.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
)
_HOST = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z]{2,4}(?:-[a-z]+)+-\d+)\."
    f"(?:{'|'.join(re.escape(ending) for ending in _ENDINGS)})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EcrPlace:
    """Where a registry's passwords come from.

    Attributes:
        service: ``ecr`` or ``ecr-public``, as boto3 calls them.
        region: Of the endpoint to ask.
        account: Whose registry it is; empty for the public one.
    """

    service: str
    region: str
    account: str


def ecr_place(host: str) -> EcrPlace | None:
    """Return where a host's passwords come from, or None where it is not ECR's."""
    if host == PUBLIC_HOST:
        return EcrPlace(service="ecr-public", region=_PUBLIC_REGION, account="")
    match = _HOST.fullmatch(host)
    return EcrPlace(service="ecr", region=match["region"], account=match["account"]) if match else None


def is_ecr(host: str) -> bool:
    """Whether a host is one of ECR's."""
    return ecr_place(host) is not None
