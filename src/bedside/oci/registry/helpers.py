"""Credential helpers: programs named ``docker-credential-NAME`` that keep secrets elsewhere.

Owns running one. A helper that is not installed is a note, not an error: files that docker left behind
name helpers of another machine, and a public repository needs none of them. The protocol is docker's:
the registry on standard input, a JSON object on standard output.
"""

import json
import shutil
import subprocess

from bedside.oci.registry.credentials import Answer, Credentials

#: A helper may ask a person to unlock a key ring.
TIMEOUT_S = 60.0
#: The user name by which a helper says that its secret is an identity token.
_TOKEN_USER = "<token>"  # noqa: S105
_NOT_FOUND = ("credentials not found", "no credentials server url", "no credentials username")


def ask_helper(name: str, server: str) -> Answer:
    """Ask a helper for the credentials of a server.

    Args:
        name: What follows ``docker-credential-``.
        server: As the helper knows it: a host, or docker.io's historical URL.
    """
    program = f"docker-credential-{name}"
    path = shutil.which(program)
    if path is None:
        return Answer(notes=(f"{program} is not in PATH",))
    try:
        done = subprocess.run(
            [path, "get"], input=server, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Answer(notes=(f"{program} did not answer in {TIMEOUT_S:.0f} s",))
    except OSError as exc:
        return Answer(notes=(f"{program} cannot be run: {exc.strerror}",))
    if done.returncode != 0:
        said = (done.stdout.strip() or done.stderr.strip()).splitlines()
        why = said[0][:200] if said else f"exit {done.returncode}"
        known = why.lower().startswith(_NOT_FOUND)
        return Answer(notes=(f"{program} has none for {server}" if known else f"{program}: {why}",))
    return _read(program, done.stdout)


def _read(program: str, text: str) -> Answer:
    try:
        document = json.loads(text)
        username, secret = str(document["Username"]), str(document["Secret"])
    except (ValueError, KeyError, TypeError):
        return Answer(notes=(f"{program} answered something else than credentials",))
    if username == _TOKEN_USER:
        return Answer(credentials=Credentials(identity_token=secret, source=program))
    return Answer(credentials=Credentials(username=username, password=secret, source=program))
