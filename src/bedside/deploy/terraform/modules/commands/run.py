"""Runs one command of bedside on a machine of the deployment and prints what it said as one line.

This is all that `bedside deploy run` can do here. The agent of Systems Manager starts it as root, with the
operating system's Python: it takes no command but those below, and gives root away before it starts one.
"""

import base64
import fcntl
import json
import os
import shlex
import subprocess
import sys
import time
import zlib
from pathlib import Path

USER = "bedside"
PROGRAM = "/opt/bedside/bin/bedside"
HOME = "/var/lib/bedside"
CONFIGURATION = "/etc/bedside/bedside.toml"
#: What the service is started with; where the ledger's URL lies apart, the second.
ENVIRONMENTS = ("/etc/bedside/environment", "/etc/bedside/ledger")
#: One of them is written after all the above.
SET_UP = ("/etc/bedside/machine", "/etc/bedside/control")
#: Held while a command runs: a machine without work does not leave meanwhile (bedside-work.py).
LOCK = "/run/bedside-asked"
#: Those that ask the ledger. Nothing that runs for ever, and nothing that reads files of this machine.
COMMANDS = ("job", "release", "archive", "tenant", "doctor")
#: A machine that was woken for this still installs its software.
SET_UP_S = 900
#: AWS keeps 24,000 characters of what is printed.
LONGEST = 23_500
USAGE, UNAVAILABLE = 2, 5
#: Where people sign in, a link is made for a token. Whoever sends this document was let in by IAM and may do
#: more to a tenant than send it a study, and a token among the arguments would be in CloudTrail.
LINK = ["tenant", "upload-link"]
LET_IN = {"BEDSIDE_IDENTITY_ISSUER": ""}


def main(encoded: str) -> int:
    """Run the command of these arguments; return its exit code."""
    try:
        arguments = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except ValueError:
        return tell(USAGE, "", "the arguments were not encoded by bedside deploy run\n")
    if not isinstance(arguments, list) or not all(isinstance(a, str) and "\0" not in a for a in arguments):
        return tell(USAGE, "", "the arguments are not a list of texts\n")
    if not arguments or arguments[0] not in COMMANDS:
        return tell(USAGE, "", f"only {', '.join(COMMANDS)} are run here\n")
    with Path(LOCK).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        for _ in range(SET_UP_S):
            if any(Path(path).exists() for path in SET_UP):
                break
            time.sleep(1)
        else:
            return tell(UNAVAILABLE, "", f"this machine was not set up within {SET_UP_S} s\n")
        root = os.geteuid() == 0
        done = subprocess.run(
            [PROGRAM, *arguments],
            env={**environment(), **(LET_IN if arguments[:2] == LINK else {})},
            cwd=HOME,
            stdin=subprocess.DEVNULL,  # nobody can be asked
            capture_output=True,
            check=False,  # its code is the answer
            user=USER if root else None,
            group=USER if root else None,
            extra_groups=() if root else None,
        )
    code = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return tell(code, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def environment() -> "dict[str, str]":
    """Return the service's variables, as systemd reads them from its files."""
    found = {"HOME": HOME, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "BEDSIDE_CONFIG": CONFIGURATION}
    for path in ENVIRONMENTS:
        if Path(path).exists():
            for word in shlex.split(Path(path).read_text(encoding="utf-8"), comments=True):
                name, _, value = word.partition("=")
                found[name] = value
    return found


def tell(code: int, out: str, err: str) -> int:
    """Print the answer compressed, so that what AWS keeps of it is enough for most; return the code."""
    answer = {"code": code, "out": out, "err": err}
    packed = base64.b64encode(zlib.compress(json.dumps(answer).encode(), 9)).decode()
    if len(packed) > LONGEST:
        answer = {"code": code, "out": "", "err": "", "lost": len(out) + len(err)}
        packed = base64.b64encode(zlib.compress(json.dumps(answer).encode(), 9)).decode()
    sys.stdout.write(f"bedside-run {packed}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
