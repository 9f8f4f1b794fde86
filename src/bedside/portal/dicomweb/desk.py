"""What every answer of DICOMweb asks first: which instances there are, and where their bytes lie.

Owns what is remembered between requests, all of it for seconds only: a study that was replaced, a result
that was superseded or a tenant that was removed must be gone for viewers too.
"""

import shutil
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from starlette.requests import Request

from bedside.domain.catalogue import Instance, Layout, Study
from bedside.errors import InputRejected, NotFound, Unavailable, UsageError
from bedside.portal.access.need import Place
from bedside.portal.access.trail import note
from bedside.wiring import Deployment

#: What is remembered of an instance is asked anew after so long.
FRESH_S = 5.0
#: And what is remembered of a study, whose revision says whether its metadata changed.
STUDY_FRESH_S = 1.0
_REMEMBERED = 4096
#: Longer than any answer takes.
LEFT_S = 24 * 3600.0
#: Metadata that was put together is kept for so long, under its study's revision.
ANSWERS_S = 600.0
_ANSWERS = 32
#: Who asks, and that they may, is believed for so long.
BELIEVED_S = 2.0
#: A study that somebody has looked at is noted again after so long in the same session.
NOTED_S = 8 * 3600.0

T = TypeVar("T")


class Remembered(Generic[T]):
    """The values used last, each for a while. Used by several threads.

    Args:
        limit: So many at most.
        for_s: So long at most.
    """

    def __init__(self, limit: int, for_s: float) -> None:
        self._limit = limit
        self._for_s = for_s
        self._lock = threading.Lock()
        self._values: OrderedDict[tuple[str, ...], tuple[float, T]] = OrderedDict()

    def get(self, key: tuple[str, ...]) -> T | None:
        """Return a value that is fresh, or None."""
        with self._lock:
            found = self._values.get(key)
        return found[1] if found and time.monotonic() < found[0] else None

    def put(self, key: tuple[str, ...], value: T) -> None:
        """Remember a value."""
        with self._lock:
            self._values[key] = (time.monotonic() + self._for_s, value)
            self._values.move_to_end(key)
            while len(self._values) > self._limit:
                self._values.popitem(last=False)


