"""Stores that live as long as the process, for tests."""
