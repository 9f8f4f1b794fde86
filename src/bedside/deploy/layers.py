"""Whether a push may take layers over from other repositories, which is a setting of the account.

Owns the decision to ask for it and what is said of it. No Terraform provider of the pinned version knows the
setting, so it is asked for after an apply; a refusal costs time at each push and stops nothing.
"""

from collections.abc import Sequence

from bedside.config import DeploySettings
from bedside.deploy.runner import Held
from bedside.errors import ConfigError, Unavailable
from bedside.ports.cloud import Cloud

_REPOSITORY = "aws_ecr_repository"


def share_layers(cloud: Cloud, settings: DeploySettings, held: Sequence[Held]) -> str:
    """Permit it where a repository was made and the settings ask for it; return what to tell, or nothing."""
    if not settings.blob_mounting or not any(item.type == _REPOSITORY for item in held):
        return ""
    try:
        changed = cloud.share_layers()
    except (ConfigError, Unavailable) as refused:
        return (
            f"pushes send each layer again that another repository has: {refused.message}; "
            "bedside deploy permissions, or deploy.blob_mounting = false"
        )
    where = f"account {cloud.caller().account}, {cloud.region}"
    return f"repositories of {where} may share layers now (deploy.blob_mounting)" if changed else ""
