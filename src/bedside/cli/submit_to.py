"""``bedside submit --to``: the same studies to a portal elsewhere, with a token and nothing else."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedside.cli.job.shapes import worst
from bedside.cli.output import ProgressLine, note, write_json
from bedside.domain.job import JobState
from bedside.domain.tenant import name_of
from bedside.errors import InputRejected, NotSignedIn, UsageError

if TYPE_CHECKING:
    from bedside.cli.submit import Parcel
    from bedside.uploads.sending import PortalSender

#: Holds the token where no file does; on the command line everybody on the machine would see it.
TOKEN = "BEDSIDE_TOKEN"  # noqa: S105 - the name of a variable
_LOOK_S = 1.0
#: ``input/0123abcd-name``: what each call draws, and a dash.
_TOKEN_BYTES = 9
_OVER = frozenset({"done", "rejected", "cancelled", "expired"})


def submit_to(
    url: str, tenant: str, parcels: Sequence["Parcel"], token_file: Path | None, *, wait: bool, as_json: bool
) -> int:
    """Send parcels to a portal; return the exit code.

    Raises:
        NotSignedIn: There is no token.
        UsageError: The address is none.
    """
    from bedside.uploads.sending import PortalSender

    with (
        ProgressLine() as line,
        PortalSender(url=url, token=_token(token_file), tenant=name_of(tenant), tell=line.update) as sender,
    ):
        sent = [_send(sender, parcel) for parcel in parcels]
        found = [_followed(sender, upload, line) if wait else sender.look(upload) for upload in sent]
    if as_json:
        write_json({"uploads": found})
    if not wait:
        note(f"submitted {len(sent)}; {url}/t/{name_of(tenant)}/upload shows what becomes of them")
        return 0
    for upload in found:
        if upload["step"] == "rejected":
            note(f"upload {upload['id']} was rejected: {upload['reason']['detail']}")
    return max(map(_code, found))


def _send(sender: "PortalSender", parcel: "Parcel") -> str:
    from bedside.uploads.limits import Wish
    from bedside.uploads.packing import fingerprint_of, pack

    # Without the token that every call draws anew.
    files = {key.split("/", 2)[-1]: path for key, path in parcel.files.items()}
    plain = parcel.key.lower().endswith(".zip")
    with tempfile.TemporaryDirectory(prefix="bedside-") as folder:
        archive = next(iter(parcel.files.values())) if plain else Path(folder) / "studies.zip"
        fingerprint = fingerprint_of({archive.name: archive} if plain else files)
        if not plain:
            pack(files, archive)
        wish = Wish(
            name=archive.name if plain else parcel.key.rpartition("/")[2][_TOKEN_BYTES:] or min(files),
            fingerprint=fingerprint,
            files=len(files),
            size_bytes=archive.stat().st_size,
        )
        return sender.send(archive, wish)


def _followed(sender: "PortalSender", upload_id: str, line: ProgressLine) -> dict[str, Any]:
    while True:
        found = sender.look(upload_id)
        if found["step"] in _OVER:
            return found
        line.update(f"upload {upload_id}: {found['step']}")
        sender.sleep(_LOOK_S)


def _code(upload: dict[str, Any]) -> int:
    if upload["step"] != "done":
        return InputRejected.exit_code
    return worst([JobState(job["state"]) for study in upload["studies"] for job in study["jobs"]])


def _token(file: Path | None) -> str:
    try:
        token = file.read_text(encoding="utf-8").strip() if file else os.environ.get(TOKEN, "")
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"--token-file {file}: cannot be read ({type(exc).__name__})") from exc
    if not token:
        raise NotSignedIn(
            "--to: there is no token", hint=f"make one on your page of the portal, name it in {TOKEN}"
        )
    return token
