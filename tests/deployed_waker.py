"""The waker as it is deployed: its own zip, handler and variables, called by the rules of EventBridge.

moto keeps functions and calls them in containers, which a test cannot count on, and lets EventBridge bring
events to queues only. Here the function's own bytes are run in this process, by the rules that match, and
only where the function's policy lets that rule in.
"""

import io
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clouds import REGION

#: What the schedule gives it.
MINUTE = {"source": "aws.events"}


class Waker:
    """A function that emulated Lambda holds.

    Args:
        name: Its name.
        folder: Takes what is in its zip.

    Attributes:
        calls: By which source it was called, and what it did about each pool.
        failures: What it raised where EventBridge called it.
    """

    def __init__(self, name: str, folder: Path) -> None:
        from moto.awslambda.models import lambda_backends
        from moto.core import DEFAULT_ACCOUNT_ID

        self._kept = lambda_backends[DEFAULT_ACCOUNT_ID][REGION].get_function(name)
        with zipfile.ZipFile(io.BytesIO(self._kept.code_bytes)) as archive:
            archive.extractall(folder)
        self._folder = folder
        self._one_at_a_time = threading.RLock()
        self.fresh()

    def fresh(self) -> None:
        """Forget what an execution environment remembers: after a quiet hour Lambda makes a new one."""
        module, _, function = self._kept.handler.partition(".")
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(self._folder)
            sys.modules.pop(module, None)
            invalidate_caches()
            self._module = import_module(module)
        self._handler: Callable[[Any, object], dict[str, str]] = getattr(self._module, function)
        sys.modules.pop(module)
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.failures: list[Exception] = []

    def stop_clock(self) -> None:
        """Let all that happens from now on happen within the seconds in which it asks no group again."""
        now = time.monotonic()
        self._module.time = SimpleNamespace(**{**vars(time), "monotonic": lambda: now})  # type: ignore[attr-defined]

    @property
    def arn(self) -> str:
        return str(self._kept.function_arn)

    def call(self, event: dict[str, Any]) -> dict[str, str]:
        """Call it; return what it did about each pool."""
        with self._one_at_a_time, pytest.MonkeyPatch.context() as environment:
            for name, value in self._kept.environment_vars.items():
                environment.setenv(name, value)
            done = self._handler(event, None)
            self.calls.append((event["source"], done))
        return done

    def admits(self, rule: str) -> bool:
        """Whether its policy lets a rule of EventBridge call it."""
        return any(
            statement["Principal"] == {"Service": "events.amazonaws.com"}
            and statement["Condition"] == {"ArnLike": {"AWS:SourceArn": rule}}
            for statement in self._kept.policy.statements
        )

    def listen(self, patch: pytest.MonkeyPatch) -> None:
        """Be called by EventBridge's rules from now on, until the patch is undone."""
        from moto.events.models import Rule

        send = Rule.send_to_targets

        def send_to_targets(rule: Any, event: Any, transform_input: bool = True) -> None:
            if rule.scheduled_expression:
                return  # it has no pattern; moto would take that for one that everything matches
            ours = [target for target in rule.targets if target["Arn"] == self.arn]
            if ours and rule.event_pattern.matches_event(event):
                try:
                    assert self.admits(rule.arn), "the function's policy admits the rule"
                    self.call(event)
                except Exception as error:  # noqa: BLE001 - an event's sender never hears of it
                    self.failures.append(error)
            elif not ours:
                send(rule, event, transform_input)

        patch.setattr(Rule, "send_to_targets", send_to_targets)
