"""From settings to a deployment: the only place that chooses adapters."""

from bedside.wiring.deployment import Deployment
from bedside.wiring.health import answering
from bedside.wiring.opening import ledger_state, open_deployment, worker_name
from bedside.wiring.registries import open_registries, pull_map
from bedside.wiring.store import open_store, place_of

__all__ = [
    "Deployment",
    "answering",
    "ledger_state",
    "open_deployment",
    "open_registries",
    "open_store",
    "place_of",
    "pull_map",
    "worker_name",
]
