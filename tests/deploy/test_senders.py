"""Who may send for one tenant sends for no other: on the applied deployment, where policies are checked.

Links are signed by the role of its machines, as `bedside deploy run -- tenant upload-link` has them signed.
"""

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from guarded_site import Guarded
from wishes import NAME

pytestmark = [pytest.mark.needs("terraform"), pytest.mark.timeout(400)]

WORKER = f"{NAME}-default-worker"
Keys = tuple[str, str] | tuple[str, str, str]


class Wards:
    """Two tenants, and whoever sends for them."""

    def __init__(self, guarded: Guarded, folder: Path) -> None:
        self.guarded, self.bucket = guarded, guarded.outputs["bucket"]
        self.folder = folder
        self.configuration = folder / "bedside.toml"
        self.configuration.write_text(
            f'[system]\nroot = "{folder}/root"\ntenants = ["ward-3", "ward-4"]\n'
            f'[store]\nurl = "s3://{self.bucket}"\n'
        )
        trusted = ssl.create_default_context(cafile=guarded.cloud.certificate)
        self.browser = httpx.Client(trust_env=False, verify=trusted)

    def link(self, tenant: str, keys: Keys, *more: str) -> "subprocess.CompletedProcess[str]":
        """Ask for a link as whoever has these keys."""
        key, secret, token = (*keys, "")[:3]
        session = {"AWS_SESSION_TOKEN": token} if token else {}
        words = ["tenant", "upload-link", tenant, *more, "-c", str(self.configuration)]
        return subprocess.run(
            [sys.executable, "-m", "bedside", *words],
            env={**os.environ, **self.guarded.cloud.environment((key, secret)), **session},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def send(self, url: str, content: bytes) -> int:
        return self.browser.put(url, content=content).status_code

    def sent(self) -> list[str]:
        """Return the keys of all that lies in the drop-boxes."""
        listed = self.guarded.cloud.client("s3").list_objects_v2(Bucket=self.bucket, Prefix="input/ward-")
        return [item["Key"] for item in listed.get("Contents", ())]


@pytest.fixture
def wards(guarded: Guarded, tmp_path: Path) -> Iterator[Wards]:
    made, iam = Wards(guarded, tmp_path), guarded.cloud.client("iam")
    trust = iam.get_role(RoleName=WORKER)["Role"]["AssumeRolePolicyDocument"]
    yield made
    made.browser.close()
    # As it was: a second plan is demanded to be empty after this.
    iam.update_assume_role_policy(RoleName=WORKER, PolicyDocument=json.dumps(trust))
    for key in made.sent():
        guarded.cloud.client("s3").delete_object(Bucket=made.bucket, Key=key)


def test_a_link_of_one_tenant_sends_for_no_other(wards: Wards, tmp_path: Path) -> None:
    machine = wards.guarded.role(WORKER)
    study = tmp_path / "study.zip"
    content = b"PK what a ZIP begins with"
    study.write_bytes(content)
    link = wards.link("ward-3", machine, "--for", str(study))
    assert link.returncode == 0, link.stderr
    url = link.stdout.strip()
    assert "/input/ward-3/" in url
    assert wards.send(url.replace("/input/ward-3/", "/input/ward-4/"), content) == 403
    assert wards.send(url.replace("/input/ward-3/", "/results/ward-3/"), content) == 403
    assert wards.send(url, content + b"and more") == 403
    assert wards.sent() == []
    assert wards.send(url, content) == 200
    (key,) = wards.sent()
    assert key.startswith("input/ward-3/")
    assert wards.link("ward-5", machine).returncode == 2


def test_keys_of_one_tenant_sign_and_send_nothing_for_another(wards: Wards) -> None:
    """A link is as good as the keys that sign it: those of a sender who may write below one prefix."""
    cloud = wards.guarded.cloud
    keys = cloud.user("ward-3-sender")
    cloud.permit("ward-3-sender", {f"arn:aws:s3:::{wards.bucket}/input/ward-3/*": ["s3:PutObject"]})
    for tenant, status in {"ward-3": 200, "ward-4": 403}.items():
        link = wards.link(tenant, keys)
        assert link.returncode == 0, link.stderr
        assert wards.send(link.stdout.strip(), b"PK") == status
    (key,) = wards.sent()
    assert key.startswith("input/ward-3/")
    cloud.client("iam").delete_user_policy(UserName="ward-3-sender", PolicyName="all")
