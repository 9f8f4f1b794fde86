"""Results in AWS HealthImaging: small ones by STOW-RS, others by an import job that reads the bucket.

Owns which way a parcel goes. An import job reads everything below a prefix, so that it is pointed at a
result's ``dicom/`` only, where nothing else lies. A study's files lie under many prefixes, each once however
many versions have it: they go by STOW-RS. Its state says nothing of single instances: those are
in the manifests that it leaves in the bucket. What HealthImaging says of a file may quote its header,
and is left there; only the kind of refusal is told.
"""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bedside.adapters.aws.clients import LateClient
from bedside.adapters.aws.errors import as_ours
from bedside.adapters.aws.medical_imaging import make_imaging_client
from bedside.adapters.aws.places import Bucket
from bedside.adapters.aws.routes import Routes, own_bucket
from bedside.adapters.aws.stow import Stow
from bedside.domain.arrival import StoredFile
from bedside.errors import ConfigError, NotFound, Unavailable
from bedside.ports import Blob, BlobStore
from bedside.ports.archive import ArchivedInstance, ImageSet, Parcel, Receipt, RefusedInstance, Sending

MIB = 2**20
#: An object of the store, of which key and size are known.
_Sized = Blob | StoredFile
_SUMMARY = "job-output-manifest.json"
_REFUSED = "FAILURE/failure.ndjson"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagingOptions:
    """How results reach a datastore.

    Attributes:
        datastore: Its id.
        bucket: Where the store lies, for import jobs; None sends everything by STOW-RS.
        buckets: Returns a tenant's own buckets, where it has some: an import reads and reports there.
        role: ARN of the role with which an import job reads and writes the bucket.
        endpoint_url: Of a server that is not AWS.
        stow_instances: Most instances that go by STOW-RS where there is a bucket.
        stow_bytes: Most bytes of those, and of one request that has several.
        stow_most_bytes: A larger instance is not sent by STOW-RS; HealthImaging takes 1 GB at once.
    """

    datastore: str
    bucket: Bucket | None = None
    buckets: Routes = lambda _: None
    role: str = ""
    endpoint_url: str = ""
    stow_instances: int = 20
    stow_bytes: int = 64 * MIB
    stow_most_bytes: int = 10**9


