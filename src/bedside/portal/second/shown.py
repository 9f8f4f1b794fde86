"""A second factor as its owner sees it while setting it up."""

from dataclasses import dataclass, field

import segno

from bedside.domain.account import Account
from bedside.portal.here import Here


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUp:
    """What an app needs.

    Attributes:
        picture: QR code as a data address; the policy of pages lets images be those.
        secret: The same to be typed, in groups of four.
        uri: The same for an app on this very device.
    """

    picture: str = field(repr=False)
    secret: str = field(repr=False)
    uri: str = field(repr=False)


def set_up(here: Here, account: Account) -> SetUp:
    """Begin a second factor, or show again the one that was begun.

    Raises:
        UsageError: One is confirmed already.
    """
    seconds = here.deployment.seconds
    factor = seconds.begin(account)
    uri = seconds.uri(account, factor)
    # White behind it in the dark too: apps do not read the negative.
    picture = segno.make(uri, error="m").svg_data_uri(scale=5, border=3, light="#fff", dark="#000")
    groups = [factor.secret[start : start + 4] for start in range(0, len(factor.secret), 4)]
    return SetUp(picture=picture, secret=" ".join(groups), uri=uri)