class Desk:
    """Answers of one portal from its deployment.

    Args:
        deployment: Catalogue, store, decoders.

    Attributes:
        folder: For files under way.
        places: Who asks, and that they may.
        metadata: Answers that were put together: viewers ask for the same study again and again.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self.folder = deployment.scratch / "dicomweb"
        _tidy(self.folder)
        self._studies: Remembered[Study] = Remembered(_REMEMBERED, STUDY_FRESH_S)
        self._instances: Remembered[tuple[Instance, Layout]] = Remembered(_REMEMBERED, FRESH_S)
        self.metadata: Remembered[bytes] = Remembered(_ANSWERS, ANSWERS_S)
        self.places: Remembered[Place] = Remembered(_REMEMBERED, BELIEVED_S)
        self._noted: Remembered[bool] = Remembered(_REMEMBERED, NOTED_S)

    def study(self, tenant: str, study_uid: str) -> Study:
        """Return a study, in step with what arrived.

        Raises:
            NotFound: The tenant has none of that UID.
        """
        found = self._studies.get((tenant, study_uid))
        if found is not None:
            return found
        self._deployment.cataloguer.bring(tenant, study_uid)
        found = self._deployment.records.catalogue.study(tenant, study_uid)
        if found is None:
            raise NotFound("no such study in this tenant")
        self._studies.put((tenant, study_uid), found)
        return found

    def instances(self, tenant: str, study_uid: str, series_uid: str = "") -> Sequence[Instance]:
        """Return the instances of a study or a series.

        Raises:
            NotFound: There are none.
        """
        self.study(tenant, study_uid)
        found = self._deployment.records.catalogue.instances(tenant, study_uid, series_uid)
        if not found:
            raise NotFound("no such series in this study")
        return found

    def instance(
        self, tenant: str, study_uid: str, series_uid: str, sop_instance_uid: str
    ) -> tuple[Instance, Layout]:
        """Return an instance and where its bytes lie.

        Raises:
            NotFound: It is not there.
        """
        key = (tenant, study_uid, series_uid, sop_instance_uid)
        found = self._instances.get(key)
        if found is not None:
            return found
        catalogue = self._deployment.records.catalogue
        found = catalogue.instance(*key)
        if found is None:
            self._deployment.cataloguer.bring(tenant, study_uid)
            found = catalogue.instance(*key)
        if found is None:
            raise NotFound("no such instance in this series")
        self._instances.put(key, found)
        return found

    def seen(self, place: Place, study_uid: str) -> None:
        """Note in the trail that somebody looks at a study: once per study and session, not per frame."""
        caller = place.caller
        key = (place.tenant, study_uid, caller.person.subject, caller.credential)
        if self._noted.get(key) is None:
            note(place.here, caller, "study.viewed", tenant=place.tenant, object=study_uid)
            self._noted.put(key, True)

    def searched(self, place: Place) -> None:
        """Note in the trail that somebody looks through a tenant's studies, as rarely; not what for."""
        caller = place.caller
        key = (place.tenant, "", caller.person.subject, caller.credential)
        if self._noted.get(key) is None:
            note(place.here, caller, "studies.searched", tenant=place.tenant)
            self._noted.put(key, True)

    def some(self, instance: Instance, offset: int, length: int) -> bytes:
        """Return some bytes of an instance's file.

        Raises:
            Unavailable: The file is shorter by now.
        """
        data = self._deployment.blobs.tenant(instance.tenant).read(instance.key, offset, length)
        if len(data) != length:
            raise Unavailable(f"instance: {len(data)} of {length} bytes are there", hint="try again")
        return data

    @contextmanager
    def local(self, instance: Instance) -> Iterator[Path]:
        """Have an instance's file here for a while; a store on this machine gives a second name of it."""
        path = self.folder / f"{uuid.uuid4().hex}.dcm"
        try:
            self._deployment.blobs.tenant(instance.tenant).fetch(instance.key, path)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def apart(self, instance: Instance, work: Callable[..., T], /, *arguments: object) -> T:
        """Return what a decoder makes of an instance's file, in a process of its own.

        Raises:
            NotFound: What cannot be decoded is not there in that form.
        """
        with self.local(instance) as path:
            try:
                return self._deployment.decoders.run(work, path, *arguments)
            except InputRejected as exc:
                raise NotFound(f"instance {instance.sop_instance_uid}: {exc.message}") from exc


def _tidy(folder: Path) -> None:
    """Make the folder for files under way, and remove what a process that was killed left there."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        try:
            if time.time() - path.lstat().st_ctime < LEFT_S:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        except FileNotFoundError:  # another portal of this machine was faster
            continue


def desk_of(request: Request) -> Desk:
    """Return the desk of the portal that was asked."""
    state = request.app.state
    found: Desk | None = getattr(state, "dicomweb", None)
    if found is None:
        found = state.dicomweb = Desk(state.here.deployment)
    return found


def base_of(request: Request, tenant: str) -> str:
    """Return the address of a tenant's DICOMweb, as whoever asks reaches it.

    Raises:
        UsageError: They name no machine that there could be.
    """
    configured = request.app.state.here.deployment.settings.portal.url
    try:
        return f"{configured or _origin(request)}/dicomweb/{tenant}"
    except ValueError as exc:
        raise UsageError("Host: want NAME or NAME:PORT") from exc


def _origin(request: Request) -> str:
    """Return scheme, host and port that somebody asked.

    Some clients leave out the port (dicomweb-client does), which shows where they name our own address.
    """
    origin = str(request.base_url).rstrip("/")
    host, port = request.scope.get("server") or ("", None)
    alone = request.base_url.port is None and port not in (None, 80, 443)
    return f"{origin}:{port}" if alone and request.base_url.hostname == host else origin
