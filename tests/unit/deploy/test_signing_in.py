"""What is said of the deployment's accounts, whatever a file here names."""

from bedside.config import IdentitySettings
from bedside.deploy.signing_in import names_issuer, signing_in

POOL = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc"
OUTPUTS = {"issuer": POOL, "client_id": "c1"}


def said(outputs: dict[str, object], **named: object) -> str:
    return " ".join(signing_in(outputs, IdentitySettings.model_validate(named)))


def test_what_a_file_lacks_is_said_as_it_belongs_there() -> None:
    assert f'issuer = "{POOL}" clients = ["c1"]' in said(OUTPUTS)
    assert "lacks Cognito's client c1" in said(OUTPUTS, issuer=POOL, clients=["other"])


def test_nothing_is_said_where_nothing_is_amiss() -> None:
    assert said(OUTPUTS, issuer=POOL, clients=["c1"]) == ""
    assert said({"issuer": None, "client_id": None}) == ""


def test_what_was_named_by_hand_is_in_force() -> None:
    words = said(OUTPUTS, issuer="https://login.example", clients=["x"])
    assert words.startswith("people sign in at https://login.example") and POOL in words


def test_machines_are_told_only_what_their_file_does_not_say() -> None:
    assert not names_issuer(b"") and not names_issuer(b"[identity]\nclients = []\n")
    assert names_issuer(b'[identity]\nissuer = "https://login.example"\n')
