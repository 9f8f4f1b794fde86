"""Everything that the pages do, a script can do: each action of a page has a route of the API that does it.

Whoever adds a page with an action names its route here, or says in docs/api.md why it is for browsers alone.
"""

import re
from pathlib import Path

import pytest

from bedside.portal.access.need import SAFE
from portal_routes import PUBLIC, need_of, routes
from portal_site import Site

API, DICOMWEB = "/api/", "/dicomweb/"
_T = "/api/v1/tenants/{tenant}"
_ME = "/api/v1/me"
_PEOPLE = "/api/v1/people/{account_id}"
_OPERATE = "/api/v1/operate"

#: What only makes sense in a browser; docs/api.md says of each why.
BROWSERS_ALONE = {"/sign-in", "/sign-in/code", "/sign-out", "/me/oidc"}
#: Action of a page to what does the same for scripts.
SAME = {
    "/first/{token}": ["POST /api/v1/first/{token}"],
    "/join": ["POST /api/v1/join"],
    "/join/{token}": ["POST /api/v1/join/{token}"],
    "/join/{token}/accept": ["POST /api/v1/join/{token}/accept"],
    "/recover": ["POST /api/v1/recover"],
    "/recover/{token}": ["POST /api/v1/recover/{token}"],
    "/me": [f"PUT {_ME}/profile"],
    "/me/email": [f"PUT {_ME}/email"],
    "/me/password": [f"PUT {_ME}/password"],
    "/me/sessions/others/end": [f"DELETE {_ME}/sessions"],
    "/me/sessions/{session_id}/end": [f"DELETE {_ME}/sessions/{{session_id}}"],
    "/me/tokens": [f"POST {_ME}/tokens"],
    "/me/tokens/{token_id}/revoke": [f"DELETE {_ME}/tokens/{{token_id}}"],
    "/me/oidc/disconnect": [f"POST {_ME}/oidc/disconnect"],
    "/me/second-factor/begin": [f"POST {_ME}/second-factor/begin"],
    "/me/second-factor/confirm": [f"POST {_ME}/second-factor/confirm"],
    "/me/second-factor/recovery": [f"POST {_ME}/second-factor/recovery"],
    "/me/second-factor/remove": [f"POST {_ME}/second-factor/remove"],
    "/admin/people/invite": ["POST /api/v1/people/invitations"],
    "/admin/people/invitations/{link_id}/withdraw": ["DELETE /api/v1/people/invitations/{link_id}"],
    "/admin/people/{account_id}/give": [f"POST {_PEOPLE}/posts"],
    "/admin/people/{account_id}/take": [f"DELETE {_PEOPLE}/posts"],
    "/admin/people/{account_id}/approve": [f"POST {_PEOPLE}/approve"],
    "/admin/people/{account_id}/reset": [f"POST {_PEOPLE}/reset"],
    "/admin/people/{account_id}/{what}": [f"POST {_PEOPLE}/disable", f"POST {_PEOPLE}/enable"],
    "/admin/people/{account}/second-factor/remove": ["DELETE /api/v1/people/{account}/second-factor"],
    "/admin/tenants": ["POST /api/v1/admin/tenants"],
    "/admin/tenants/{node}/close": ["POST /api/v1/admin/tenants/{node}/close"],
    "/t/{tenant}/upload/{upload_id}/cancel": [f"DELETE {_T}/uploads/{{upload_id}}"],
    "/t/{tenant}/studies/search": [f"POST {_T}/studies/search"],
    "/t/{tenant}/jobs/search": [f"POST {_T}/jobs/search"],
    "/t/{tenant}/jobs/{job_id}/retry": [f"POST {_T}/jobs/{{job_id}}/retry"],
    "/t/{tenant}/jobs/{job_id}/cancel": [f"POST {_T}/jobs/{{job_id}}/cancel"],
    "/t/{tenant}/jobs/{job_id}/priority": [f"PUT {_T}/jobs/{{job_id}}/priority"],
    "/t/{tenant}/results/{job_id}/judgements": [f"POST {_T}/results/{{job_id}}/judgements"],
    "/operate/rules/test": [f"POST {_OPERATE}/rules/test", f"POST {_OPERATE}/rules/test/file"],
    "/operate/rules/replays": [f"POST {_OPERATE}/rules/replays"],
    "/operate/rules/replays/{task_id}/stop": [f"DELETE {_OPERATE}/rules/replays/{{task_id}}"],
    "/operate/releases": [f"POST {_OPERATE}/releases"],
    "/operate/dead/redrive": [f"POST {_OPERATE}/dead/redrive"],
    "/operate/dead/letters": [f"POST {_OPERATE}/dead/letters/send-back"],
    "/operate/notices/test": [f"POST {_OPERATE}/notices/test"],
}
#: Every route by method and path.
ROUTES = {f"{method} {route.path}": route for route in routes() for method in route.methods}
ACTIONS = {
    label: route
    for label, route in ROUTES.items()
    if label.partition(" ")[0] not in SAFE and not route.path.startswith((API, DICOMWEB))
}


def test_no_action_of_a_page_is_forgotten() -> None:
    assert {route.path for route in ACTIONS.values()} == BROWSERS_ALONE | set(SAME)
    assert all(label.startswith("POST ") for label in ACTIONS), "forms know no other method"
    assert not BROWSERS_ALONE & set(SAME)


@pytest.mark.parametrize("path", SAME)
def test_a_script_may_do_it_where_a_browser_may_and_nowhere_else(path: str) -> None:
    for label in SAME[path]:
        assert label in ROUTES, f"{label}: there is no such route"
        assert ROUTES[label].include_in_schema, f"{label}: it is not in the document"
        assert need_of(ROUTES[label]) == need_of(ROUTES[f"POST {path}"]), label


def test_the_page_about_the_api_says_what_is_for_browsers_alone_and_why(repository: Path) -> None:
    page = (repository / "docs/api.md").read_text(encoding="utf-8")
    (part,) = re.findall(r"(?ms)^## For browsers alone\n(.*?)(?=^## |\Z)", page)
    rows = re.findall(r"(?m)^\| ([^|]*`POST [^|]*) \| ([^|]{20,}) \|$", part)
    named = [path for told, _ in rows for path in re.findall(r"`POST ([^`]+)`", told)]
    assert sorted(named) == sorted(BROWSERS_ALONE)


def test_the_document_says_what_needs_no_token(portal: Site) -> None:
    paths = portal.client.get("/api/openapi.json").json()["paths"]
    open_ones = {
        f"{method.upper()} {path}"
        for path, operations in paths.items()
        for method, operation in operations.items()
        if operation.get("security") == []
    }
    documented = {label: route for label, route in ROUTES.items() if route.include_in_schema}
    assert open_ones == {label for label, route in documented.items() if need_of(route)[0] == "nothing"}
    assert {label.partition(" ")[2] for label in open_ones} & PUBLIC == {"/health/ready"}
