"""HealthImaging's own ways: which request a parcel becomes, what goes wrong, datastores."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from bedside.adapters.aws.blobs import S3BlobStore
from bedside.adapters.aws.datastores import Patience, make_datastore, remove_datastore
from bedside.adapters.aws.healthimaging import HealthImaging, ImagingOptions
from bedside.adapters.aws.medical_imaging import dicomweb_url, make_imaging_client
from bedside.adapters.aws.places import Bucket
from bedside.adapters.aws.routes import RoutedBlobStore
from bedside.adapters.aws.stow import Stow
from bedside.domain.arrival import StoredFile
from bedside.domain.tenant import TenantBuckets
from bedside.errors import ConfigError, NotFound, Unavailable
from bedside.ports.archive import Parcel, Receipt, RefusedInstance
from clouds import Cloud
from dicom_samples import series
from healthimaging import ROLE, FakeHealthImaging, run_healthimaging

PARCEL = Parcel(tenant="ward", job_id="j1", prefix="results/a1/j1/dicom", token="t1")
AT_ONCE = Patience(poll_s=0.0, most_s=5.0)


@dataclass(frozen=True, kw_only=True)
class Place:
    fake: FakeHealthImaging
    datastore: str
    store: S3BlobStore
    archive: Callable[..., HealthImaging]


@pytest.fixture
def place(cloud: Cloud, tmp_path: Path) -> Iterator[Place]:
    bucket = Bucket(name=cloud.bucket(), prefix="a/")
    blobs = S3BlobStore(bucket)
    with run_healthimaging(cloud.client("s3")) as fake:
        options = ImagingOptions(
            datastore=fake.add_datastore(), bucket=bucket, role=ROLE, endpoint_url=fake.url
        )

        def archive(**changes: Any) -> HealthImaging:
            return HealthImaging(replace(options, **changes), blobs)

        files = series(tmp_path / "study")
        blobs.tenant("ward").put_files({f"{PARCEL.prefix}/{file.name}": file for file in files})
        yield Place(fake=fake, datastore=options.datastore, store=blobs.tenant("ward"), archive=archive)


def test_few_go_by_stow_and_many_by_an_import_job(place: Place) -> None:
    assert place.archive().send(PARCEL).receipt == Receipt(stored=6)
    assert place.fake.calls == ["StoreDICOM"]
    assert place.archive(stow_instances=5).send(PARCEL).ticket
    assert place.archive(stow_bytes=100).send(replace(PARCEL, token="t2")).ticket
    assert place.fake.calls[1:] == ["StartDICOMImportJob"] * 2


def test_without_a_bucket_everything_goes_by_stow_in_requests_of_limited_size(place: Place) -> None:
    size = max(blob.size_bytes for blob in place.store.list(f"{PARCEL.prefix}/"))
    archive = place.archive(bucket=None, role="", stow_instances=1, stow_bytes=2 * size + 1)
    assert archive.send(PARCEL).receipt == Receipt(stored=6)
    assert place.fake.calls == ["StoreDICOM"] * 3


def test_an_instance_that_is_too_large_for_stow_is_refused_and_the_rest_is_sent(place: Place) -> None:
    large = b"x" * 20_000
    file = StoredFile(sop_instance_uid="1.2.3", sha256=sha256(large).hexdigest(), size_bytes=len(large))
    place.store.put(file.key, large)
    receipt = place.archive(stow_most_bytes=10_000).send(replace(PARCEL, study=(file,))).receipt
    refused = RefusedInstance(instance="1.2.3", reason="20000 bytes are too many for STOW-RS")
    assert receipt == Receipt(stored=6, refused=(refused,))


def test_many_results_in_a_tenants_own_buckets_are_imported_from_there(
    place: Place, cloud: Cloud, tmp_path: Path
) -> None:
    own = TenantBuckets(input=cloud.bucket(), output=cloud.bucket())
    routed = RoutedBlobStore(place.store, lambda tenant: own if tenant == "own" else None, "own")
    files = series(tmp_path / "own", seed="own")
    routed.put_files({f"{PARCEL.prefix}/{file.name}": file for file in files})
    routed.put(f"{PARCEL.prefix}/notes.txt", b"no DICOM")
    archive = place.archive(stow_instances=1, buckets=routed._routes)
    archive._blobs = routed
    parcel = replace(PARCEL, tenant="own")
    ticket = archive.send(parcel).ticket
    [job] = place.fake.imports.values()
    assert job.request["inputS3Uri"] == f"s3://{own.output}/results/own/a1/j1/dicom/"
    assert job.request["outputS3Uri"] == f"s3://{own.input}/work/own/archive/j1/"
    assert archive.check(parcel, ticket) is None
    assert archive.check(parcel, ticket) == Receipt(
        stored=6, refused=(RefusedInstance(instance="notes.txt", reason="ValidationException"),)
    )
    assert place.fake.calls.count("StoreDICOM") == 0
    assert archive.send(replace(PARCEL, token="t2")).ticket
    shared = list(place.fake.imports.values())[1].request["inputS3Uri"]
    assert shared.endswith("/a/results/ward/a1/j1/dicom/")


def test_an_import_job_reads_the_dicom_folder_and_reports_into_work(place: Place) -> None:
    archive = place.archive(stow_instances=0)
    ticket = archive.send(PARCEL).ticket
    assert archive.check(PARCEL, ticket) is None
    assert archive.check(PARCEL, ticket) == Receipt(stored=6)
    [job] = place.fake.imports.values()
    assert job.request["inputS3Uri"].endswith("/a/results/ward/a1/j1/dicom/")
    assert job.request["outputS3Uri"].endswith("/a/work/ward/archive/j1/")
    assert (job.request["dataAccessRoleArn"], job.request["clientToken"]) == (ROLE, "t1")
    assert archive.send(PARCEL).ticket == ticket and len(place.fake.imports) == 1


def test_refusals_of_an_import_job_name_file_and_kind_and_quote_nothing(place: Place) -> None:
    place.store.put(f"{PARCEL.prefix}/notes.txt", b"no DICOM")
    archive = place.archive(stow_instances=0)
    ticket = archive.send(PARCEL).ticket
    archive.check(PARCEL, ticket)
    assert archive.check(PARCEL, ticket) == Receipt(
        stored=6, refused=(RefusedInstance(instance="notes.txt", reason="ValidationException"),)
    )


def test_refusals_of_stow_name_instance_and_reason(place: Place) -> None:
    place.archive().send(PARCEL)
    [refused, *_] = place.fake.instances(place.datastore)
    place.fake.refuse = {refused}
    receipt = place.archive().send(PARCEL).receipt
    assert receipt == Receipt(
        stored=5, refused=(RefusedInstance(instance=refused, reason="failure reason 0xA900"),)
    )


def test_an_import_job_that_failed_is_not_there_to_wait_for(place: Place) -> None:
    place.fake.fail_imports = True
    archive = place.archive(stow_instances=0)
    ticket = archive.send(PARCEL).ticket
    archive.check(PARCEL, ticket)
    with pytest.raises(NotFound, match="failed as a whole"):
        archive.check(PARCEL, ticket)


def test_a_manifest_that_is_not_there_yet_is_waited_for(place: Place) -> None:
    archive = place.archive(stow_instances=0)
    ticket = archive.send(PARCEL).ticket
    archive.check(PARCEL, ticket)
    archive.check(PARCEL, ticket)
    [manifest] = [
        blob.key for blob in place.store.list("work/archive/j1/") if blob.key.endswith("manifest.json")
    ]
    place.store.delete(manifest)
    with pytest.raises(Unavailable, match="not there yet"):
        archive.check(PARCEL, ticket)


def test_throttling_is_waited_out_and_then_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    archive = place.archive(stow_instances=0)
    place.fake.throttle = 2
    assert archive.send(PARCEL).ticket
    assert place.fake.calls == ["StartDICOMImportJob"] * 3 and waited
    place.fake.throttle = 100
    with pytest.raises(Unavailable, match="ThrottlingException"):
        archive.send(replace(PARCEL, token="t2"))
    with pytest.raises(Unavailable, match="429") as throttled:
        place.archive().send(PARCEL)
    assert throttled.value.hint == "bedside archive list", "no permission is missing"


def test_a_bucket_needs_a_role(place: Place) -> None:
    with pytest.raises(ConfigError, match=r"archive\.role"):
        place.archive(role="")


def test_a_wrong_datastore_and_a_wrong_role_are_said(place: Place) -> None:
    with pytest.raises(NotFound):
        place.archive(datastore="0" * 32, stow_instances=0).send(PARCEL)
    with pytest.raises(Unavailable, match="ValidationException"):
        place.archive(role="arn:aws:iam::1:role/short", stow_instances=0).send(PARCEL)


def test_requests_are_signed_and_a_changed_one_is_refused(place: Place) -> None:
    client = make_imaging_client(endpoint_url=place.fake.url)

    def tamper(request: httpx.Request) -> httpx.Response:
        body = request.read().replace(b"DICM", b"DICX")
        return httpx.post(request.url, content=body, headers=request.headers)

    content = place.store.get(next(place.store.list(f"{PARCEL.prefix}/")).key)
    assert Stow(client, place.datastore).store([content]).stored == 1
    with pytest.raises(Unavailable, match="403") as denied:
        Stow(client, place.datastore, httpx.MockTransport(tamper)).store([content])
    assert "medical-imaging:StoreDICOM" in denied.value.hint
    assert len(place.fake.instances(place.datastore)) == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (httpx.Response(200, text="<html>"), "no DICOM JSON"),
        (httpx.Response(200, json=["text"]), "no DICOM JSON"),
        (httpx.Response(503), "503"),
    ],
)
def test_an_answer_that_says_nothing_confirms_nothing(
    place: Place, answer: httpx.Response, message: str
) -> None:
    stow = Stow(make_imaging_client(), place.datastore, httpx.MockTransport(lambda request: answer))
    with pytest.raises(Unavailable, match=message):
        stow.store([b"x"])


def test_what_the_answer_leaves_out_counts_as_refused(place: Place) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json={}))
    receipt = Stow(make_imaging_client(), place.datastore, transport).store([b"x"])
    assert receipt == Receipt(stored=0, refused=(RefusedInstance(instance="", reason="not in the answer"),))


def test_on_aws_dicomweb_has_a_host_of_its_own(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    client = make_imaging_client(region="eu-west-1")
    assert dicomweb_url(client) == "https://dicom-medical-imaging.eu-west-1.amazonaws.com"


def test_a_datastore_is_made_once_and_removed_with_what_is_in_it(place: Place) -> None:
    client = make_imaging_client(endpoint_url=place.fake.url)
    made = make_datastore("ward-3", client=client, patience=AT_ONCE)
    assert place.fake.datastores[made]["tags"] == {"bedside:deployment": "ward-3"}
    assert make_datastore("ward-3", client=client, patience=AT_ONCE) == made
    others = place.fake.add_datastore(
        "ward-4"
    )  # of the name, and without the tag: not ours to take or remove
    assert make_datastore("ward-4", client=client, patience=AT_ONCE) != others
    place.archive(datastore=made).send(PARCEL)
    assert remove_datastore(made, client=client, patience=AT_ONCE) == 1
    assert place.fake.datastores[made]["status"] == "DELETED" and not place.fake.instances(made)
    assert remove_datastore("0" * 32, client=client, patience=AT_ONCE) == 0


def test_operations_without_code_are_not_pretended(place: Place) -> None:
    client = make_imaging_client(endpoint_url=place.fake.url)
    with pytest.raises(client.exceptions.ClientError) as caught:
        client.list_dicom_import_jobs(datastoreId=place.datastore)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
