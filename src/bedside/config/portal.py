"""The section ``[portal]``: pages and API that `bedside serve` offers to browsers and scripts."""

from enum import StrEnum
from ipaddress import ip_network
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator


class KeptAddress(StrEnum):
    """What the audit trail keeps of an address on the network."""

    NETWORK = "network"  # the first 24 bits of version 4, the first 48 of version 6
    FULL = "full"
    NONE = "none"


class PortalSettings(BaseModel):
    """The portal: pages, API and DICOMweb of this deployment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    listen: str = Field(
        "127.0.0.1:8080",
        pattern=r"^$|^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$",
        description="HOST:PORT at which the portal answers; empty is no portal.",
    )
    url: str = Field(
        "",
        description="Its address as browsers see it, e.g. https://bedside.example; empty is http://LISTEN.",
    )
    proxies: tuple[str, ...] = Field(
        ("127.0.0.1",), description="Addresses of proxies before it, whose X-Forwarded-For is believed."
    )
    session_idle_s: float = Field(
        3600.0, ge=60, description="A browser in which nobody does anything for so long is signed out."
    )
    session_longest_s: float = Field(
        43200.0, ge=60, description="Whoever signed in signs in again after so long."
    )
    sign_up: bool = Field(
        False, description="Whether people may ask for an account; an administrator approves it."
    )

    second_factor_for: tuple[Literal["viewer", "clinician", "engineer", "admin"], ...] = Field(
        (), description="Roles whose people must set up a second factor."
    )
    archives: tuple[str, ...] = Field(
        (),
        description="Folders, or s3://BUCKET/PREFIX, into which administrators may archive tenants; "
        "empty is nowhere.",
    )
    audit_address: KeptAddress = Field(
        KeptAddress.NETWORK,
        description="What the audit trail keeps of addresses: network (10.1.2.0/24), full, none.",
    )
    metrics_from: tuple[str, ...] = Field(
        (),
        description="Addresses or networks that may read /metrics without a token, e.g. 10.0.0.0/8.",
    )
    images_bytes: int = Field(
        8 * 2**30,
        ge=0,
        description="Most bytes below .work/viewing, where images that people look at are kept for a day.",
    )

    @field_validator("url")
    @classmethod
    def _url(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/")):
            raise ValueError("an address is http:// or https://, a host, perhaps a port, and no path")
        return url.rstrip("/")

    @field_validator("metrics_from")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            ip_network(network, strict=False)
        return networks

    @property
    def address(self) -> str:
        """Where browsers find it, without a slash at the end."""
        return self.url or f"http://{self.listen}"

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach it by https, so that cookies may say so."""
        return self.url.startswith("https://")
