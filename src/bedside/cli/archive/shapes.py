"""Exports as JSON values and table cells: one spelling for the commands that show them."""

from collections.abc import Mapping

from bedside.cli.output import coloured
from bedside.domain.export import Export, ExportState

COLOURS: Mapping[ExportState, str] = {
    ExportState.QUEUED: "yellow",
    ExportState.SENT: "blue",
    ExportState.STORED: "green",
    ExportState.FAILED: "red",
}


def export_cell(export: Export) -> str:
    """Return an export's state, in its colour."""
    return coloured(export.state.value, COLOURS[export.state])


def export_words(export: Export) -> str:
    """Return what is to be said of an export beside its state."""
    if export.reason:
        return export.reason
    return f"{export.stored} instances" if export.state is ExportState.STORED else ""


def export_json(export: Export) -> dict[str, object]:
    """Return an export for ``--json``."""
    return {
        "job": export.job_id,
        "state": export.state.value,
        "stored": export.stored,
        "refused": [{"instance": instance, "reason": reason} for instance, reason in export.refused],
        "attempts": export.attempts,
        "reason": export.reason,
        "not_before": export.not_before,
        "created_at": export.created_at,
        "changed_at": export.changed_at,
    }
