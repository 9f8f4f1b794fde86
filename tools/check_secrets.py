"""Refuses content that looks like a credential and is not in .secrets.baseline.

Compares by file and hash, not by line, so that moving a test's invented password is no finding. Given
no names it looks at every file that git tracks. After a look at each new one:
``.venv/bin/detect-secrets scan --baseline .secrets.baseline``.
"""

import json
import subprocess
import sys
from pathlib import Path

from detect_secrets import SecretsCollection
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).resolve().parents[1]
BASELINE = ROOT / ".secrets.baseline"
#: Hashes by nature.
LEFT_OUT = {
    "constraints.txt",
    ".secrets.baseline",
    "identities.json",
    "debian-bookworm.json",
    "package-lock.json",
    "wheels-cpu.json",
    "wheels-cuda.json",
}


def new_secrets(names: list[str], baseline: dict[str, object]) -> list[str]:
    """Return one line per finding that the baseline does not know."""
    results = baseline["results"]
    assert isinstance(results, dict)
    known = {(name, found["hashed_secret"]) for name, several in results.items() for found in several}
    settings = {"plugins_used": baseline["plugins_used"], "filters_used": baseline["filters_used"]}
    collection = SecretsCollection()
    with transient_settings(settings):
        for name in names:
            if Path(name).name not in LEFT_OUT:
                collection.scan_file(name)
    return [
        f"{name}:{secret.line_number}: looks like a credential ({secret.type})"
        for name, secret in collection
        if (name, secret.secret_hash) not in known
    ]


if __name__ == "__main__":
    tracked = sys.argv[1:] or subprocess.run(
        ["git", "ls-files", "-z"], check=True, capture_output=True, text=True
    ).stdout.split("\0")
    found = new_secrets([name for name in tracked if name], json.loads(BASELINE.read_text(encoding="utf-8")))
    sys.stderr.writelines(f"{line}\n" for line in found)
    sys.exit(1 if found else 0)
