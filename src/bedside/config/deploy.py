"""The section ``[deploy]``: what a deployment on AWS is made of.

Each key is a variable of the Terraform root module in ``bedside/deploy/terraform``, by the same name,
so that what a person reads in one place is what the other says. Two are not: Terraform has no resource for
``blob_mounting``, and the file ``ledger_ca`` travels with the machines' software.
"""

from ipaddress import IPv4Network
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bedside.config.dicom import is_private

#: RDS and ECR take no hyphen at a name's end and no two in a row.
NAME = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
#: Shorter than AWS's shortest limit on names, less what the modules add to it.
NAME_CHARACTERS = 20
#: With these AWS's own parameters begin, and nobody else's may.
RESERVED = ("aws", "ssm")
POOL = r"^[a-z][a-z0-9-]{0,15}$"

#: As GitHub's tokens name a repository, with or without its numbers; no wildcard.
REPOSITORY = r"^$|^[A-Za-z0-9][A-Za-z0-9-]*(@[0-9]+/[A-Za-z0-9._-]+@[0-9]+|/[A-Za-z0-9._-]+)$"
PROVIDER = r"^$|^arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/token\.actions\.githubusercontent\.com$"

#: It stands in scripts and in nginx's configuration.
DOMAIN = r"^$|^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$"
#: The wheels that machines install are for x86: no Graviton, whose families have a g behind the number.
X86 = r"^[a-z]+[0-9]+([a-fh-z][a-z0-9-]*)?\.[a-z0-9-]+$"

#: A GPU release and its layers, twice: the next one is pulled while the old one is there.
LEAST_RELEASE_DISK_GB = 20

