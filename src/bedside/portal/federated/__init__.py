"""Signing in by an identity provider: the browser is sent there, and what it comes back with is checked."""
