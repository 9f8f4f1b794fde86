"""Lets ``python -m bedside`` stand for the ``bedside`` command."""

import sys

from bedside.cli.main import program

sys.exit(program())
