"""Which registries can be reached, and with whose credentials."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bedside.oci.descriptor import Descriptor, Platform
    from bedside.oci.layout import OciLayout
    from bedside.oci.reference import Reference
    from bedside.oci.registry import Authority, Registries


def open_registries(environment: Mapping[str, str], *, insecure: bool = False) -> "Registries":
    """Return registries with the credentials that are at hand: AWS's for ECR, else docker's and podman's.

    Args:
        environment: Says where docker and podman keep theirs.
        insecure: Accept plain http and unknown certificates.
    """
    from bedside.adapters.aws.hosts import is_ecr
    from bedside.oci.registry import Chain, Keyring, Later, Options, Registries

    authority = Chain([Later(is_ecr, _ecr), Keyring.of(environment)])
    return Registries(authority, Options(insecure=insecure))


def pull_map(reference: "Reference", layout: "OciLayout", platform: "Platform") -> "Descriptor":
    """Bring a container image from its registry, with the credentials that are at hand."""
    from bedside.oci.registry import Pulling, pull

    with open_registries(os.environ) as registries:
        return pull(reference, layout, registries, Pulling(platform=platform))


def _ecr() -> "Authority":
    from bedside.adapters.local.clock import SystemClock
    from bedside.oci.registry import Nobody

    try:
        from bedside.adapters.aws.ecr import EcrAuthority
    except ImportError:
        return Nobody("AWS: not asked, pip install 'bedside[aws]'")
    return EcrAuthority(SystemClock().now)
