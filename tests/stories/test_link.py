"""`bedside tenant upload-link` as typed: a study is sent to its address, and no stranger gets one."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

import nothing_bundle
from clinic import Clinic, zipped
from clouds import Cloud


@pytest.fixture
def clinic(clinic_of: Callable[..., Clinic], cloud: Cloud) -> Clinic:
    return clinic_of(store_url=f"s3://{cloud.bucket()}")


def test_a_study_is_sent_to_the_address_and_becomes_a_job(clinic: Clinic, tmp_path: Path) -> None:
    study = sorted(nothing_bundle.write_study(tmp_path / "study", seed="link").iterdir())
    archive = zipped(study, tmp_path / "Meitner^Lise.zip")
    told = clinic.type("tenant", "upload-link", "ward-3", "--for", str(archive), "--expires", "30m", "--json")
    assert told.code == 0, told.err
    assert told.json["tenant"] == "ward-3"
    assert "Meitner" not in told.json["url"]
    httpx.put(told.json["url"], content=archive.read_bytes()).raise_for_status()
    clinic.take("ward-3")
    assert len(clinic.jobs("ward-3")) == 1
    plain = clinic.type("tenant", "upload-link", "default")
    assert plain.out.startswith("http") and len(plain.out.splitlines()) == 1
    assert "UTC: curl --upload-file STUDY.zip" in plain.err


def test_no_address_for_who_is_not_of_the_deployment(clinic: Clinic) -> None:
    told = clinic.type("tenant", "upload-link", "ward-4")
    assert told.code == 2 and "tenant ward-4 takes no studies: nobody made it" in told.err
    assert told.out == ""


def test_no_address_that_s3_would_not_sign(clinic: Clinic) -> None:
    told = clinic.type("tenant", "upload-link", "default", "--expires", "8d")
    assert told.code == 2 and "up to 7 days" in told.err
    told = clinic.type("tenant", "upload-link", "default", "--for", __file__, "--size-bytes", "5")
    assert told.code == 2 and "both say how much is sent" in told.err


def test_a_folder_signs_nothing(clinic_of: Callable[..., Clinic]) -> None:
    told = clinic_of().type("tenant", "upload-link", "default")
    assert told.code == 2 and "hint: bedside submit PATH" in told.err
