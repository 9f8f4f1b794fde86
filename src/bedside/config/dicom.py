"""The section ``[dicom]``: the receiver of C-STORE that `bedside serve` starts.

Closed by default: no port, this machine only. A calling AE title proves nothing, since whoever sends
chooses it; networks and TLS do, so a network that is not private must use TLS.
"""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bedside.domain.tenant import name_of
from bedside.errors import UsageError

#: Networks that are not part of the internet: RFC 1918, 6598, 4193, 4291, this machine.
PRIVATE = (
    ip_network("10.0.0.0/8"),
    ip_network("172.16.0.0/12"),
    ip_network("192.168.0.0/16"),
    ip_network("100.64.0.0/10"),
    ip_network("127.0.0.0/8"),
    ip_network("fc00::/7"),
    ip_network("fe80::/10"),
    ip_network("::1/128"),
)


#: What may be an AE title: 1 to 16 printable characters but the backslash, spaces within. See PS3.5 6.2.
AE_TITLE = r"^[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?$"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def is_private(network: str) -> bool:
    """Whether no address of a network is reachable through the internet.

    Raises:
        ValueError: It is none.
    """
    found = ip_network(network)
    if isinstance(found, IPv4Network):
        return any(isinstance(p, IPv4Network) and found.subnet_of(p) for p in PRIVATE)
    return any(isinstance(p, IPv6Network) and found.subnet_of(p) for p in PRIVATE)


def _networks(networks: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(ip_network(network)) for network in networks)


class AeSettings(_Table):
    """An AE title that senders call, whose drop-box what they send comes to, and who they are."""

    title: str = Field(pattern=AE_TITLE, description="The AE title that senders call.")
    tenant: str = Field("", description="Whose drop-box it fills; empty is the first of system.tenants.")
    calling: tuple[str, ...] = Field((), description="AE titles that may call it; empty is any.")
    networks: tuple[str, ...] = Field(
        (), description="Networks that may call it, e.g. 192.0.2.0/24; empty is all of dicom.networks."
    )

    _check_networks = field_validator("networks")(_networks)

    @field_validator("tenant")
    @classmethod
    def _tenant(cls, tenant: str) -> str:
        try:
            return name_of(tenant) if tenant else ""
        except UsageError as exc:
            raise ValueError(exc.message) from exc

    @field_validator("calling")
    @classmethod
    def _titles(cls, titles: tuple[str, ...]) -> tuple[str, ...]:
        for title in titles:
            if not 1 <= len(title) <= 16 or title != title.strip():
                raise ValueError(f"{title!r} is no AE title: 1 to 16 characters, no space at either end")
        return titles


class DicomSettings(_Table):
    """What `bedside serve` receives by C-STORE, from whom, and for whom."""

    port: int = Field(0, ge=0, le=65535, description="Port that senders connect to, often 11112; 0 is off.")
    address: str = Field("127.0.0.1", description="Address it listens on; 0.0.0.0 is every one of IPv4.")
    networks: tuple[str, ...] = Field(
        ("127.0.0.0/8", "::1/128"), description="Networks that may send at all, e.g. 192.0.2.0/24."
    )
    ae: tuple[AeSettings, ...] = Field(
        (AeSettings(title="BEDSIDE"),), description="AE titles that senders call, and their tenants."
    )
    tls_certificate: str = Field("", description="File of the certificate, PEM; empty is without TLS.")
    tls_key: str = Field("", description="File of its private key, PEM.")
    tls_client_ca: str = Field(
        "", description="File of the authorities that senders' certificates must come from; empty asks none."
    )
    max_associations: int = Field(10, ge=1, le=200, description="Most senders at a time.")
    max_pdu_bytes: int = Field(131_072, ge=4096, le=2**20, description="Largest message part (PDU).")
    max_bytes: int = Field(
        2**30, ge=2**20, description="Most bytes in memory: of one instance, and of all that are under way."
    )
    min_free_bytes: int = Field(
        2**30, ge=0, description="With less free disk nothing is taken, and senders try again."
    )
    timeout_s: float = Field(60.0, gt=0, description="A sender that is silent for so long is let go.")

    _check_networks = field_validator("networks")(_networks)

    @field_validator("address")
    @classmethod
    def _address(cls, address: str) -> str:
        return str(ip_address(address))

    @model_validator(mode="after")
    def _meant(self) -> "DicomSettings":
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("tls_certificate and tls_key go together: one of them is missing")
        if self.tls_client_ca and not self.tls_certificate:
            raise ValueError("tls_client_ca means nothing without tls_certificate")
        titles = [ae.title for ae in self.ae]
        if not titles or len(set(titles)) < len(titles):
            raise ValueError("each [[dicom.ae]] needs a title of its own, and there must be one")
        public = [network for network in self.networks if not is_private(network)]
        if self.port and public and not self.tls_certificate:
            raise ValueError(
                f"{', '.join(public)} in networks is not private, and studies would travel unencrypted: "
                "set tls_certificate and tls_key, or name the private networks of a VPN"
            )
        return self
