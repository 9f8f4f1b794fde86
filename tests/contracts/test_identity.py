"""What every identity keeps: only the issuer's own tokens for us, and a group's right below its node."""

import base64
import inspect
import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from bedside.adapters.memory.clock import ManualClock
from bedside.adapters.oidc.issuer import issuer_of
from bedside.adapters.oidc.verify import OidcIdentity
from bedside.domain.person import PersonRole, Post, Right
from bedside.errors import ConfigError, NotSignedIn, Unavailable
from bedside.ports.identity import Identity
from clouds import Cloud
from issuer_server import CLIENT, LocalIssuer, run_issuer

GROUPS = ["hospital/radiology:clinician", "viewer", "eu-west-1_x_Google", "hospital/../x:viewer"]
PASSWORD = "a-long-Passw0rd!"  # pragma: allowlist secret


@dataclass(kw_only=True)
class Desk:
    """An identity under test, and what makes tokens for it."""

    identity: Identity
    clock: ManualClock
    token: Callable[[], str]
    stranger: Callable[[], str]


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    with run_issuer() as running:
        yield running


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime.now(UTC))


def local(issuer: LocalIssuer, clock: ManualClock) -> OidcIdentity:
    return OidcIdentity(issuer_of(issuer.url, clients=(CLIENT, "other")), clock)


def cognito(cloud: Cloud, clock: ManualClock, kind: str) -> Desk:
    """A pool, a person in groups, and a second client that is not ours; its tokens are moto's own."""
    cognito = cloud.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName=f"p{uuid.uuid4().hex[:8]}")["UserPool"]["Id"]
    flows = ["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
    clients = [
        cognito.create_user_pool_client(UserPoolId=pool, ClientName=n, ExplicitAuthFlows=flows)[
            "UserPoolClient"
        ]["ClientId"]
        for n in ("ours", "theirs")
    ]
    cognito.admin_create_user(UserPoolId=pool, Username="eva")
    cognito.admin_set_user_password(UserPoolId=pool, Username="eva", Password=PASSWORD, Permanent=True)
    for group in GROUPS:
        cognito.create_group(UserPoolId=pool, GroupName=group)
        cognito.admin_add_user_to_group(UserPoolId=pool, Username="eva", GroupName=group)

    def token(client: str) -> str:
        signed = cognito.admin_initiate_auth(
            UserPoolId=pool,
            ClientId=client,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "eva", "PASSWORD": PASSWORD},
        )
        return str(signed["AuthenticationResult"][kind])

    ours = issuer_of(
        f"https://cognito-idp.us-east-1.amazonaws.com/{pool}",
        clients=(clients[0],),
        # The emulator has the right address only for who asks it under Cognito's name.
        keys_url=f"{cloud.url}/{pool}/.well-known/jwks.json",
    )
    return Desk(
        identity=OidcIdentity(ours, clock),
        clock=clock,
        token=lambda: token(clients[0]),
        stranger=lambda: token(clients[1]),
    )


@pytest.fixture(params=["issuer", "IdToken", "AccessToken"])
def desk(request: pytest.FixtureRequest, clock: ManualClock) -> Desk:
    if request.param != "issuer":
        return cognito(request.getfixturevalue("cloud"), clock, request.param)
    issuer: LocalIssuer = request.getfixturevalue("issuer")
    return Desk(
        identity=local(issuer, clock),
        clock=clock,
        token=lambda: issuer.token(GROUPS),
        stranger=lambda: issuer.token(GROUPS, aud="another"),
    )


def test_signatures_are_the_ports() -> None:
    assert inspect.signature(OidcIdentity.verify) == inspect.signature(Identity.verify)


def test_a_person_has_the_rights_of_the_groups_below_their_nodes(desk: Desk) -> None:
    person = desk.identity.verify(desk.token())
    assert person.subject
    assert set(person.posts) == {
        Post(role=PersonRole.CLINICIAN, node="hospital.radiology"),
        Post(role=PersonRole.VIEWER),
    }
    assert person.may(Right.SEND, "hospital.radiology") and person.may(Right.SEND, "hospital.radiology.ct")
    assert not person.may(Right.SEND, "hospital") and not person.may(Right.SEND, "hospital.radiology2")
    assert person.may(Right.READ, "elsewhere") and not person.may(Right.ADMINISTER, "hospital.radiology")


def test_a_token_for_another_client_is_refused(desk: Desk) -> None:
    with pytest.raises(NotSignedIn, match="another audience"):
        desk.identity.verify(desk.stranger())


def test_an_expired_token_is_refused_after_the_clocks_may_differ(desk: Desk) -> None:
    token = desk.token()
    desk.clock.sleep(_life_s(token) + 30)
    assert desk.identity.verify(token).subject
    desk.clock.sleep(60)
    with pytest.raises(NotSignedIn, match="expired"):
        desk.identity.verify(token)


def _life_s(token: str) -> int:
    body = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return int(claims["exp"]) - int(time.time())


