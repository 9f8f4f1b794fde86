"""Bulletins to a topic of SNS, which brings them to whoever subscribed: mails, queues, web addresses.

People get the text, programs the JSON. Attributes name the kind and the deployment, so that a
subscription can choose by its filter policy without reading either.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from bedside.adapters.aws.clients import LateClient, make_client
from bedside.adapters.aws.errors import as_ours
from bedside.domain.notice import Bulletin
from bedside.errors import ConfigError, NotFound

_ARN = re.compile(r"arn:aws[a-z-]*:sns:(?P<region>[a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_-]{1,256}")


class SnsTopic:
    """One topic. The role needs ``sns:Publish`` on it and nothing more.

    Args:
        arn: Of the topic; its region is in it, and may be another than the machine's.

    Raises:
        ConfigError: It is no ARN of a standard topic.
    """

    def __init__(self, arn: str) -> None:
        found = _ARN.fullmatch(arn)
        if found is None:
            raise ConfigError(
                f"notify.topic_arn: {arn!r} is not arn:aws:sns:REGION:ACCOUNT:TOPIC",
                hint="bedside config show",
            )
        self._arn = arn
        region = found["region"]
        self._client: Callable[[], Any] = LateClient(lambda: make_client("sns", region=region))

    def send(self, bulletin: Bulletin) -> None:
        """Hand a bulletin over. See `bedside.ports.notifier.Notifier.send`."""
        told = json.dumps(bulletin.to_json())
        said = {"default": bulletin.text, "sms": bulletin.subject}
        said |= dict.fromkeys(("sqs", "lambda", "http", "https", "firehose"), told)
        attributes = {"kind": bulletin.kind.value, "deployment": bulletin.deployment, "bulletin": bulletin.id}
        try:
            with as_ours("topic: cannot publish"):
                self._client().publish(
                    TopicArn=self._arn,
                    Subject=bulletin.subject,
                    Message=json.dumps(said),
                    MessageStructure="json",
                    MessageAttributes={
                        name: {"DataType": "String", "StringValue": value}
                        for name, value in attributes.items()
                    },
                )
        except NotFound as missing:
            raise ConfigError(
                "topic: there is no such topic in this account", hint="bedside config show"
            ) from missing
