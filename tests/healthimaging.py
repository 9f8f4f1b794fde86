"""AWS HealthImaging, faked for tests from botocore's own model of the service.

What a request may look like comes from that model: paths, required members, types, patterns and enums are
checked here, and so is each signature; answers are checked against the model too. An operation without
code answers 501. It reads what is imported from the emulated bucket with pydicom. What it cannot prove is
what AWS does beyond its model: which SOP classes it takes, how it groups series, how long it needs.
"""

import gzip
import io
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pydicom
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape
from botocore.validate import ParamValidator

MODEL = ServiceModel(Loader().load_service_model("medical-imaging", "service-2"), "medical-imaging")
ROLE = "arn:aws:iam::123456789012:role/bedside-archive"
_ARN = "arn:aws:medical-imaging:us-east-1:123456789012:datastore/{}"
_KEYS = Credentials("testing", "testing")
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=testing/\d{8}/(?P<region>[a-z0-9-]+)/medical-imaging/aws4_request, "
    r"SignedHeaders=(?P<signed>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)


class Refusal(Exception):
    """An answer that is one of the model's errors."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message)
        self.code = code
        shape = MODEL.shape_for(code)
        self.status = int(shape.metadata["error"]["httpStatusCode"]) if "error" in shape.metadata else 500


@dataclass(slots=True, kw_only=True)
class Import:
    """An import job."""

    request: Mapping[str, Any]
    output: str
    polls: int = 0
    status: str = "SUBMITTED"


@dataclass(slots=True, kw_only=True)
class Kept:
    """An image set: a series."""

    study: str
    series: str
    instances: dict[str, pydicom.Dataset] = field(default_factory=dict)
    deletions: int = 0


@dataclass(slots=True, kw_only=True)
class FakeHealthImaging:
    """The service's state, and what a test may let go wrong.

    Attributes:
        s3: Client of the bucket's emulator.
        polls: Looks at an import job until it has ended.
        throttle: So many requests from now on are throttled.
        fail_imports: Import jobs fail as a whole.
        refuse: SOP Instance UIDs that are not taken.
        locked: Image sets that are not removed, because something else is done to them.
        calls: Operations asked for, in order; STOW-RS is ``StoreDICOM``.
    """

    s3: Any
    polls: int = 2
    throttle: int = 0
    fail_imports: bool = False
    refuse: set[str] = field(default_factory=set)
    locked: set[str] = field(default_factory=set)
    url: str = ""
    calls: list[str] = field(default_factory=list)
    datastores: dict[str, dict[str, Any]] = field(default_factory=dict)
    imports: dict[str, Import] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    kept: dict[tuple[str, str], Kept] = field(default_factory=dict)

    def add_datastore(self, name: str = "test", status: str = "ACTIVE") -> str:
        datastore = uuid.uuid4().hex
        self.datastores[datastore] = {"name": name, "status": status}
        return datastore

    def instances(self, datastore: str) -> list[str]:
        return sorted(uid for (d, _), kept in self.kept.items() if d == datastore for uid in kept.instances)

    # Operations of the model

    def create_datastore(self, p: Mapping[str, Any]) -> Mapping[str, Any]:
        known = self.tokens.get(p["clientToken"])
        datastore = known or self.add_datastore(p.get("datastoreName", "unnamed"), "CREATING")
        self.tokens[p["clientToken"]] = datastore
        self.datastores[datastore]["tags"] = p.get("tags", {})
        return {"datastoreId": datastore, "datastoreStatus": self.datastores[datastore]["status"]}

    def get_datastore(self, p: Mapping[str, Any]) -> Mapping[str, Any]:
        found = self._datastore(p, any_state=True)
        said = found["status"]
        found["status"] = {"CREATING": "ACTIVE", "DELETING": "DELETED"}.get(said, said)
        return {
            "datastoreProperties": {
                "datastoreId": p["datastoreId"],
                "datastoreName": found["name"],
                "datastoreStatus": said,
                "datastoreArn": _ARN.format(p["datastoreId"]),
            }
        }

    def list_datastores(self, p: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            "datastoreSummaries": [
                {
                    "datastoreId": name,
                    "datastoreName": found["name"],
                    "datastoreStatus": found["status"],
                    "datastoreArn": _ARN.format(name),
                }
                for name, found in self.datastores.items()
            ]
        }

    def list_tags_for_resource(self, p: Mapping[str, Any]) -> Mapping[str, Any]:
        found = self._datastore({"datastoreId": p["resourceArn"].rpartition("/")[2]}, any_state=True)
        return {"tags": found.get("tags", {})}

    def delete_datastore(self, p: Mapping[str, Any]) -> Mapping[str, Any]:
        found = self._datastore(p)
        if any(datastore == p["datastoreId"] for datastore, _ in self.kept):
            raise Refusal("ConflictException", "the datastore is not empty")
        found["status"] = "DELETING"
        return {"datastoreId": p["datastoreId"], "datastoreStatus": "DELETING"}

    def start_dicom_import_job(self, p: Mapping[str, Any]) -> Mapping[str, Any]:
        self._datastore(p)
        job = self.tokens.get(p["clientToken"])
        if job is None:
            job = self.tokens[p["clientToken"]] = uuid.uuid4().hex
            output = f"{p['outputS3Uri'].rstrip('/')}/{p['datastoreId']}-DicomImport-{job}/"
            self.imports[job] = Import(request=p, output=output)
        elif dict(self.imports[job].request) != dict(p):
            raise Refusal("ConflictException", "the same token with another request")
        return {
            "datastoreId": p["datastoreId"],
            "jobId": job,
            "jobStatus": self.imports[job].status,
            "submittedAt": 1.0,
        }

    def get_dicom_import_job(self, p: Mapping[str, Any]) -> Mapping[str, Any]:
        job = self.imports.get(p["jobId"])
        if job is None:
            raise Refusal("ResourceNotFoundException", "no such job")
        job.polls += 1
        if job.status in ("SUBMITTED", "IN_PROGRESS"):
            job.status = "IN_PROGRESS"
            if job.polls >= self.polls:
                job.status = "FAILED" if self.fail_imports else "COMPLETED"
                if job.status == "COMPLETED":
                    self._import(p["jobId"], job)
        request = job.request
        return {
            "jobProperties": {
                "jobId": p["jobId"],
                "jobName": request.get("jobName", "unnamed"),
                "jobStatus": job.status,
                "datastoreId": request["datastoreId"],
                "dataAccessRoleArn": request["dataAccessRoleArn"],
                "inputS3Uri": request["inputS3Uri"],
                "outputS3Uri": job.output,
            }
        }

    def search_image_sets(self, p: Mapping[str, Any]) -> Mapping[str, Any]:
        self._datastore(p)
        wanted = [v for f in p.get("searchCriteria", {}).get("filters", []) for v in f["values"]]
        if any(set(value) != {"DICOMStudyInstanceUID"} for value in wanted):
            raise Refusal("ValidationException", "the fake searches by Study Instance UID only")
        studies = {value["DICOMStudyInstanceUID"] for value in wanted}
        for key in [k for k, kept in self.kept.items() if kept.deletions > 1]:
            del self.kept[key]
        found = []
        for (datastore, image_set), kept in self.kept.items():
            kept.deletions += bool(kept.deletions)
            if datastore == p["datastoreId"] and (not studies or kept.study in studies):
                tags = {"DICOMStudyInstanceUID": kept.study, "DICOMSeriesInstanceUID": kept.series}
                found.append({"imageSetId": image_set, "version": 1, "isPrimary": True, "DICOMTags": tags})
        # Pages of one, so that whoever asks must follow them.
        start = int(p.get("nextToken", "0"))
        page: dict[str, Any] = {"imageSetsMetadataSummaries": found[start : start + 1]}
        return page | ({"nextToken": str(start + 1)} if start + 1 < len(found) else {})

    def delete_image_set(self, p: Mapping[str, Any]) -> Mapping[str, Any]:
        kept = self._image_set(p)
        if p["imageSetId"] in self.locked:
            raise Refusal("ConflictException", "the image set is being updated")
        kept.deletions = kept.deletions or 1
        return {
            "datastoreId": p["datastoreId"],
            "imageSetId": p["imageSetId"],
            "imageSetState": "LOCKED",
            "imageSetWorkflowStatus": "DELETING",
        }

    def get_image_set_metadata(self, p: Mapping[str, Any]) -> bytes:
        kept = self._image_set(p)
        instances = {
            uid: {
                "DICOM": {e.keyword: str(e.value) for e in dataset if e.VR not in ("SQ", "OB", "OW")},
                "ImageFrames": [{"ID": frame} for frame in _frames(uid, dataset)],
            }
            for uid, dataset in kept.instances.items()
        }
        document = {
            "SchemaVersion": "1.1",
            "DatastoreID": p["datastoreId"],
            "ImageSetID": p["imageSetId"],
            "Patient": {"DICOM": {"PatientID": "fake"}},
            "Study": {
                "DICOM": {"StudyInstanceUID": kept.study},
                "Series": {
                    kept.series: {"DICOM": {"SeriesInstanceUID": kept.series}, "Instances": instances}
                },
            },
        }
        return gzip.compress(json.dumps(document).encode())

    def get_image_frame(self, p: Mapping[str, Any]) -> bytes:
        wanted = p["imageFrameInformation"]["imageFrameId"]
        for uid, dataset in self._image_set(p).instances.items():
            frames = _frames(uid, dataset)
            if wanted in frames:
                size = len(dataset.PixelData) // len(frames)
                number = frames.index(wanted)
                return bytes(dataset.PixelData[number * size : (number + 1) * size])
        raise Refusal("ResourceNotFoundException", "no such frame")

    # DICOMweb

    def store(self, datastore: str, parts: list[bytes]) -> tuple[int, Mapping[str, Any]]:
        self._datastore({"datastoreId": datastore})
        stored, failed = [], []
        for part in parts:
            uid, problem = self._take(datastore, part)
            item: dict[str, Any] = {"00081155": {"vr": "UI", "Value": [uid]}} if uid else {}
            if problem:
                failed.append(item | {"00081197": {"vr": "US", "Value": [0xA900 if uid else 0xC000]}})
            else:
                stored.append(item)
        answer: dict[str, Any] = {}
        if stored:
            answer["00081199"] = {"vr": "SQ", "Value": stored}
        if failed:
            answer["00081198"] = {"vr": "SQ", "Value": failed}
        return (200 if not failed else 202 if stored else 409), answer

    # Inside

    def _datastore(self, p: Mapping[str, Any], *, any_state: bool = False) -> dict[str, Any]:
        found = self.datastores.get(p["datastoreId"])
        if found is None:
            raise Refusal("ResourceNotFoundException", "no such datastore")
        if found["status"] != "ACTIVE" and not any_state:
            raise Refusal("ConflictException", f"the datastore is {found['status']}")
        return found

    def _image_set(self, p: Mapping[str, Any]) -> Kept:
        kept = self.kept.get((p["datastoreId"], p["imageSetId"]))
        if kept is None:
            raise Refusal("ResourceNotFoundException", "no such image set")
        return kept

    def _take(self, datastore: str, content: bytes) -> tuple[str, str]:
        """Keep an instance; return its SOP Instance UID and what is wrong with it."""
        try:
            dataset = pydicom.dcmread(io.BytesIO(content))
            uid, study, series = dataset.SOPInstanceUID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID
        except (pydicom.errors.InvalidDicomError, AttributeError) as exc:
            return "", type(exc).__name__
        if uid in self.refuse:
            return str(uid), "refused"
        image_set = uuid.uuid5(uuid.NAMESPACE_OID, f"{study} {series}").hex
        kept = self.kept.setdefault((datastore, image_set), Kept(study=str(study), series=str(series)))
        kept.instances[str(uid)] = dataset
        return str(uid), ""

    def _import(self, job_id: str, job: Import) -> None:
        bucket, prefix = _s3(job.request["inputS3Uri"])
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        taken, refused = [], []
        for key in keys:
            content = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            _, problem = self._take(job.request["datastoreId"], content)
            if problem:
                said = {"exceptionType": "ValidationException", "message": f"DOE^JANE: {problem}"}
                refused.append({"inputFile": key, "exception": said})
            else:
                taken.append({"inputFile": key, "importResponse": {"imageSetId": uuid.uuid4().hex}})
        summary = {
            "jobId": job_id,
            "datastoreId": job.request["datastoreId"],
            "inputS3Uri": job.request["inputS3Uri"],
            "outputS3Uri": job.output,
            "successOutputS3Uri": f"{job.output}SUCCESS/",
            "failureOutputS3Uri": f"{job.output}FAILURE/",
            "numberOfScannedFiles": len(keys),
            "numberOfImportedFiles": len(taken),
            "numberOfFilesWithCustomerError": len(refused),
            "numberOfFilesWithServerError": 0,
        }
        self._put(f"{job.output}SUCCESS/success.ndjson", *taken)
        if refused:
            self._put(f"{job.output}FAILURE/failure.ndjson", *refused)
        self._put(f"{job.output}job-output-manifest.json", {"jobSummary": summary})

    def _put(self, uri: str, *lines: Mapping[str, Any]) -> None:
        bucket, key = _s3(uri)
        self.s3.put_object(Bucket=bucket, Key=key, Body="\n".join(map(json.dumps, lines)).encode())


def _s3(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _frames(uid: str, dataset: pydicom.Dataset) -> list[str]:
    number = int(dataset.get("NumberOfFrames", 1)) if "PixelData" in dataset else 0
    return [uuid.uuid5(uuid.NAMESPACE_OID, f"{uid} {n}").hex for n in range(number)]


@contextmanager
def run_healthimaging(s3: Any, **settings: Any) -> Iterator[FakeHealthImaging]:
    """Run the fake on a free port of this machine until the block ends."""
    fake = FakeHealthImaging(s3=s3, **settings)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


_ROUTES = [
    (
        operation.http["method"],
        re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(operation.http["requestUri"]))),
        operation,
    )
    for operation in (MODEL.operation_model(name) for name in MODEL.operation_names)
]
_STUDIES = re.compile(r"/datastore/(?P<datastoreId>[0-9a-z]{32})/studies")


def _handler(fake: FakeHealthImaging) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with lock:
                try:
                    status, kind, answer = self.answer(body)
                except Refusal as refusal:
                    status, kind = refusal.status, "application/json"
                    answer = json.dumps({"message": str(refusal)}).encode()
                    self.send(status, kind, answer, {"x-amzn-ErrorType": refusal.code})
                    return
            self.send(status, kind, answer, {})

        do_GET = do_POST = do_DELETE = do_any

        def send(self, status: int, kind: str, answer: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(answer)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def answer(self, body: bytes) -> tuple[int, str, bytes]:
            _check_signature(self, body)
            url = urlsplit(self.path)
            path = unquote(url.path)
            stow = _STUDIES.fullmatch(path) if self.command == "POST" else None
            matches = [(m, o) for v, r, o in _ROUTES if v == self.command and (m := r.fullmatch(url.path))]
            fake.calls.append("StoreDICOM" if stow else matches[0][1].name if matches else path)
            if fake.throttle > 0:
                fake.throttle -= 1
                raise Refusal("ThrottlingException", "too many requests")
            if stow:
                status, document = fake.store(stow["datastoreId"], _parts(self.headers, body))
                return status, "application/dicom+json", json.dumps(document).encode()
            if not matches:
                return 501, "application/json", b"{}"
            match, operation = matches[0]
            code: Callable[..., Any] | None = getattr(fake, _snake(operation.name), None)
            if code is None:
                return 501, "application/json", b"{}"
            named = {name: unquote(value) for name, value in match.groupdict().items()}  # an ARN has a slash
            given = _parameters(operation, named, dict(parse_qsl(url.query)), body)
            _check(given, operation.input_shape)
            answer = code(given)
            if isinstance(answer, bytes):
                return 200, "application/octet-stream", answer
            report = ParamValidator().validate(answer, operation.output_shape)
            assert not report.has_errors(), report.generate_report()
            return 200, "application/json", json.dumps(answer).encode()

    return Handler


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=DICOM)(?=[A-Z])", "_", name).lower()


def _parameters(
    operation: OperationModel, path: Mapping[str, str], query: Mapping[str, str], body: bytes
) -> dict[str, Any]:
    """Return the members of a request, taken from where the model says they are."""
    shape = operation.input_shape
    given: dict[str, Any] = {}
    payload = shape.serialization.get("payload")
    document = json.loads(body) if body else {}
    unknown = set(document) if not payload else set()
    for name, member in shape.members.items():
        where, key = member.serialization.get("location"), member.serialization.get("name", name)
        source = {"uri": path, "querystring": query}.get(where, {} if payload else document)
        if key in source:
            value: Any = source[key]
            given[name] = int(value) if where and member.type_name == "integer" else value
            unknown.discard(key)
    if payload and body:
        given[payload] = document
    if unknown:
        raise Refusal("ValidationException", f"unknown members {sorted(unknown)}")
    return given


def _check(given: Mapping[str, Any], shape: Shape) -> None:
    report = ParamValidator().validate(given, shape)
    problems = [report.generate_report()] if report.has_errors() else list(_problems(given, shape, ""))
    if problems:
        raise Refusal("ValidationException", "; ".join(problems))


def _problems(value: Any, shape: Shape, at: str) -> Iterator[str]:
    """Give what botocore does not check before it sends: patterns, enums, longest values."""
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if name in value:
                yield from _problems(value[name], member, f"{at}.{name}")
    elif shape.type_name == "list":
        for each in value:
            yield from _problems(each, shape.member, at)
    if isinstance(value, str):
        pattern, most = shape.metadata.get("pattern"), shape.metadata.get("max")
        if pattern and not re.fullmatch(pattern.replace(r"\p{ASCII}", r"[\x00-\x7f]"), value):
            yield f"{at} is not {pattern}"
        if shape.metadata.get("enum") and value not in shape.metadata["enum"]:
            yield f"{at} is none of {shape.metadata['enum']}"
        if most is not None and len(value) > most:
            yield f"{at} has {len(value)} characters, at most {most}"


def _check_signature(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    """Compute the signature anew from the secret that both sides know."""
    found = _AUTHORIZATION.fullmatch(handler.headers.get("Authorization", ""))
    if found is None:
        raise Refusal("AccessDeniedException", "no signature of SigV4 for medical-imaging")
    names = found["signed"].split(";")
    url = f"http://{handler.headers['Host']}{handler.path}"
    headers = {name: handler.headers[name] for name in names}
    request = AWSRequest(
        method=handler.command,
        url=url.partition("?")[0],
        data=body,
        headers=headers,
        params=dict(parse_qsl(urlsplit(url).query)),
    )
    request.context["timestamp"] = handler.headers["X-Amz-Date"]
    signer = SigV4Auth(_KEYS, "medical-imaging", found["region"])
    wanted = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    if wanted != found["signature"]:
        raise Refusal("AccessDeniedException", "the signature is of another request")


def _parts(headers: Mapping[str, str], body: bytes) -> list[bytes]:
    kind = headers["Content-Type"]
    if not kind.startswith("multipart/related"):
        raise Refusal("ValidationException", "STOW-RS takes multipart/related")
    # As 8-bit text: the parser undoes it when asked for bytes.
    message = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    parts = message.get_payload()
    assert isinstance(parts, list)
    if any(part.get_content_type() != "application/dicom" for part in parts):
        raise Refusal("ValidationException", "a part is not application/dicom")
    return _exact(kind, body, len(parts))


def _exact(kind: str, body: bytes, number: int) -> list[bytes]:
    """Cut the body at its boundary: the parser of mail changes line ends in binary parts."""
    boundary = re.search(r'boundary="?([^";]+)', kind)
    assert boundary is not None
    cut = body.split(f"--{boundary[1]}".encode())[1:-1]
    assert len(cut) == number
    return [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in cut]
