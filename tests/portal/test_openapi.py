"""The API keeps to its own document: whatever is asked is answered as it says, and never by a breakdown."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.python.asgi import get_client
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from bedside.domain.account import Account, Profile
from bedside.domain.person import PersonRole, Post
from bedside.portal.access.accounts import AccountGate
from bedside.portal.access.bearer import BearerGate
from bedside.portal.app import ROUTERS, create_app
from portal_results import TENANT, Made, result_site

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
#: Answers that never end.
ENDLESS = {"GET /api/v1/tenants/{tenant}/events"}
#: Says 503 on purpose, as long as a deployment is not whole.
BY_DESIGN = {"GET /health/ready"}
FEW, MANY = 2, 40
DICOMWEB = "/dicomweb/"
#: In which form answers are welcome: in none, in some that are given, in some that are not, in strange ones.
ACCEPTED = (
    None,
    "*/*",
    "application/dicom",
    "application/json, text/xml;q=0.5",
    "image/gif",
    "multipart/*",
    'multipart/related; type="application/dicom"; transfer-syntax=*',
    'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1',
    'multipart/related; type="image/jpeg"; q=2, ;,"',
    "text/html",
)
_LONG = [pytest.mark.slow, pytest.mark.timeout(1800)]


@schemathesis.serializer("application/dicom", "multipart/related")
def _as_it_is(_: object, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


@dataclass
class Asked:
    """A portal over a study that was read, and an administrator and clinician who brings a token."""

    client: TestClient
    schema: Any
    known: dict[str, str] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    file: bytes = b""


@pytest.fixture(scope="module")
def asked(made_result: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder: Path = tmp_path_factory.mktemp("openapi")
    with result_site(made_result, folder) as opened:
        deployment = opened.deployment
        account, other = (
            Account(
                id=f"0123456789abcde{n}",
                email=f"{name.lower()}@x.example",
                profile=Profile(name=name),
                made_at=datetime.now(UTC),
                posts=tuple(Post(role=role) for role in PersonRole),
            )
            for n, name in enumerate(("Pat", "Lin"))
        )
        for each in (account, other):
            deployment.records.accounts.add(each)
        token = api_token(deployment.people.tokens, account)
        gate = AccountGate(deployment.people, BearerGate(None), deployment.settings.portal)
        app = create_app(deployment, gate)
        headers = {"Authorization": f"Bearer {token}"}
        with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
            document = client.get("/api/openapi.json").json()
            made = opened.made
            known = {
                "tenant": TENANT,
                "node": TENANT,
                "job_id": made.job_id,
                "arrival_id": made.arrival_id,
                # Somebody else's, or whoever asks would soon have given away what they may.
                "account_id": other.id,
                "account": other.id,
                "level": "0",
                "slab": "0",
                "index": "3",
            }
            schema = schemathesis.openapi.from_dict(document)
            deployment.cataloguer.step()
            instance = deployment.records.catalogue.instances(TENANT, made.study_uid)[0]
            images = {
                "study_uid": instance.study_uid,
                "series_uid": instance.series_uid,
                "sop_instance_uid": instance.sop_instance_uid,
                "frame_list": "1",
                "path": "7FE00010",
            }
            yield Asked(
                client=client,
                schema=schema,
                known={**known, "path": "preview.png"},
                images={**known, **images},
                file=deployment.blobs.tenant(TENANT).get(instance.key),
            )


def api_token(tokens: Any, account: Account) -> str:
    from bedside.domain.account import TOKEN_PREFIX, ApiToken, key_of, new_secret

    secret = new_secret(TOKEN_PREFIX)
    now = datetime.now(UTC)
    made = ApiToken(
        id="t-1",
        key=key_of(secret),
        account=account.id,
        name="t",
        made_at=now,
        expires_at=now + timedelta(days=1),
    )
    tokens._accounts.add_token(made)
    return secret


def test_the_document_is_one_and_says_how_to_sign_in_and_how_errors_look(asked: Asked) -> None:
    asked.schema.validate()
    document = asked.schema.raw_schema
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    problem = asked.client.get("/api/v1/tenants/nowhere/jobs").json()
    assert set(problem) >= set(document["components"]["schemas"]["Problem"]["required"])
    described = [
        f"{method} {path}"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if not operation.get("description") and not operation.get("summary")
    ]
    assert described == []


def test_dicomweb_is_in_it_with_what_is_searched_by_and_in_which_forms_images_come(asked: Asked) -> None:
    paths = asked.schema.raw_schema["paths"]
    described = {path for path in paths if path.startswith(DICOMWEB)}
    there = {route.path.replace(":path", "") for router in ROUTERS for route in router.routes}
    assert described == {path for path in there if path.startswith(DICOMWEB)} and len(described) == 20
    study = f"{DICOMWEB}{{tenant}}/studies/{{study_uid}}"
    searched = {
        level: {one["name"] for one in paths[path]["get"]["parameters"] if one["in"] == "query"}
        for level, path in (("study", f"{DICOMWEB}{{tenant}}/studies"), ("series", f"{study}/series"))
    }
    assert {"PatientID", "StudyDate", "ModalitiesInStudy", "limit", "includefield"} <= searched["study"]
    assert "Modality" in searched["series"] - searched["study"]
    assert "PatientID" not in searched["series"], "the address says whose they are"
    forms = paths[f"{study}/series/{{series_uid}}/instances/{{sop_instance_uid}}/frames/{{frame_list}}"]
    assert 'multipart/related; type="image/jphc"' in forms["get"]["responses"]["200"]["content"]
    assert set(paths[study]["post"]["responses"]) >= {"200", "202", "400", "409", "415", "503"}
    assert paths[study]["post"]["operationId"] == "StoreStudyInstances"
    assert not any(path.startswith(("/ohif", "/static", "/vendor", "/t/")) for path in paths)


def test_the_page_about_the_api_names_what_there_is(asked: Asked, repository: Path) -> None:
    page = (repository / "docs/api.md").read_text(encoding="utf-8")
    named = re.findall(r"`(GET|POST|PUT|DELETE) (/api/v1/[^`]+)`", page)
    known = {operation.label for operation in operations(asked)} | ENDLESS
    assert len(named) > 15 and {f"{method} {path}" for method, path in named} <= known


def test_the_example_of_the_page_about_the_api_works(asked: Asked, repository: Path) -> None:
    page = (repository / "docs/api.md").read_text(encoding="utf-8")
    example = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    told: list[str] = []

    def client(*, base_url: str, headers: dict[str, str]) -> TestClient:
        assert headers == {"Authorization": "Bearer from the environment"}
        path = base_url.removeprefix("http://127.0.0.1:8080")
        return TestClient(asked.client.app, f"http://testserver{path}", headers=asked.client.headers)

    names = {
        "httpx": SimpleNamespace(Client=client),
        "os": SimpleNamespace(environ={"TOKEN": "from the environment"}),
        "print": lambda *words: told.append(" ".join(words)),
    }
    exec(re.sub(r"(?m)^import .*$", "", example), names)
    assert told == [f"{asked.known['job_id']} succeeded"]


@pytest.mark.parametrize(
    "examples", [FEW, pytest.param(MANY, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_whatever_is_asked_is_answered_as_the_document_says(asked: Asked, examples: int) -> None:
    wrong: dict[str, str] = {}
    count = 0
    app = asked.client.app
    assert isinstance(app, FastAPI)
    with get_client(app) as session:
        session.headers.update(asked.client.headers)
        for operation in operations(asked):
            count += 1
            try:
                _ask(asked, session, operation, examples)
            except FailureGroup as failed:  # all of them are told at once
                wrong[operation.label] = str(failed)[:1500]
    assert len(asked.client.get("/api/v1/me").json()["posts"]) == len(PersonRole), "it is asked to the end"
    assert wrong == {}, "\n\n".join(f"{label}\n{said}" for label, said in wrong.items())
    assert count > 95


def operations(asked: Asked) -> list[Any]:
    every = [found.ok() for found in asked.schema.get_all_operations()]
    return [operation for operation in every if operation.label not in ENDLESS]


def _ask(asked: Asked, session: Any, operation: Any, examples: int) -> None:
    known = asked.images if operation.path.startswith(DICOMWEB) else asked.known
    if "{upload_id}" in operation.path:  # one for each: whoever is asked before may have ended it
        begun = asked.client.post(
            f"/api/v1/tenants/{TENANT}/uploads",
            json={"fingerprint": hashlib.sha256(operation.label.encode()).hexdigest(), "size_bytes": 1000},
        )
        known = {**known, "upload_id": begun.json()["id"]}
    is_stow = operation.path.startswith(DICOMWEB) and operation.method == "post"

    @hypothesis.settings(
        max_examples=examples,
        phases=[Phase.generate],
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(
        case=operation.as_strategy(),
        # What is there is found: else nearly all that could break would never be reached.
        real=st.just(True) if examples == FEW else st.sampled_from([True, True, True, False]),
        sent=parts(asked.file) if is_stow else st.none(),
        accept=st.sampled_from(ACCEPTED) if operation.path.startswith(DICOMWEB) else st.none(),
    )
    def one(case: Any, real: bool, sent: bytes | None, accept: str | None) -> None:
        if real:
            found = case.path_parameters or {}
            case.path_parameters = {name: known.get(name, value) for name, value in found.items()}
        else:
            case.path_parameters = {**(case.path_parameters or {}), "tenant": TENANT}
        headers, more = dict(asked.client.headers), {}
        if accept is not None:
            headers["Accept"] = accept
        if sent is not None:
            headers["Content-Type"] = 'multipart/related; type="application/dicom"; boundary=b'
            more = {"data": sent}
        answer = case.call(session=session, app=asked.client.app, headers=headers, **more)
        checks = [
            check for check in CHECKS if operation.label not in BY_DESIGN or check is not not_a_server_error
        ]
        case.validate_response(answer, checks=checks)

    one()


def parts(file: bytes) -> st.SearchStrategy[bytes]:
    """Requests of STOW-RS: of a DICOM file, of what was one, of anything; whole, or without an end."""
    flipped = st.tuples(st.integers(0, len(file) - 1), st.integers(1, 255))
    broken = st.lists(flipped, max_size=8).map(lambda all_of_them: _flip(file, all_of_them))
    cut = st.integers(0, len(file)).map(lambda length: file[:length])
    kinds = st.sampled_from([b"application/dicom", b"application/dicom+json", b"", b"\xff"])
    part = st.tuples(kinds, st.one_of(st.just(file), broken, cut, st.binary(max_size=200)))
    ends = st.sampled_from([*(b"--b--\r\n", b"--b--") * 3, b"", b"--b"])
    return st.tuples(st.lists(part, min_size=1, max_size=3), ends).map(
        lambda all_of_it: (
            b"".join(
                [
                    b"--b\r\nContent-Type: " + kind + b"\r\n\r\n" + data + b"\r\n"
                    for kind, data in all_of_it[0]
                ]
            )
            + all_of_it[1]
        )
    )


def _flip(file: bytes, places: list[tuple[int, int]]) -> bytes:
    changed = bytearray(file)
    for place, bits in places:
        changed[place] ^= bits
    return bytes(changed)