class HealthImaging:
    """An image archive in a datastore of AWS HealthImaging.

    Args:
        options: Which datastore, and how to reach it.
        blobs: The store, of any tenant.

    Raises:
        ConfigError: There is a bucket and no role to read it with.
    """

    def __init__(self, options: ImagingOptions, blobs: BlobStore) -> None:
        if options.bucket is not None and not options.role:
            raise ConfigError(
                "archive.role: empty, and import jobs read the bucket with it", hint="bedside config show"
            )
        self._options = options
        self._blobs = blobs
        self._client = LateClient(lambda: make_imaging_client(endpoint_url=options.endpoint_url))

    def send(self, parcel: Parcel) -> Sending:
        """Send all instances of a parcel."""
        blobs = list(self._blobs.tenant(parcel.tenant).list(f"{parcel.prefix}/"))
        options = self._options
        small = (
            len(blobs) <= options.stow_instances and sum(b.size_bytes for b in blobs) <= options.stow_bytes
        )
        if small or options.bucket is None:
            return Sending(receipt=self._store(parcel, [*blobs, *parcel.study]))
        return Sending(ticket=self._start(parcel, options.bucket))

    def check(self, parcel: Parcel, ticket: str) -> Receipt | None:
        """Return what was confirmed of a pending sending."""
        with as_ours("archive: import job"):
            job = self._client().get_dicom_import_job(datastoreId=self._options.datastore, jobId=ticket)
        properties = job["jobProperties"]
        if properties["jobStatus"] == "FAILED":
            raise NotFound(f"archive: import job {ticket} failed as a whole")
        if properties["jobStatus"] != "COMPLETED":
            return None
        result = self._manifests(parcel, properties["outputS3Uri"])
        study = self._store(parcel, parcel.study)
        return Receipt(stored=result.stored + study.stored, refused=result.refused + study.refused)

    def image_sets(self, study_uid: str) -> Sequence[ImageSet]:
        """Return what is kept of a study, by id."""
        criteria = {"filters": [{"operator": "EQUAL", "values": [{"DICOMStudyInstanceUID": study_uid}]}]}
        with as_ours("archive: search"):
            pages = self._client().get_paginator("search_image_sets")
            found = [
                summary
                for page in pages.paginate(datastoreId=self._options.datastore, searchCriteria=criteria)
                for summary in page["imageSetsMetadataSummaries"]
            ]
        sets = [_image_set(summary) for summary in found]
        return sorted(sets, key=lambda each: each.id)

    def instances(self, image_set: str) -> Sequence[ArchivedInstance]:
        """Return an image set's instances with their attributes, by UID."""
        with as_ours("archive: image set"):
            answer = self._client().get_image_set_metadata(
                datastoreId=self._options.datastore, imageSetId=image_set
            )
            packed = answer["imageSetMetadataBlob"].read()
        try:
            document = json.loads(gzip.decompress(packed))
        except (OSError, EOFError, ValueError) as exc:
            raise Unavailable("archive: the metadata of an image set are no gzip of JSON") from exc
        return sorted(_instances(document), key=lambda each: each.sop_instance_uid)

    def remove(self, image_set: str) -> None:
        """Begin to remove an image set."""
        with suppress(NotFound), as_ours("archive: removing an image set"):
            self._client().delete_image_set(datastoreId=self._options.datastore, imageSetId=image_set)

    def frame(self, image_set: str, frame: str) -> bytes:
        """Return one frame's pixel data as the archive keeps it."""
        with as_ours("archive: frame"):
            answer = self._client().get_image_frame(
                datastoreId=self._options.datastore,
                imageSetId=image_set,
                imageFrameInformation={"imageFrameId": frame},
            )
            content: bytes = answer["imageFrameBlob"].read()
        return content

    def _store(self, parcel: Parcel, blobs: Sequence[_Sized]) -> Receipt:
        """Send by STOW-RS, in as few requests as their size allows."""
        store = self._blobs.tenant(parcel.tenant)
        stored = 0
        most = self._options.stow_most_bytes
        # What can never be taken is not sent thirty times.
        refused = [_too_large(blob, parcel) for blob in blobs if blob.size_bytes > most]
        fitting = [blob for blob in blobs if blob.size_bytes <= most]
        for batch in _batches(fitting, self._options.stow_bytes):
            with as_ours("archive: STOW-RS"):
                stow = Stow(self._client(), self._options.datastore)
                receipt = stow.store([store.get(blob.key) for blob in batch])
            stored += receipt.stored
            refused += receipt.refused
        return Receipt(stored=stored, refused=tuple(refused))

    def _start(self, parcel: Parcel, bucket: Bucket) -> str:
        with as_ours("archive: import job"):
            started = self._client().start_dicom_import_job(
                jobName=parcel.job_id,
                dataAccessRoleArn=self._options.role,
                clientToken=parcel.token,
                datastoreId=self._options.datastore,
                inputS3Uri=f"{self._url(bucket, parcel.tenant, parcel.prefix)}/",
                outputS3Uri=f"{self._url(bucket, parcel.tenant, _output(parcel))}/",
            )
        return str(started["jobId"])

    def _url(self, shared: Bucket, tenant: str, key: str) -> str:
        own = self._options.buckets(tenant)
        return (own_bucket(own, key) if own else shared).url(tenant, key)

    def _manifests(self, parcel: Parcel, output_uri: str) -> Receipt:
        """Read what an import job left: a summary, and a line for each file it did not take."""
        bucket = self._options.bucket
        ours = self._url(bucket, parcel.tenant, _output(parcel)) if bucket else ""
        if not bucket or not output_uri.startswith(ours):
            raise NotFound("archive: the manifests of an import job lie elsewhere than this store")
        folder = _output(parcel) + output_uri[len(ours) :].rstrip("/")
        store = self._blobs.tenant(parcel.tenant)
        try:
            summary = json.loads(store.get(f"{folder}/{_SUMMARY}"))["jobSummary"]
            scanned, stored = int(summary["numberOfScannedFiles"]), int(summary["numberOfImportedFiles"])
            refused = list(self._refused(store, parcel, f"{folder}/{_REFUSED}"))
        except NotFound as missing:
            raise Unavailable("archive: an import job has ended, its manifest is not there yet") from missing
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            # Without its text: that may quote a line.
            kind = type(exc).__name__
            raise Unavailable(f"archive: the manifest of an import job cannot be read ({kind})") from exc
        unnamed = scanned - stored - len(refused)
        refused += [RefusedInstance(instance="", reason="not in the manifest")] * unnamed
        return Receipt(stored=stored, refused=tuple(refused))

    def _refused(self, store: BlobStore, parcel: Parcel, key: str) -> Iterator[RefusedInstance]:
        try:
            lines = store.get(key).splitlines()
        except NotFound:
            return
        for line in filter(None, lines):
            said = json.loads(line)
            name = str(said.get("inputFile", "")).rpartition(f"{parcel.prefix.partition('/')[2]}/")[2]
            kind = said.get("exception", {}).get("exceptionType", "no reason")
            yield RefusedInstance(instance=name, reason=str(kind))


def _output(parcel: Parcel) -> str:
    """Return the key below which an import job leaves its manifests."""
    return f"work/archive/{parcel.job_id}"


def _too_large(blob: _Sized, parcel: Parcel) -> RefusedInstance:
    name = (
        blob.sop_instance_uid if isinstance(blob, StoredFile) else blob.key.removeprefix(f"{parcel.prefix}/")
    )
    return RefusedInstance(instance=name, reason=f"{blob.size_bytes} bytes are too many for STOW-RS")


def _batches(blobs: Sequence[_Sized], most_bytes: int) -> Iterator[Sequence[_Sized]]:
    batch: list[_Sized] = []
    size = 0
    for blob in blobs:
        if batch and size + blob.size_bytes > most_bytes:
            yield batch
            batch, size = [], 0
        batch.append(blob)
        size += blob.size_bytes
    if batch:
        yield batch


def _image_set(summary: Mapping[str, Any]) -> ImageSet:
    tags = summary.get("DICOMTags", {})
    return ImageSet(
        id=summary["imageSetId"],
        study_uid=tags.get("DICOMStudyInstanceUID", ""),
        series_uid=tags.get("DICOMSeriesInstanceUID", ""),
        modality=tags.get("DICOMSeriesModality", ""),
    )


def _instances(document: Mapping[str, Any]) -> Iterator[ArchivedInstance]:
    """Give the instances of HealthImaging's metadata, each with what stands above it."""
    study = document.get("Study", {})
    above = {**document.get("Patient", {}).get("DICOM", {}), **study.get("DICOM", {})}
    for series in study.get("Series", {}).values():
        for uid, instance in series.get("Instances", {}).items():
            yield ArchivedInstance(
                sop_instance_uid=uid,
                attributes={**above, **series.get("DICOM", {}), **instance.get("DICOM", {})},
                frames=tuple(frame["ID"] for frame in instance.get("ImageFrames", ())),
            )
