"""Which store a configuration chooses, and where a person finds what lies in it."""

import sys
from pathlib import Path

import pytest

from bedside.adapters.aws.routes import RoutedBlobStore
from bedside.adapters.local.blobs import FolderBlobStore
from bedside.config import Settings
from bedside.errors import ConfigError, Unavailable
from bedside.wiring import open_deployment, open_store, place_of
from clouds import Cloud


def settings(folder: Path, url: str = "", endpoint_url: str = "") -> Settings:
    return Settings.model_validate(
        {"system": {"root": folder / "data"}, "store": {"url": url, "endpoint_url": endpoint_url}}
    )


def test_without_a_bucket_it_is_the_root_folder(tmp_path: Path) -> None:
    store = open_store(settings(tmp_path))
    assert isinstance(store.blobs, FolderBlobStore)
    store.blobs.put("results/r.json", b"{}")
    assert Path(place_of(settings(tmp_path), "default", "results/r.json")).read_bytes() == b"{}"


def test_a_bucket_holds_the_objects_and_the_root_the_rest(tmp_path: Path, cloud: Cloud) -> None:
    bucket = cloud.bucket()
    chosen = settings(tmp_path, f"s3://{bucket}/ward")
    deployment = open_deployment(chosen)
    assert isinstance(deployment.blobs, RoutedBlobStore)
    deployment.blobs.tenant("t").put("results/a/r.json", b"{}")
    deployment.close()
    place = place_of(chosen, "t", "results/a/r.json")
    assert place == f"s3://{bucket}/ward/results/t/a/r.json"
    found = cloud.client("s3").get_object(Bucket=bucket, Key=place.removeprefix(f"s3://{bucket}/"))
    assert found["Body"].read() == b"{}"
    assert deployment.scratch == tmp_path / "data" / ".work"
    assert [path.name for path in (tmp_path / "data").iterdir() if path.is_dir()] == []


def test_a_server_that_is_not_aws_is_named_by_the_configuration(
    tmp_path: Path, moto: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in moto.environment.items():
        if name != "AWS_ENDPOINT_URL":
            monkeypatch.setenv(name, value)
    bucket = moto.bucket()
    store = open_store(settings(tmp_path, f"s3://{bucket}", moto.url))
    store.blobs.put("k", b"here")
    assert store.check() == f"s3://{bucket} answers at {moto.url}"


def test_a_bucket_that_is_not_there_is_told_by_its_check(tmp_path: Path, cloud: Cloud) -> None:
    with pytest.raises(Unavailable, match="s3://no-such-bucket-1: there is no such bucket"):
        open_store(settings(tmp_path, "s3://no-such-bucket-1")).check()


@pytest.mark.parametrize(
    "url",
    ["bucket", "s3:/bucket", "s3://", "s3://UPPER", "s3://a", "https://bucket.s3.amazonaws.com", "s3://bucket//p",
     "s3://bucket/../p", "s3://bucket/a/.bedside-x"],
)  # fmt: skip
def test_what_names_no_bucket_is_a_wrong_configuration(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match=r"store\.url") as caught:
        open_deployment(settings(tmp_path, url))
    assert caught.value.hint


def test_an_endpoint_that_means_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="means nothing without a bucket"):
        open_store(settings(tmp_path, "", "http://127.0.0.1:9000"))
    with pytest.raises(ConfigError, match="is not http"):
        open_store(settings(tmp_path, "s3://bucket", "127.0.0.1:9000"))


def test_a_bucket_without_the_aws_extra_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bedside.adapters.aws.blobs", None)
    with pytest.raises(ConfigError) as caught:
        open_store(settings(tmp_path, "s3://bucket"))
    assert caught.value.hint == "pip install 'bedside[aws]'"
