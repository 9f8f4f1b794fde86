"""The sections ``[notify]`` and ``[metrics]``: who is told of what, and where numbers go."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal[
    "job.dead",
    "job.rejected",
    "input.rejected",
    "release.promoted",
    "release.rolled_back",
    "worker.gone",
    "archive.refused",
]


class NotifySettings(BaseModel):
    """Who is told when something needs a person; every channel that is set gets every notice."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: tuple[Kind, ...] = Field((), description="What is told; empty is everything.")
    digest_s: float = Field(
        600.0, ge=0, description="One message of a kind in this time; what follows it comes as a digest."
    )
    log: bool = Field(False, description="Write notices into the log.")
    topic_arn: str = Field("", description="SNS topic; empty is none.")
    webhook_url: str = Field("", description="Web address that notices are sent to as JSON; empty is none.")
    webhook_secret: str = Field(
        "", description="Signs what is sent there: whsec_ and base64, or 24 bytes and more."
    )
    webhook_secret_file: str = Field("", description="File that holds it, instead.")
    email_to: tuple[str, ...] = Field((), description="Addresses that get mails; empty is none.")
    email_from: str = Field("", description="Address that mails come from.")
    smtp_host: str = Field(
        "", description="Mail server; also for invitations and forgotten passwords of the portal."
    )
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port; 465 goes with tls.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="TLS; none is for a server of this machine only."
    )
    smtp_user: str = Field("", description="Name to log in with; empty is without.")
    smtp_password: str = Field("", description="Its password.")
    smtp_password_file: str = Field("", description="File that holds it, instead.")


class MetricsSettings(BaseModel):
    """Where counts and times of jobs go."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sink: Literal["none", "log", "emf"] = Field(
        "none", description="Nowhere, the log, or lines of CloudWatch's embedded metric format."
    )
    file: str = Field("", description="File that such lines are added to; empty is standard output.")
    deployment: str = Field("", description="Name in metrics and notices; empty is deploy.name.")
