"""Who did what: the audit trail for administrators, as a page, for scripts, and as a file."""
