"""What the portal keeps besides jobs: in the ledger's database, each kind behind a port of its own."""

from typing import Protocol

from bedside.ports.accounts import Accounts
from bedside.ports.audit import AuditTrail
from bedside.ports.catalogue import Catalogue
from bedside.ports.figures import Figures
from bedside.ports.identities import Identities
from bedside.ports.judgements import Judgements
from bedside.ports.second_factors import SecondFactors
from bedside.ports.uploads import Uploads


class Records(Protocol):
    """One of each; they come and go with the ledger, whose `prepare` makes their tables too."""

    @property
    def accounts(self) -> Accounts:
        """Who may come in."""
        ...

    @property
    def audit(self) -> AuditTrail:
        """Who did what."""
        ...

    @property
    def catalogue(self) -> Catalogue:
        """Which instances there are."""
        ...

    @property
    def figures(self) -> Figures:
        """What waits, ended, took and cost how much."""
        ...

    @property
    def identities(self) -> Identities:
        """By which numbers of an identity provider accounts are known."""
        ...

    @property
    def judgements(self) -> Judgements:
        """What people said of results."""
        ...

    @property
    def second_factors(self) -> SecondFactors:
        """What accounts are asked for after the password."""
        ...

    @property
    def uploads(self) -> Uploads:
        """What people send in parts."""
        ...
