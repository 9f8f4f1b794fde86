"""Stages run as child processes of the worker."""
