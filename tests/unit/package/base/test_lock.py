"""Locks are read as they were written, and refused with their reason."""

import json
from pathlib import Path

import pytest

from bedside.errors import ConfigError
from bedside.package.base.lock import parse_debian_lock, read_debian_lock

LOCKS = Path("src/bedside/package/locks")


def test_the_lock_that_bedside_brings_is_as_it_would_be_written(repository: Path) -> None:
    lock = read_debian_lock()

    assert lock.to_json() == (repository / LOCKS / "debian-bookworm.json").read_text()
    assert parse_debian_lock(lock.to_json()) == lock


def test_both_platforms_have_the_same_packages_in_the_same_versions() -> None:
    lock = read_debian_lock()
    amd64, arm64 = (lock.for_architecture(name) for name in ("amd64", "arm64"))

    # Rebuilds for one architecture only ("+b1") are the same source.
    assert [(one.name, one.version.partition("+b")[0]) for one in amd64] == [
        (one.name, one.version.partition("+b")[0]) for one in arm64
    ]


def test_every_suite_was_signed() -> None:
    releases = read_debian_lock().releases

    assert [one.suite for one in releases] == ["bookworm", "bookworm-updates", "bookworm-security"]
    assert all(one.signed_by for one in releases)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "format 2"),
        ({"snapshot": "yesterday"}, "yesterday"),
        ({"suite": None, "packages": None}, "not a lock"),
        ({"packages": {"amd64": [{"name": "a"}]}}, "version"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    document = {**json.loads(read_debian_lock().to_json()), **change}
    path = tmp_path / "base.json"
    path.write_text(json.dumps(document))

    with pytest.raises(ConfigError, match=said):
        read_debian_lock(path)


@pytest.mark.parametrize(("name", "value"), [("path", "pool/../../x"), ("path", "/etc"), ("sha256", "abc")])
def test_a_path_out_of_the_pool_or_no_hash_is_refused(tmp_path: Path, name: str, value: str) -> None:
    document = json.loads(read_debian_lock().to_json())
    document["packages"]["amd64"][0][name] = value
    path = tmp_path / "base.json"
    path.write_text(json.dumps(document))

    with pytest.raises(ConfigError, match="not a lock"):
        read_debian_lock(path)


def test_a_machine_that_the_lock_does_not_know_is_named() -> None:
    with pytest.raises(ConfigError, match=r"riscv64, only for amd64, arm64"):
        read_debian_lock().for_architecture("riscv64")
