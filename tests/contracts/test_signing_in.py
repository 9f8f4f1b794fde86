"""What every provider at which browsers sign in keeps to: a code works once, a token for one errand only."""

import inspect
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from bedside.adapters.memory.clock import ManualClock
from bedside.adapters.oidc.browser import BrowserClient, OidcSigningIn
from bedside.adapters.oidc.issuer import issuer_of
from bedside.domain.person import PersonRole, Post
from bedside.errors import NotSignedIn, Unavailable
from bedside.ports.signing_in import Errand, SigningIn
from issuer_login import CLIENT_ID, CLIENT_SECRET, User
from issuer_server import LocalIssuer, run_issuer

BACK = "http://127.0.0.1:1/sign-in/oidc/callback"
CLAIMS = {
    "email": "Anna@x.example",
    "email_verified": True,
    "name": "Anna B.",
    "groups": ["hospital/ct:clinician", "other"],
}


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    with run_issuer() as running:
        running.login.backs.add(BACK)
        running.login.users["anna"] = User(password="pw", sub="s-1", claims=dict(CLAIMS))
        yield running


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime.now(UTC))


def provider(issuer: LocalIssuer, clock: ManualClock, **client: object) -> OidcSigningIn:
    settings = {"client_id": CLIENT_ID, "secret": CLIENT_SECRET, **client}
    return OidcSigningIn(issuer_of(issuer.url, clients=(CLIENT_ID,)), BrowserClient(**settings), clock)  # type: ignore[arg-type]


def browse(errand: Errand, user: str = "anna", password: str = "pw") -> dict[str, str]:
    """Sign in at the provider's page; return what the browser is sent back with."""
    page = httpx.get(errand.url)
    assert page.status_code == 200, page.text
    asked = {name: values[0] for name, values in parse_qs(urlsplit(errand.url).query).items()}
    url = errand.url.partition("?")[0]
    back = httpx.post(url, data={**asked, "user": user, "password": password}).headers["location"]
    return {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}


def test_signatures_are_the_ports() -> None:
    for name in ("begin", "finish", "farewell"):
        assert inspect.signature(getattr(OidcSigningIn, name)) == inspect.signature(getattr(SigningIn, name))


def test_a_person_comes_back_with_their_roles(issuer: LocalIssuer, clock: ManualClock) -> None:
    signing_in = provider(issuer, clock)
    errand = signing_in.begin(BACK)
    back = browse(errand)
    assert back["state"] == errand.state and errand.verifier not in errand.url
    newcomer = signing_in.finish(errand, back["code"], BACK)
    assert (newcomer.issuer, newcomer.subject) == (issuer.url, "s-1")
    assert (newcomer.email, newcomer.name) == ("Anna@x.example", "Anna B.")
    assert newcomer.posts == (Post(role=PersonRole.CLINICIAN, node="hospital.ct"),)
    with pytest.raises(NotSignedIn, match="does not take the code"):
        signing_in.finish(errand, back["code"], BACK)
    assert issuer.login.redeemed == 1


def test_a_code_is_worth_nothing_without_its_verifier(issuer: LocalIssuer, clock: ManualClock) -> None:
    signing_in = provider(issuer, clock)
    errand, other = signing_in.begin(BACK), signing_in.begin(BACK)
    with pytest.raises(NotSignedIn, match="does not take the code"):
        signing_in.finish(other, browse(errand)["code"], BACK)
    assert issuer.login.redeemed == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"nonce": "another"}, "another sign-in"),
        ({"nonce": None}, "another sign-in"),
        ({"aud": "another"}, "another audience"),
        ({"aud": [CLIENT_ID, "another"]}, "another client"),
        ({"iss": "https://another.example"}, "another issuer"),
        ({"exp": int(time.time()) - 120}, "expired"),
        ({"iat": int(time.time()) - 3600}, "too old"),
        ({"sub": None}, "a claim is missing"),
    ],
)
def test_a_token_that_is_wrong_lets_nobody_in(
    issuer: LocalIssuer, clock: ManualClock, wrong: dict[str, object], said: str
) -> None:
    issuer.login.token_claims = wrong
    signing_in = provider(issuer, clock)
    errand = signing_in.begin(BACK)
    with pytest.raises(NotSignedIn, match=said):
        signing_in.finish(errand, browse(errand)["code"], BACK)


def test_what_is_in_no_token_is_asked_for(issuer: LocalIssuer, clock: ManualClock) -> None:
    issuer.login.in_userinfo = {"email", "groups", "name"}
    signing_in = provider(issuer, clock)
    errand = signing_in.begin(BACK)
    newcomer = signing_in.finish(errand, browse(errand)["code"], BACK)
    assert (newcomer.email, len(newcomer.posts)) == ("Anna@x.example", 1)


def test_an_address_that_was_not_verified_is_none(issuer: LocalIssuer, clock: ManualClock) -> None:
    issuer.login.users["anna"].claims["email_verified"] = False
    signing_in = provider(issuer, clock)
    errand = signing_in.begin(BACK)
    assert signing_in.finish(errand, browse(errand)["code"], BACK).email == ""


def test_a_public_client_has_no_secret_and_a_wrong_one_is_said(
    issuer: LocalIssuer, clock: ManualClock
) -> None:
    wrong = provider(issuer, clock, secret="another")
    errand = wrong.begin(BACK)
    with pytest.raises(Unavailable, match="does not take us as a client"):
        wrong.finish(errand, browse(errand)["code"], BACK)
    issuer.login.public = True
    public = provider(issuer, clock, secret="")
    errand = public.begin(BACK)
    assert public.finish(errand, browse(errand)["code"], BACK).subject == "s-1"


def test_a_provider_that_is_down_is_unavailable(issuer: LocalIssuer, clock: ManualClock) -> None:
    signing_in = provider(issuer, clock)
    errand = signing_in.begin(BACK)
    code = browse(errand)["code"]
    issuer.silent = True
    with pytest.raises(Unavailable):
        signing_in.finish(errand, code, BACK)
    with pytest.raises(Unavailable):
        provider(issuer, clock).begin(BACK)
    assert provider(issuer, clock).farewell(BACK) == ""
    with pytest.raises(Unavailable):
        provider(issuer, clock).check()
    issuer.silent = False
    assert provider(issuer, clock).check() == f"browsers sign in there as {CLIENT_ID}"


def test_signing_out_there_leads_back(issuer: LocalIssuer, clock: ManualClock) -> None:
    away = provider(issuer, clock).farewell("http://127.0.0.1:1/sign-in")
    assert away.startswith(f"{issuer.url}/logout?client_id={CLIENT_ID}&post_logout_redirect_uri=")
    cognito = provider(issuer, clock, farewell_url="https://x.example/logout?client_id=1")
    assert cognito.farewell(BACK) == "https://x.example/logout?client_id=1"


def test_not_everybody_waits_for_a_provider_that_does_not_answer(
    issuer: LocalIssuer, clock: ManualClock
) -> None:
    signing_in = provider(issuer, clock)
    issuer.silent = True
    for _ in range(5):
        with pytest.raises(Unavailable):
            signing_in.begin(BACK)
    assert len(issuer.asked) == 1
    issuer.silent = False
    clock.sleep(6)
    assert signing_in.begin(BACK).url
