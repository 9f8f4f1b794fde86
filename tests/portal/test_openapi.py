"""The API keeps to its own document: whatever is asked is answered as it says, and never by a breakdown."""

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
from bedside.portal.app import create_app
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
_LONG = [pytest.mark.slow, pytest.mark.timeout(1800)]


@schemathesis.serializer("application/dicom")
def _as_it_is(_: object, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


@dataclass
class Asked:
    """A portal over a study that was read, and an administrator and clinician who brings a token."""

    client: TestClient
    schema: Any
    known: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def asked(made_result: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder: Path = tmp_path_factory.mktemp("openapi")
    with result_site(made_result, folder) as opened:
        deployment = opened.deployment
        account = Account(
            id="0123456789abcdef",
            email="pat@x.example",
            profile=Profile(name="Pat"),
            made_at=datetime.now(UTC),
            posts=tuple(Post(role=role) for role in PersonRole),
        )
        deployment.records.accounts.add(account)
        token = api_token(deployment.people.tokens, account)
        gate = AccountGate(deployment.people, BearerGate(None), deployment.settings.portal)
        app = create_app(deployment, gate)
        headers = {"Authorization": f"Bearer {token}"}
        with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
            document = client.get("/api/openapi.json").json()
            made = opened.made
            known = {"tenant": TENANT, "node": TENANT, "job_id": made.job_id, "arrival_id": made.arrival_id}
            schema = schemathesis.openapi.from_dict(document)
            yield Asked(client=client, schema=schema, known={**known, "account_id": account.id})


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
    assert wrong == {}, "\n\n".join(f"{label}\n{said}" for label, said in wrong.items())
    assert count > 70


def operations(asked: Asked) -> list[Any]:
    every = [found.ok() for found in asked.schema.get_all_operations()]
    return [operation for operation in every if operation.label not in ENDLESS]


def _ask(asked: Asked, session: Any, operation: Any, examples: int) -> None:
    @hypothesis.settings(
        max_examples=examples,
        phases=[Phase.generate],
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy())
    def one(case: Any) -> None:
        # What is there is found: else nearly all that could break would never be reached.
        case.path_parameters = {
            name: asked.known.get(name, value) for name, value in (case.path_parameters or {}).items()
        }
        answer = case.call(session=session, app=asked.client.app, headers=dict(asked.client.headers))
        checks = [
            check for check in CHECKS if operation.label not in BY_DESIGN or check is not not_a_server_error
        ]
        case.validate_response(answer, checks=checks)

    one()
