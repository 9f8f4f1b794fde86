"""Bulletins as lines of the log, for a machine whose log somebody reads."""

from bedside.domain.notice import Bulletin
from bedside.log import Log


class LogNotifier:
    """Writes one line per bulletin, and one per notice that it tells one by one.

    Args:
        log: Takes notes.
    """

    def __init__(self, log: Log) -> None:
        self._log = log

    def send(self, bulletin: Bulletin) -> None:
        """Hand a bulletin over. See `bedside.ports.notifier.Notifier.send`."""
        self._log(
            "notice",
            kind=bulletin.kind.value,
            bulletin=bulletin.id,
            notices=bulletin.count,
            said=bulletin.subject,
        )
        for notice in bulletin.notices:
            self._log("notice.one", bulletin=bulletin.id, **notice.to_json())
