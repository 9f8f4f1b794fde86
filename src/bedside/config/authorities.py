"""Which certificate authorities a connection to the ledger trusts.

Owns the bundle of those of Amazon RDS, which comes with bedside because machines of a deployment need nothing
of the open internet. A URL that names its own (``sslrootcert``) is left alone, and so is a machine that does
(``PGSSLROOTCERT``, which libpq reads by itself).
"""

import re
from collections.abc import Mapping
from pathlib import Path

#: Says in its head where it is from.
RDS_BUNDLE = Path(__file__).with_name("rds-ca.crt")
#: Only these look at the server's certificate (libpq's ``sslmode``).
VERIFYING = ("verify-ca", "verify-full")

_HOST = ".rds.amazonaws.com"
_SIGNED = re.compile(r"^# Amazon RDS (\S+) Root CA ", re.MULTILINE)


def rds_regions() -> frozenset[str]:
    """Return the regions whose databases the bundle vouches for."""
    return frozenset(_SIGNED.findall(RDS_BUNDLE.read_text(encoding="ascii")))


def authorities(host: str, query: Mapping[str, object], environment: Mapping[str, str]) -> Path | None:
    """Return the bundle that a connection needs; None where it needs none or names its own.

    Args:
        host: Of the database.
        query: What the URL says besides, as libpq names it.
        environment: Of this process.
    """
    wants = query.get("sslmode", environment.get("PGSSLMODE")) in VERIFYING
    named = "sslrootcert" in query or environment.get("PGSSLROOTCERT")
    return RDS_BUNDLE if wants and not named and host.endswith(_HOST) else None
