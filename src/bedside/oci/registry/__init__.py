"""Registries: pushing and pulling container images over the OCI distribution protocol.

The public face over private modules. ``Registries.of(os.environ)`` has the credentials that docker and
podman would use; `push` and `pull` move whole images, `Repository` answers small questions::

    with Registries.of(os.environ) as registries:
        push(assembled, Reference.parse("localhost:5000/spleen:1"), registries)
"""

from bedside.oci.registry.call import Options
from bedside.oci.registry.credentials import Answer, Authority, Chain, Credentials, Given, Later, Nobody
from bedside.oci.registry.download import download, read_blob
from bedside.oci.registry.keyring import Keyring
from bedside.oci.registry.progress import Progress, Step, Tell
from bedside.oci.registry.pull import Pulling, pull
from bedside.oci.registry.push import push
from bedside.oci.registry.referrers import referrers
from bedside.oci.registry.registries import Registries
from bedside.oci.registry.remote import remote
from bedside.oci.registry.repository import Fetched, Repository
from bedside.oci.registry.retry import Policy

__all__ = [
    "Answer",
    "Authority",
    "Chain",
    "Credentials",
    "Fetched",
    "Given",
    "Keyring",
    "Later",
    "Nobody",
    "Options",
    "Policy",
    "Progress",
    "Pulling",
    "Registries",
    "Repository",
    "Step",
    "Tell",
    "download",
    "pull",
    "push",
    "read_blob",
    "referrers",
    "remote",
]
