"""Stages run as child processes of the worker: warm ones for bundles, one per run for commands."""

from bedside.adapters.process.bundle import ChildOptions, ChildRunner
from bedside.adapters.process.command import CommandRunner

__all__ = ["ChildOptions", "ChildRunner", "CommandRunner"]
