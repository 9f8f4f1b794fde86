"""The section ``[serve]``: what `bedside serve` answers to."""

from pydantic import BaseModel, ConfigDict, Field


class ServeSettings(BaseModel):
    """What `bedside serve` answers to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    health: str = Field(
        "",
        pattern=r"^$|^[A-Za-z0-9.-]+:[0-9]{1,5}$",
        description="HOST:PORT at which GET /health says whether it works; empty is nowhere.",
    )
