"""Which pages may send to a bucket."""

from bedside.config import Settings
from bedside.config.deploy import DeploySettings
from bedside.config.portal import PortalSettings


def test_the_portal_may_where_it_has_an_address_and_others_that_are_named() -> None:
    assert Settings().sending_origins == ()
    portal = PortalSettings(url="https://bedside.example/")
    assert Settings(portal=portal).sending_origins == ("https://bedside.example",)
    deploy = DeploySettings(cors_origins=("https://other.example", "https://bedside.example"))
    named = ("https://other.example", "https://bedside.example")
    assert Settings(portal=portal, deploy=deploy).sending_origins == named
