"""STOW-RS to HealthImaging: one signed request with a few instances, answered when they are stored.

Owns the request's body (multipart/related of application/dicom) and the reading of the answer. See
PS3.18 10.5 and the developer guide's "Storing instances with STOW-RS"; signed with SigV4 for
medical-imaging.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from bedside.adapters.aws.medical_imaging import SERVICE, dicomweb_url
from bedside.errors import Unavailable
from bedside.ports.archive import Receipt, RefusedInstance

_TIMEOUT_S = 120.0
#: Answers that say something of each instance: all stored, some, none.
_ANSWERED = frozenset({200, 202, 409})
_DENIED = frozenset({401, 403})
_STORED, _FAILED = "00081199", "00081198"  # Referenced SOP Sequence, Failed SOP Sequence
_INSTANCE, _REASON = "00081155", "00081197"  # Referenced SOP Instance UID, Failure Reason


class Stow:
    """Stores instances in a datastore.

    Args:
        client: Of the service; gives credentials, region and host.
        datastore: Its id.
        transport: Another way to the server than the network, for tests.
    """

    def __init__(self, client: Any, datastore: str, transport: httpx.BaseTransport | None = None) -> None:
        self._client = client
        self._url = f"{dicomweb_url(client)}/datastore/{datastore}/studies"
        self._transport = transport

    def store(self, instances: Sequence[bytes]) -> Receipt:
        """Store instances; what the answer does not name as stored counts as refused.

        Raises:
            Unavailable: The service is out of reach, throttles or denies.
        """
        boundary = uuid.uuid4().hex
        body = _multipart(instances, boundary)
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Accept": "application/dicom+json",
        }
        signed = self._signed(body, headers)
        try:
            with httpx.Client(timeout=_TIMEOUT_S, transport=self._transport) as http:
                answer = http.post(self._url, content=body, headers=signed)
        except httpx.HTTPError as exc:
            raise Unavailable(
                f"archive: HealthImaging was not reached ({type(exc).__name__})", hint="bedside doctor"
            ) from exc
        if answer.status_code not in _ANSWERED:
            # Throttled or broken there, it is sent again later; only what is denied is for a person to mend.
            denied = answer.status_code in _DENIED
            raise Unavailable(
                f"archive: HealthImaging answers {answer.status_code} to {len(instances)} instances by STOW",
                hint="aws sts get-caller-identity; the role needs medical-imaging:StoreDICOM"
                if denied
                else "bedside archive list",
            )
        return _receipt(answer, len(instances))

    def _signed(self, body: bytes, headers: Mapping[str, str]) -> dict[str, str]:
        credentials = self._client._get_credentials()
        if credentials is None:
            raise Unavailable("archive: no AWS credentials here", hint="aws configure, or AWS_PROFILE=NAME")
        request = AWSRequest(method="POST", url=self._url, data=body, headers=dict(headers))
        frozen = credentials.get_frozen_credentials()
        SigV4Auth(frozen, SERVICE, self._client.meta.region_name).add_auth(request)
        return dict(request.headers.items())


def _multipart(instances: Sequence[bytes], boundary: str) -> bytes:
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return b"".join(head + instance + b"\r\n" for instance in instances) + f"--{boundary}--\r\n".encode()


def _receipt(answer: httpx.Response, sent: int) -> Receipt:
    try:
        found = answer.json()
        # One data set; some servers put it into a list.
        document = found[0] if isinstance(found, list) and found else found
        stored = _items(document, _STORED)
        failed = _items(document, _FAILED)
    except (json.JSONDecodeError, AttributeError, TypeError, UnicodeDecodeError) as exc:
        raise Unavailable(
            f"archive: HealthImaging answers {answer.status_code} with what is no DICOM JSON"
        ) from exc
    refused = [
        RefusedInstance(instance=str(_value(item, _INSTANCE, "")), reason=_words(_value(item, _REASON, None)))
        for item in failed
    ]
    unnamed = sent - len(stored) - len(refused)
    refused += [RefusedInstance(instance="", reason="not in the answer")] * unnamed
    return Receipt(stored=len(stored), refused=tuple(refused))


def _items(document: Mapping[str, Any], tag: str) -> Sequence[Mapping[str, Any]]:
    items: Sequence[Mapping[str, Any]] = document.get(tag, {}).get("Value", [])
    return items


def _value(item: Mapping[str, Any], tag: str, absent: object) -> object:
    values = item.get(tag, {}).get("Value", [])
    return values[0] if values else absent


def _words(reason: object) -> str:
    """Return a Failure Reason (0008,1197) as the standard writes it, see PS3.18 table I.2-2."""
    return f"failure reason 0x{reason:04X}" if isinstance(reason, int) else "no failure reason"
