"""Layers that repositories share: asked for where it helps, and never the end of an apply."""

from typing import cast

import pytest

from bedside.config import DeploySettings
from bedside.deploy.layers import share_layers
from bedside.deploy.runner import Held
from bedside.errors import BedsideError, ConfigError, Unavailable
from bedside.ports.cloud import Caller, Cloud

REGISTRY = [Held(address="r", type="aws_ecr_repository", id="ward", arn="arn:aws:ecr:r:1:repository/ward")]


class Account:
    """An account whose registry shares no layers yet."""

    region = "eu-west-1"
    shared = False
    refusal: BedsideError | None = None

    def caller(self) -> Caller:
        return Caller(account="1", arn="arn:aws:iam::1:user/eva")

    def share_layers(self) -> bool:
        if self.refusal:
            raise self.refusal
        new, self.shared = not self.shared, True
        return new


def said(account: Account, settings: DeploySettings, held: list[Held]) -> str:
    return share_layers(cast(Cloud, account), settings, held)


def test_it_is_asked_for_once_and_told_once() -> None:
    account = Account()
    first = said(account, DeploySettings(), REGISTRY)
    assert first.startswith("repositories of account 1, eu-west-1 may share layers now")
    assert said(account, DeploySettings(), REGISTRY) == ""


def test_nobody_is_asked_without_a_repository_or_where_the_settings_say_no() -> None:
    account = Account()
    assert said(account, DeploySettings(), []) == ""
    assert said(account, DeploySettings(blob_mounting=False), REGISTRY) == ""
    assert not account.shared


@pytest.mark.parametrize("kind", [ConfigError, Unavailable])
def test_a_refusal_is_told_and_ends_nothing(kind: type[BedsideError]) -> None:
    account = Account()
    account.refusal = kind("user eva is not allowed ecr:PutAccountSetting", hint="x")
    told = said(account, DeploySettings(), REGISTRY)
    assert "not allowed ecr:PutAccountSetting" in told and "deploy.blob_mounting = false" in told
