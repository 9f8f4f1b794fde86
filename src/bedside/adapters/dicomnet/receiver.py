"""Storage SCP and Verification SCP: takes what modalities, a PACS or a gateway send by C-STORE.

Owns the answers in DICOM's terms. An instance is answered "success" once it is durable in the drop-box of
its tenant, whose parts need nothing of us any more: what was acknowledged survives anything that happens to
this process. Nothing is transcoded. See PS3.4 B (Storage) and A (Verification), PS3.7 9.1.1, PS3.8 9.3.
"""

import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from pynetdicom import AE, _config, build_context, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from bedside.adapters.dicomnet.doors import Doors, Refusal
from bedside.adapters.dicomnet.options import ReceiverOptions
from bedside.adapters.dicomnet.senders import Sender, contexts_for, data_bytes
from bedside.adapters.dicomnet.server import BEYOND, Connection, Server, hang_up
from bedside.adapters.dicomnet.tls import RenewedTls
from bedside.dicom.received import IMPLEMENTATION_UID, IMPLEMENTATION_VERSION_NAME
from bedside.errors import BedsideError, ConfigError, InputRejected, Unavailable
from bedside.log import Log, silent
from bedside.worker.instances import Mismatched, SentInstance
from bedside.worker.observe import Observer

#: Statuses of C-STORE. See PS3.4 B.2.3.
SUCCESS, OUT_OF_RESOURCES, MISMATCH, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xA900, 0xC000

#: For the sender to say what it wants once it is connected.
_ASKING_S = 30.0
_POLL_S = 0.05
#: For an association that is broken off to have ended, its last instance written.
_BREAKING_S = 5.0


