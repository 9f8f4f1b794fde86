"""DICOM over the network: what receives C-STORE, and what asks C-ECHO.

The only code that knows pynetdicom.
"""

from bedside.adapters.dicomnet.doors import Called, Doors
from bedside.adapters.dicomnet.echo import echo
from bedside.adapters.dicomnet.options import ReceiverOptions
from bedside.adapters.dicomnet.receiver import DicomReceiver
from bedside.adapters.dicomnet.tls import TlsFiles, check_tls

__all__ = ["Called", "DicomReceiver", "Doors", "ReceiverOptions", "TlsFiles", "check_tls", "echo"]