PoolName = Annotated[str, Field(pattern=POOL)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PoolSettings(_Table):
    """Machines that lease from one queue: none while there is nothing to do."""

    instance_types: tuple[str, ...] = Field(
        ("g4dn.xlarge",), min_length=1, description="Kinds of EC2 machine, the preferred one first."
    )
    gpu: bool = Field(True, description="Start from AWS's machine image for GPUs.")
    max: int = Field(1, ge=1, description="Most machines at a time.")
    spot: bool = Field(False, description="Spot machines: cheaper, and AWS may take them back.")
    warm_pool: int = Field(
        0, ge=0, description="Stopped machines kept ready, releases on their disks, which cost."
    )
    idle_s: int = Field(300, ge=0, description="A machine without work for this long removes itself.")
    permitted_wait_s: int = Field(
        0, ge=0, description="From zero machines a result may take this long, so that studies share a start."
    )
    start_s: int | None = Field(
        None,
        ge=0,
        description=(
            "How much of it is the start; unsaid: with a GPU 240, 120 with a release disk and 100 with a "
            "warm pool; without one 150, 110 and 90."
        ),
    )
    disk_gb: int = Field(100, ge=30, description="Size of the encrypted disk.")
    release_disk_gb: int = Field(
        0,
        ge=0,
        description="A disk that outlives machines and holds their releases, also for spot; 0 is none.",
    )
    release_disk_zones: int = Field(
        1, ge=1, description="So many zones have one each, and the pool's machines start in no other."
    )

    @model_validator(mode="after")
    def _no_warm_spot(self) -> "PoolSettings":
        if self.spot and self.warm_pool:
            raise ValueError("AWS refuses a warm pool of spot machines: set spot = false or warm_pool = 0")
        if self.warm_pool and len(self.instance_types) > 1:
            raise ValueError("AWS refuses a warm pool with a choice of instance_types: name one")
        if self.warm_pool and self.release_disk_gb:
            raise ValueError("a warm pool keeps releases on its machines' disks: set release_disk_gb = 0")
        if 0 < self.release_disk_gb < LEAST_RELEASE_DISK_GB:
            raise ValueError(
                f"release_disk_gb is {self.release_disk_gb}: a disk needs {LEAST_RELEASE_DISK_GB}, "
                "twice what the pool's releases take unpacked"
            )
        return self


class NightSettings(_Table):
    """When there are no machines, whatever waits."""

    stop: str = Field(description='Cron in UTC at which machines go, e.g. "0 20 * * *".')
    start: str = Field(description='Cron in UTC from which there may be machines, e.g. "0 5 * * *".')


class DeploySettings(_Table):
    """What `bedside deploy` makes on AWS."""

    name: str = Field(
        "bedside",
        pattern=NAME,
        max_length=NAME_CHARACTERS,
        description="Begins every resource's name and is its tag.",
    )
    region: str = Field("", description="AWS region; empty is that of the environment or profile.")
    state_bucket: str = Field(
        "", description="Bucket of Terraform's state; empty is bedside-state-ACCOUNT-REGION."
    )
    boundary_arn: str = Field(
        "",
        pattern=r"^$|^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$",
        description="Permissions boundary, a policy that no machine's role can exceed; empty is none.",
    )
    key_arn: str = Field("", description="KMS key that encrypts what is kept; empty is AWS's own.")
    cors_origins: tuple[str, ...] = Field((), description="Web pages that may upload, e.g. the portal's.")
    rejected_days: int = Field(30, ge=1, description="Days after which rejected input is deleted.")
    ledger_url: str = Field("", description="URL of an existing PostgreSQL; empty makes one on RDS.")
    ledger_class: str = Field("db.t4g.micro", description="Class of the RDS machine.")
    ledger_ca: str = Field(
        "",
        description="PEM file of who signed the database's certificate; empty is RDS's own, in bedside.",
    )
    pools: dict[PoolName, PoolSettings] = Field(
        default_factory=lambda: {"default": PoolSettings()},
        description="Machines by pool; a stage's `pool` names one.",
    )
    node_archive_key: str = Field("", description="Key in the bucket of the software a worker installs.")
    blob_mounting: bool = Field(
        True, description="Let the account's ECR repositories share layers, so that pushes send less."
    )
    backlog_threshold: int = Field(10, ge=1, description="Waiting jobs from which machines are added.")
    night: NightSettings | None = Field(None, description="When there are no machines at all.")
    control: bool = Field(
        False, description="A small machine that is always there: it takes in what arrives, behind HTTPS."
    )
    control_domain: str = Field(
        "",
        pattern=DOMAIN,
        description="Its name in DNS; agrees to the terms of Let's Encrypt, for HTTPS.",
    )
    control_acme_server: str = Field(
        "https://acme-v02.api.letsencrypt.org/directory",
        pattern=r"^https://[A-Za-z0-9.:/_-]+$",
        description="ACME directory of the authority that gives the certificate.",
    )
    control_cidrs: tuple[str, ...] = Field(
        (), description="Networks that may reach it by HTTPS, e.g. 192.0.2.0/24."
    )
    control_machine: str = Field("t3.small", pattern=X86, description="Its kind; the software is for x86.")
    dicom_from: tuple[str, ...] = Field(
        (), description="Networks that may send it studies by C-STORE; without any, nobody."
    )
    dicom_port: int = Field(11112, ge=1024, le=65535, description="Port that they connect to.")
    dicom_tls: bool = Field(
        True, description="They speak TLS, with the certificate of HTTPS; false for private networks only."
    )
    dicom_client_ca: str = Field(
        "",
        max_length=4096,
        pattern=r"^$|^\s*-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n -]*-----END CERTIFICATE-----\s*$",
        description="Authorities (PEM text) that senders' certificates must come from; empty asks none.",
    )
    manage_tenants: bool = Field(
        False,
        description="Machines may make and remove tenants with their buckets and groups, by `deploy run`.",
    )
    archive: bool = Field(False, description="Results into AWS HealthImaging.")
    datastore_id: str = Field("", description="HealthImaging datastore of yours; empty makes one.")
    identity: bool = Field(False, description="Sign-in through Cognito.")
    mfa: bool = Field(False, description="A second factor for sign-in.")
    alarm_email: str = Field("", description="Who is told of alarms.")
    daily_usd: float = Field(1.0, gt=0, description="An alarm when a day cost more.")
    log_days: int = Field(30, ge=1, description="Days that logs are kept.")
    github_repository: str = Field(
        "",
        pattern=REPOSITORY,
        description="OWNER@ID/NAME@ID (OWNER/NAME before July 2026) that may publish releases and deploy.",
    )
    oidc_provider_arn: str = Field(
        "", pattern=PROVIDER, description="GitHub's identity provider, where the account has one."
    )
    availability_zones: int = Field(2, ge=2, le=6, description="Zones that machines may start in.")

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name.startswith(RESERVED):
            raise ValueError(f"begins with {name[:3]}, which AWS keeps for parameters of its own")
        return name

    @field_validator("control_cidrs", "dicom_from")
    @classmethod
    def _networks(cls, cidrs: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(IPv4Network(cidr)) for cidr in cidrs)

    @model_validator(mode="after")
    def _complete(self) -> "DeploySettings":
        if not self.pools:
            raise ValueError("pools is empty: a deployment needs one")
        for name, pool in self.pools.items():
            if pool.release_disk_gb and pool.release_disk_zones > self.availability_zones:
                raise ValueError(
                    f"pools.{name}.release_disk_zones is {pool.release_disk_zones}, "
                    f"and there are {self.availability_zones} (availability_zones)"
                )
        if self.control and not self.control_domain:
            raise ValueError("control = true needs control_domain, the machine's name in DNS")
        if self.dicom_from and not self.control:
            raise ValueError("dicom_from needs control = true: the control machine receives")
        public = [cidr for cidr in self.dicom_from if not is_private(cidr)]
        if public and not self.dicom_tls:
            raise ValueError(
                f"dicom_tls = false, and {', '.join(public)} in dicom_from is not private: studies would "
                "cross the internet in the clear; set dicom_tls = true, or name the private networks of a VPN"
            )
        if self.dicom_client_ca and not self.dicom_tls:
            raise ValueError("dicom_client_ca means nothing where dicom_tls = false")
        if self.dicom_port == 8081:
            raise ValueError("dicom_port = 8081: there the machine is asked for its health; take another")
        if "events" in self.pools and len(self.pools) > 1:
            raise ValueError("pools.events: the queue of what arrives has this name; call the pool otherwise")
        if dead := [name for name in self.pools if f"-{name}".endswith(("-dead", "-failed"))]:
            raise ValueError(f"pools.{dead[0]}: queues of what was given up end so; call the pool otherwise")
        if self.control and "control" in self.pools:
            raise ValueError("pools.control: the control machine has this name; call the pool otherwise")
        return self
