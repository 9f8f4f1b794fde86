"""Whom a deployment serves: tenants made, shown, and ended with everything of theirs."""
