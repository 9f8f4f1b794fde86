"""Studies in a portal's deployment as intake leaves them, and a server that answers for it on 127.0.0.1."""

import hashlib
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from bedside.dicom.identify import identify
from bedside.domain.arrival import Arrival, ArrivalKind, StoredFile, arrival_id
from bedside.wiring import Deployment


def arrived(deployment: Deployment, paths: Iterable[Path], *, tenant: str = "default") -> Arrival:
    """Put instances of one study into the store and the ledger, as the study's next version."""
    files, study = {}, ""
    for path in paths:
        found = identify(path)
        assert found is not None
        study = found.study_uid
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        stored = StoredFile(sop_instance_uid=found.sop_instance_uid, sha256=digest, size_bytes=len(data))
        files[stored] = path
    deployment.blobs.tenant(tenant).put_files({stored.key: path for stored, path in files.items()})
    arrival = Arrival(
        tenant=tenant,
        id=arrival_id(files),
        kind=ArrivalKind.DICOM,
        subject=study,
        version=0,
        files=tuple(sorted(files)),
        received_at=deployment.clock.now(),
    )
    return deployment.ledger.add_arrival(arrival)


@contextmanager
def answering(app: ASGIApp) -> Iterator[str]:
    """Answer for an application on a free port, in a thread; give its address."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listening.close()