class DicomReceiver:
    """Listens from its making until it is closed.

    Args:
        options: How it listens.
        doors: Who may send to whom.
        keep: Makes an instance of a tenant durable; called by several threads.
        observer: Counts.
        log: Takes notes.

    Raises:
        ConfigError: Nothing can be listened to there, or the certificate cannot be used.
    """

    def __init__(
        self,
        options: ReceiverOptions,
        doors: Doors,
        keep: Callable[[str, SentInstance], bool],
        *,
        observer: Observer,
        log: Log = silent,
    ) -> None:
        self._options = options
        self._doors = doors
        self._keep = keep
        self._observer = observer
        self._log = log
        self._lock = threading.Lock()
        self._senders: dict[Association, Sender] = {}
        self._held_bytes = 0
        self._stopped_s: float | None = None
        self._server = self._listen(RenewedTls(options.tls, log) if options.tls else None)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="dicom", daemon=True
        )
        self._thread.start()

    def _listen(self, tls: RenewedTls | None) -> Server:
        options = self._options
        _config.LOG_HANDLER_LEVEL = "none"  # it would put every message into words that nobody reads
        ae = AE(options.title)
        ae.maximum_associations = options.max_associations
        ae.maximum_pdu_size = options.max_pdu_bytes
        ae.acse_timeout = min(_ASKING_S, options.timeout_s)
        ae.dimse_timeout = ae.network_timeout = options.timeout_s
        ae.implementation_class_uid = IMPLEMENTATION_UID
        ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        handlers = [
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_PDU_RECV, self._came),
            (evt.EVT_C_STORE, self._stored),
            (evt.EVT_REJECTED, self._full),
            (evt.EVT_CONN_CLOSE, self._left),
        ]
        where = f"{options.address}:{options.port}"
        try:
            server = ae.make_server(
                (options.address, options.port),
                contexts=[build_context(Verification)],
                evt_handlers=handlers,  # type: ignore[arg-type]
                server_class=Server,
                request_handler=Connection,
            )
        except (OSError, OverflowError) as exc:
            raise ConfigError(
                f"dicom.port: cannot listen on {where}: {getattr(exc, 'strerror', None) or exc}",
                hint="set dicom.address and dicom.port to what is free here; ss -ltnp shows who listens",
            ) from exc
        assert isinstance(server, Server)
        server.tls = tls
        server.timeout_s = options.timeout_s
        server.max_pdu_bytes = options.max_pdu_bytes
        server.opened, server.ended, server.failed = self._opened, self._ended, self._failed
        server.limit(options.max_associations + BEYOND)
        return server

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    @property
    def listening(self) -> bool:
        """Whether it takes new associations."""
        return self._thread.is_alive() and self._stopped_s is None

    def stop_listening(self) -> None:
        """Take no new association; those that are open have the grace to end."""
        if self._stopped_s is None:
            self._stopped_s = time.monotonic()
            self._server.shutdown()

    def close(self) -> None:
        """Stop listening, wait for associations within the grace, and break off those that do not end."""
        self.stop_listening()
        assert self._stopped_s is not None
        until = self._stopped_s + self._options.grace_s
        while any(sender.tenant for sender in self._open().values()) and time.monotonic() < until:
            time.sleep(_POLL_S)
        for association, sender in self._open().items():
            if sender.tenant:
                association.abort()
            else:
                hang_up(association)
        until = time.monotonic() + _BREAKING_S
        while self._senders and time.monotonic() < until:
            time.sleep(_POLL_S)

    # Associations

    def _open(self) -> dict[Association, Sender]:
        with self._lock:
            return dict(self._senders)

    def _opened(self, association: Association) -> None:
        address = association.requestor.address_info
        assert address is not None
        sender = Sender(address=address.address, began_s=time.monotonic())
        with self._lock:
            self._senders[association] = sender

    def _requested(self, event: Event) -> None:
        """Say whether a sender may come in, before anything is negotiated."""
        sender = self._senders[event.assoc]
        request = event.assoc.requestor.primitive
        assert request is not None
        calling, called = str(request.calling_ae_title), str(request.called_ae_title)
        answer = self._doors.tenant(called, calling, sender.address)
        if self._stopped_s is not None:
            answer = Refusal.CONGESTION
        if isinstance(answer, Refusal):
            sender.broken_off = True
            self._refuse(sender.address, answer.reason, calling=calling, called=called)
            event.assoc.acse.send_reject(*answer.value)
            event.assoc.kill()  # waits until it is said; the connection is closed next
            return
        sender.tenant, sender.calling = answer, calling
        event.assoc.acceptor.supported_contexts = contexts_for(request.presentation_context_definition_list)

    def _left(self, event: Event) -> None:
        """Let go at once of who went before asking for anything: a probe, mostly.

        pynetdicom would go on waiting for the request, and count it among the associations.
        """
        if event.assoc.requestor.primitive is None:
            event.assoc.dul.to_user_queue.put(None)  # type: ignore[arg-type]

    def _full(self, event: Event) -> None:
        """Take note of what pynetdicom refused by itself: more senders than may come."""
        sender = self._senders[event.assoc]
        sender.broken_off = True
        self._refuse(sender.address, "dicom.max_associations are open", calling=sender.calling)

    def _ended(self, association: Association) -> None:
        with self._lock:
            sender = self._senders.pop(association)
            self._held_bytes -= sender.held_bytes
        if sender.instances or sender.refused:
            self._observer.association_ended(
                instances=sender.instances, size_bytes=sender.size_bytes, refused=sender.refused
            )
            self._log(
                "dicom.received",
                tenant=sender.tenant,
                calling=sender.calling,
                instances=sender.instances,
                size_bytes=sender.size_bytes,
                refused=sender.refused or None,
                cut=None if association.is_released else "yes",
                seconds=time.monotonic() - sender.began_s,
            )

    def _failed(self, address: str, reason: str) -> None:
        self._refuse(address, reason)

    def _refuse(self, address: str, reason: str, **titles: str) -> None:
        self._observer.sender_refused()
        self._log("dicom.refused", **titles, address=address, reason=reason)

    # Messages

    def _came(self, event: Event) -> None:
        """Count what is in memory, and break off a sender that brings more than may be."""
        if not isinstance(event.pdu, P_DATA_TF):
            return
        sender = self._senders[event.assoc]
        size_bytes = sum(data_bytes(item.data) for item in event.pdu.presentation_data_value_items)
        with self._lock:
            sender.held_bytes += size_bytes
            self._held_bytes += size_bytes
            too_much = self._held_bytes > self._options.max_bytes and not sender.broken_off
            sender.broken_off |= too_much
        if too_much:
            reason = f"more than {self._options.max_bytes} bytes under way (dicom.max_bytes)"
            self._refuse(sender.address, reason, calling=sender.calling)
            event.assoc.network_timeout = 1.0  # it ends then, whether or not the sender has heard
            event.assoc.abort()

    def _stored(self, event: Event) -> int:
        """Answer C-STORE."""
        sender = self._senders[event.assoc]
        data = event.request.DataSet  # type: ignore[union-attr]
        content = data.getbuffer() if data else memoryview(b"")
        size_bytes = len(content)
        try:
            if sender.broken_off:
                raise Unavailable("broken off before it was whole")
            status, reason = self._kept(sender, event, content), ""
        except Mismatched as wrong:
            status, reason = MISMATCH, wrong.message
        except InputRejected as wrong:
            status, reason = NOT_UNDERSTOOD, wrong.message
        except Unavailable as missing:
            status, reason = OUT_OF_RESOURCES, missing.message
        except BedsideError as wrong:
            status, reason = NOT_UNDERSTOOD, wrong.message
        except Exception as surprise:  # noqa: BLE001 - a surprise of ours must not be "stored" nor "never again"
            where = traceback.extract_tb(surprise.__traceback__)[-1]
            status = OUT_OF_RESOURCES
            reason = f"{type(surprise).__name__} at {Path(where.filename).name}:{where.lineno}"
        finally:
            content.release()
            with self._lock:
                sender.held_bytes -= size_bytes
                self._held_bytes -= size_bytes
        if status == SUCCESS:
            sender.instances += 1
            sender.size_bytes += size_bytes
        else:
            sender.refused += 1
            if reason not in sender.reasons:  # a disk that is full is so for the whole study
                sender.reasons.add(reason)
                self._log(
                    "dicom.not_stored",
                    tenant=sender.tenant,
                    calling=sender.calling,
                    status=f"{status:04X}",
                    reason=reason,
                )
        return status

    def _kept(self, sender: Sender, event: Event, content: memoryview) -> int:
        if not self._doors.serves(sender.tenant):
            raise Unavailable("the tenant was closed while its studies came")
        request = event.request
        sent = SentInstance(
            sop_class_uid=str(request.AffectedSOPClassUID or ""),
            sop_instance_uid=str(request.AffectedSOPInstanceUID or ""),  # type: ignore[union-attr]
            transfer_syntax_uid=str(event.context.transfer_syntax),
            data=content,
        )
        self._keep(sender.tenant, sent)
        return SUCCESS
