"""Writes the lock of the built-in base anew: newest packages, signatures checked.

.venv/bin/python tools/lock_debian.py [MIRROR…]
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from bedside.package.base.mirrors import apt_mirrors, given_mirrors
from bedside.package.base.resolve import lock_debian

LOCK = Path(__file__).parents[1] / "src/bedside/package/locks/debian-bookworm.json"

if __name__ == "__main__":
    mirrors = given_mirrors(sys.argv[1:]) if sys.argv[1:] else apt_mirrors()
    LOCK.write_text(lock_debian(mirrors, now=datetime.now(UTC)).to_json(), encoding="utf-8")
