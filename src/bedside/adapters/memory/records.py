"""`MemoryRecords`: what the portal keeps, for tests and as long as the process lives."""

from bedside.adapters.memory.accounts import MemoryAccounts
from bedside.adapters.memory.audit import MemoryAudit
from bedside.adapters.memory.catalogue import MemoryCatalogue
from bedside.adapters.memory.figures import MemoryFigures
from bedside.adapters.memory.identities import MemoryIdentities
from bedside.adapters.memory.judgements import MemoryJudgements
from bedside.adapters.memory.ledger import MemoryLedger
from bedside.adapters.memory.second_factors import MemorySecondFactors
from bedside.adapters.memory.uploads import MemoryUploads


class MemoryRecords:
    """A `bedside.ports.records.Records` in memory; safe between threads.

    Args:
        ledger: Whose figures; None is an empty one.
    """

    def __init__(self, ledger: MemoryLedger | None = None) -> None:
        self.accounts = MemoryAccounts()
        self.audit = MemoryAudit()
        self.catalogue = MemoryCatalogue(ledger or MemoryLedger())
        self.figures = MemoryFigures(ledger or MemoryLedger())
        self.identities = MemoryIdentities(self.accounts)
        self.judgements = MemoryJudgements()
        self.second_factors = MemorySecondFactors()
        self.uploads = MemoryUploads()