def test_an_altered_token_is_refused(desk: Desk) -> None:
    head, body, signature = desk.token().split(".")
    changed = "A" if body[10] != "A" else "B"
    for wrong in (
        f"{head}.{body[:10]}{changed}{body[11:]}.{signature}",
        f"{head}.{body}.{signature[:-8]}AAAAAAAA",
        f"{head}.{body}.",
        f"{head}.{body}",
        "",
        "x.y.z",
        "a" * 40_000,
    ):
        with pytest.raises(NotSignedIn):
            desk.identity.verify(wrong)


def test_a_token_signed_by_nobody_or_with_a_public_key_as_a_secret_is_refused(
    issuer: LocalIssuer, clock: ManualClock
) -> None:
    identity = local(issuer, clock)
    claims = {"iss": issuer.url, "sub": "x", "aud": CLIENT, "exp": int(time.time()) + 60}
    shared = jwt.encode({"alg": "HS256", "kid": "shared"}, claims, OctKey.import_key("s" * 32))
    unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": "shared"}).encode()).decode()
    nobody = f"{unsigned.rstrip('=')}.{shared.split('.')[1]}."
    stranger = jwt.encode(
        {"alg": "RS256", "kid": next(iter(issuer._keys))}, claims, RSAKey.generate_key(2048)
    )
    for wrong in (shared, nobody, stranger):
        with pytest.raises(NotSignedIn):
            identity.verify(wrong)
    with pytest.raises(NotSignedIn, match="a key that the issuer does not have"):
        identity.verify(issuer.token(kid="made-up"))


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"iss": "https://elsewhere.example"}, "another issuer"),
        ({"exp": None}, "claim is missing"),
        ({"sub": None}, "claim is missing"),
        ({"aud": None}, "another audience"),
        ({"aud": ["another", "third"]}, "another audience"),
        ({"nbf": int(time.time()) + 3600}, "claim is missing or wrong"),
    ],
)
def test_what_a_token_must_say(
    issuer: LocalIssuer, clock: ManualClock, claims: dict[str, object], why: str
) -> None:
    with pytest.raises(NotSignedIn, match=why) as caught:
        local(issuer, clock).verify(issuer.token(**claims))
    assert "person-1" not in str(caught.value)
    assert local(issuer, clock).verify(issuer.token(aud=["another", "other"])).posts == ()


def test_cognitos_kinds_of_token_are_looked_at(issuer: LocalIssuer, clock: ManualClock) -> None:
    pool = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab"
    identity = OidcIdentity(issuer_of(pool, clients=(CLIENT,), keys_url=f"{issuer.url}/keys"), clock)
    assert identity.verify(issuer.token(iss=pool, token_use="id")).subject == "person-1"
    assert identity.verify(issuer.token(iss=pool, token_use="access", client_id=CLIENT)).subject
    for wrong in (
        {"token_use": "refresh"},
        {},
        {"token_use": "access", "client_id": "another"},
        {"token_use": "id", "aud": "another", "client_id": CLIENT},
    ):
        with pytest.raises(NotSignedIn):
            identity.verify(issuer.token(iss=pool, **wrong))


def test_keys_are_kept_and_a_new_one_is_fetched(issuer: LocalIssuer, clock: ManualClock) -> None:
    identity = local(issuer, clock)
    old = issuer.token()
    for _ in range(3):
        identity.verify(old)
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]
    issuer.rotate()
    with pytest.raises(NotSignedIn):
        identity.verify(issuer.token())  # whoever makes keys up shall not make us ask each time
    assert len(issuer.asked) == 2
    clock.sleep(61)
    assert identity.verify(issuer.token()).subject
    with pytest.raises(NotSignedIn):
        identity.verify(old)  # the issuer took that key back


def test_an_issuer_that_is_silent_for_a_while_is_believed_by_its_old_keys(
    issuer: LocalIssuer, clock: ManualClock
) -> None:
    identity = local(issuer, clock)
    issuer.silent = True
    with pytest.raises(Unavailable, match="does not answer"):
        identity.verify(issuer.token())
    asked = len(issuer.asked)
    with pytest.raises(Unavailable, match="does not answer"):
        identity.verify(issuer.token())
    assert len(issuer.asked) == asked, "not everybody waits for an answer that does not come"
    issuer.silent = False
    clock.sleep(6)
    token = issuer.token(exp=int(time.time()) + 10**6)
    assert identity.verify(token).subject
    issuer.silent = True
    clock.sleep(3700)
    assert identity.verify(token).subject
    clock.sleep(timedelta(days=1).total_seconds())
    with pytest.raises(Unavailable):
        identity.verify(token)


def test_an_issuer_that_says_it_is_another_is_not_asked_for_keys(
    issuer: LocalIssuer, clock: ManualClock
) -> None:
    issuer.says = "https://elsewhere.example"
    with pytest.raises(Unavailable, match="another issuer"):
        local(issuer, clock).verify(issuer.token())
    assert "/keys" not in issuer.asked


def test_settings_that_would_let_others_in_are_refused() -> None:
    for url, keys in (("http://sso.example", ""), ("https://sso.example", "http://keys.example")):
        with pytest.raises(ConfigError, match="is not an https"):
            issuer_of(url, clients=("x",), keys_url=keys)
    with pytest.raises(ConfigError, match="names no client"):
        issuer_of("https://sso.example", clients=())
