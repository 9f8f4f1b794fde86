"""How the receiver listens."""

from dataclasses import dataclass

from bedside.adapters.dicomnet.tls import TlsFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverOptions:
    """How it listens.

    Attributes:
        address: Of this machine.
        port: 0 takes a free one.
        title: Said where a sender asks for none in particular.
        tls: Files, or None for the clear.
        max_associations: Most senders at a time.
        max_pdu_bytes: Largest message part.
        max_bytes: Most bytes in memory, of all senders together.
        timeout_s: Longest silence of a sender.
        grace_s: How long associations may go on after `DicomReceiver.stop_listening`.
    """

    address: str = "127.0.0.1"
    port: int = 0
    title: str = "BEDSIDE"
    tls: TlsFiles | None = None
    max_associations: int = 10
    max_pdu_bytes: int = 131_072
    max_bytes: int = 2**30
    timeout_s: float = 60.0
    grace_s: float = 0.0
