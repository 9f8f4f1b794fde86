"""The ledger on SQLite or PostgreSQL."""

from bedside.adapters.sql.ledger import SqlLedger

__all__ = ["SqlLedger"]
