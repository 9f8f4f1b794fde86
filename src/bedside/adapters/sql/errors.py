"""The one place where a database's errors become ours.

Messages name the kind of error, and its first line only where that speaks of the server or the file:
the rest of a database's message quotes values, and values may be a patient's.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import OperationalError, SQLAlchemyError, StatementError

from bedside.errors import BedsideError, Unavailable

HINT = "bedside doctor"

#: What libpq says of a server's certificate, and what that means.
CERTIFICATE = {
    "certificate verify failed": "no authority that is trusted has signed the server's certificate",
    "does not match host name": "the server's certificate is another machine's",
    "root certificate file": "the file of the authorities that are trusted is not there",
}
CERTIFICATE_HINT = (
    "name their PEM file as sslrootcert in ledger.url, or as deploy.ledger_ca for machines on AWS"
)


@contextmanager
def translated() -> Iterator[None]:
    """Turn errors of SQLAlchemy and of its drivers into `Unavailable`; let our own through."""
    try:
        yield
    except StatementError as exc:
        if isinstance(exc.orig, BedsideError):  # refused by one of our column types
            raise exc.orig from exc
        said = _said(exc)
        for words, meaning in CERTIFICATE.items():
            if words in said:  # the server may be mended, so that trying again helps
                raise Unavailable(f"ledger: {meaning}: {said}", hint=CERTIFICATE_HINT) from exc
        raise Unavailable(f"ledger: {said}", hint=HINT) from exc
    except SQLAlchemyError as exc:
        raise Unavailable(f"ledger: {type(exc).__name__}", hint=HINT) from exc


def _said(exc: StatementError) -> str:
    kind = type(exc.orig).__name__
    if isinstance(exc, OperationalError):
        first_line = str(exc.orig).partition("\n")[0].strip()
        return f"{first_line} ({kind})"
    return kind
