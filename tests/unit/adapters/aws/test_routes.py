"""Which bucket a tenant's key is in, where it has buckets of its own."""

from bedside.adapters.aws.blobs import S3BlobStore
from bedside.adapters.aws.places import Bucket
from bedside.adapters.aws.routes import RoutedBlobStore
from bedside.domain.tenant import TenantBuckets
from clouds import Cloud


def _keys(cloud: Cloud, bucket: str) -> list[str]:
    return [found["Key"] for found in cloud.client("s3").list_objects_v2(Bucket=bucket).get("Contents", ())]


def test_results_are_in_the_output_bucket_and_others_share_the_deployments(cloud: Cloud) -> None:
    shared, own = cloud.bucket(), TenantBuckets(input=cloud.bucket(), output=cloud.bucket())
    asked: list[str] = []

    def routes(tenant: str) -> TenantBuckets | None:
        asked.append(tenant)
        return own if tenant == "h.ct" else None

    store = RoutedBlobStore(S3BlobStore(Bucket(name=shared, prefix="p/")), routes)
    assert asked == [], "a store is opened without asking anybody"
    mine, theirs = store.tenant("h.ct"), store.tenant("ward")
    for one in (mine, theirs):
        one.put("input/a.zip", b"z")
        one.put("results/a/result.json", b"{}")
        one.put("top", b"t")
    assert _keys(cloud, own.input) == [".bedside-top/h.ct/top", "input/h.ct/a.zip"]
    assert _keys(cloud, own.output) == ["results/h.ct/a/result.json"]
    assert _keys(cloud, shared) == [
        "p/.bedside-top/ward/top",
        "p/input/ward/a.zip",
        "p/results/ward/a/result.json",
    ]
    assert asked == ["h.ct", "ward"], "once for each"
    assert mine.url("results/a/result.json") == f"s3://{own.output}/results/h.ct/a/result.json"
    assert own.input in mine.presign_put("input/b.zip", 60, 3)
    mine.move("input/a.zip", "results/b/a.zip")  # from one bucket into the other
    mine.move("results", "kept")
    assert [blob.key for blob in mine.list("")] == ["kept/a/result.json", "kept/b/a.zip", "top"]
    assert _keys(cloud, own.output) == []
    assert mine.get("kept/b/a.zip") == b"z"
