"""Containers: stages that are MAPs, with podman, docker, runc, or nothing but the kernel."""

from bedside.adapters.containers.box import Engine, Held, Limits
from bedside.adapters.containers.choose import NAMES, choose_engine
from bedside.adapters.containers.runner import ContainerOptions, ContainerRunner

__all__ = ["NAMES", "ContainerOptions", "ContainerRunner", "Engine", "Held", "Limits", "choose_engine"]
