"""From settings to a deployment: the only place that chooses adapters.

Each name is imported when it is first asked for: opening a registry needs none of what a deployment
imports, which takes longer (0.12 s) than a whole ``bedside package`` of a small model may.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bedside.wiring.deployment import Deployment
    from bedside.wiring.dicom import receiving
    from bedside.wiring.health import answering
    from bedside.wiring.identity import open_identity
    from bedside.wiring.opening import ledger_state, open_deployment, worker_name
    from bedside.wiring.registries import open_registries, pull_map
    from bedside.wiring.store import open_store, place_of

#: Public name to the module that has it.
_PLACES = {
    "Deployment": "deployment",
    "answering": "health",
    "ledger_state": "opening",
    "open_deployment": "opening",
    "open_identity": "identity",
    "open_registries": "registries",
    "open_store": "store",
    "place_of": "store",
    "pull_map": "registries",
    "receiving": "dicom",
    "worker_name": "opening",
}

__all__ = [
    "Deployment",
    "answering",
    "ledger_state",
    "open_deployment",
    "open_identity",
    "open_registries",
    "open_store",
    "place_of",
    "pull_map",
    "receiving",
    "worker_name",
]


def __getattr__(name: str) -> Any:
    """Import the module that has a public name (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
