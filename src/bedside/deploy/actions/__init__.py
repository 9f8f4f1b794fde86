"""Which actions of AWS each Terraform resource type needs, and on what; from AWS's service references.

Owns one table: type of resource to what the provider calls when it makes, reads, changes, tags and
removes one. Actions that AWS cannot restrict to a resource say ``*``. A type that is missing here is an
error of `bedside.deploy.grants`, and of a test that reads the modules.
"""

from collections.abc import Mapping

from bedside.deploy.actions import access, keeping, machines, messages, network
from bedside.deploy.actions.grant import Grant
from bedside.deploy.actions.own import ASKED, DATASTORE, KEY, OWN

ACTIONS: Mapping[str, tuple[Grant, ...]] = {
    kind: grants
    for part in (keeping, messages, machines, network, access)
    for kind, grants in part.ACTIONS.items()
}

__all__ = ["ACTIONS", "ASKED", "DATASTORE", "KEY", "OWN", "Grant"]
