"""Who may send for one tenant sends for no other, where signatures and policies are checked as AWS does."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from guarded_cloud import ROOT, GuardedCloud, run_ministack

BUCKET = "bedside-tenants"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedCloud]:
    with run_ministack(tmp_path_factory.mktemp("ministack")) as cloud:
        cloud.client("s3").create_bucket(Bucket=BUCKET)
        yield cloud


def typed(
    guarded: GuardedCloud, folder: Path, *words: str, keys: tuple[str, str] = ROOT
) -> "subprocess.CompletedProcess[str]":
    """Type a command as whoever has these keys."""
    configuration = folder / "bedside.toml"
    configuration.write_text(
        f'[system]\nroot = "{folder}/root"\ntenants = ["ward-3", "ward-4"]\n[store]\nurl = "s3://{BUCKET}"\n'
    )
    return subprocess.run(
        [sys.executable, "-m", "bedside", *words, "-c", str(configuration)],
        env={**os.environ, **guarded.environment(keys)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def objects(guarded: GuardedCloud) -> list[str]:
    listed = guarded.client("s3").list_objects_v2(Bucket=BUCKET)
    return [item["Key"] for item in listed.get("Contents", ())]


def test_a_link_of_one_tenant_sends_for_no_other(guarded: GuardedCloud, tmp_path: Path) -> None:
    study = tmp_path / "study.zip"
    study.write_bytes(b"PK what a ZIP begins with")
    link = typed(guarded, tmp_path, "tenant", "upload-link", "ward-3", "--for", str(study))
    assert link.returncode == 0, link.stderr
    url = link.stdout.strip()

    def send(to: str, content: bytes = study.read_bytes()) -> int:
        return httpx.put(to, content=content, trust_env=False).status_code

    assert "/input/ward-3/" in url
    assert send(url.replace("/input/ward-3/", "/input/ward-4/")) == 403
    assert send(url.replace("/input/ward-3/", "/results/ward-3/")) == 403
    assert send(url, study.read_bytes() + b"and more") == 403
    assert objects(guarded) == []
    assert send(url) == 200
    (key,) = objects(guarded)
    assert key.startswith("input/ward-3/")
    assert typed(guarded, tmp_path, "tenant", "upload-link", "ward-5").returncode == 2
    guarded.client("s3").delete_object(Bucket=BUCKET, Key=key)


def test_keys_of_one_tenant_sign_and_send_nothing_for_another(guarded: GuardedCloud, tmp_path: Path) -> None:
    """A link is as good as the keys that sign it: those of a sender who may write below one prefix."""
    keys = guarded.user("ward-3-sender")
    guarded.permit("ward-3-sender", {f"arn:aws:s3:::{BUCKET}/input/ward-3/*": ["s3:PutObject"]})
    for tenant, status in {"ward-3": 200, "ward-4": 403}.items():
        link = typed(guarded, tmp_path, "tenant", "upload-link", tenant, keys=keys)
        assert link.returncode == 0, link.stderr
        assert httpx.put(link.stdout.strip(), content=b"PK", trust_env=False).status_code == status
    (key,) = objects(guarded)
    assert key.startswith("input/ward-3/")
