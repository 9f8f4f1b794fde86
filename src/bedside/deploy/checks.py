"""What is asked of AWS before anything is made: may it work at all?

Owns the questions and their words. A missing quota is found here in a second, and otherwise an hour
later by machines that never start.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bedside.config import DeploySettings, PoolSettings
from bedside.config.authorities import rds_regions
from bedside.ports.cloud import Cloud

#: As `availability_zones` permits.
MOST_ZONES = 6
_QUOTA_PAGE = "https://console.aws.amazon.com/servicequotas/home/services/ec2/quotas"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One answer.

    Attributes:
        ok: Whether it is good; None where nobody can say.
        text: What was found, with the numbers.
        mend: What to do where it is not good.
    """

    ok: bool | None
    text: str
    mend: str = ""


def findings(cloud: Cloud, settings: DeploySettings) -> Iterator[Finding]:
    """Ask one question after the other.

    Raises:
        ConfigError: There are no credentials, or a question is not permitted.
        Unavailable: AWS does not answer.
    """
    caller = cloud.caller()
    yield Finding(ok=True, text=f"account {caller.account}, as {caller.arn}")
    if cloud.region in cloud.regions():
        yield Finding(ok=True, text=f"region {cloud.region} is enabled")
    else:
        yield Finding(
            ok=False,
            text=f"region {cloud.region} is not enabled in account {caller.account}",
            mend=f"aws account enable-region --region-name {cloud.region}",
        )
        return
    if not settings.ledger_url and not settings.ledger_ca and cloud.region not in rds_regions():
        yield Finding(
            ok=False,
            text=f"database: bedside has no certificate authority of RDS in {cloud.region}",
            mend="download https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
            " and name that file as deploy.ledger_ca",
        )
    for name, pool in settings.pools.items():
        yield from _machines(cloud, settings, name, pool)
    if settings.control:
        yield from _control(cloud, settings)
    if settings.archive:
        there = cloud.has_imaging()
        yield Finding(
            ok=there,
            text=f"HealthImaging {'is' if there else 'does not exist'} in {cloud.region}",
            mend="" if there else "set deploy.archive = false, or deploy.region to us-east-1 or eu-west-1",
        )


def _control(cloud: Cloud, settings: DeploySettings) -> Iterator[Finding]:
    kind, domain = settings.control_machine, settings.control_domain
    if not cloud.vcpus((kind,)):
        yield Finding(
            ok=False,
            text=f"control machine: {kind} does not exist in {cloud.region}",
            mend="set deploy.control_machine to a kind that the region has",
        )
        return
    place = _Place(
        who="control machine",
        kinds=(kind,),
        zones=settings.availability_zones,
        kinds_key="deploy.control_machine",
    )
    yield from _zones(cloud, place)
    if settings.control_cidrs:
        yield Finding(
            ok=True, text=f"control machine: {kind}, {domain} for {', '.join(settings.control_cidrs)}"
        )
    else:
        yield Finding(
            ok=None,
            text=f"control machine: deploy.control_cidrs is empty, so nobody can reach {domain}",
            mend="set deploy.control_cidrs to the networks of its users",
        )
    if settings.dicom_from:
        how = "with TLS" if settings.dicom_tls else "in the clear"
        asked = ", who show a certificate" if settings.dicom_client_ca else ""
        where = f"{domain}:{settings.dicom_port}"
        yield Finding(
            ok=True, text=f"studies by C-STORE: {where} {how}, from {', '.join(settings.dicom_from)}{asked}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Machines and the zones they may start in: the region's first ones.

    Attributes:
        who: In words.
        kinds: Of machine.
        zones: How many.
        kinds_key: Setting of the kinds.
        zones_key: Setting of the number.
    """

    who: str
    kinds: Sequence[str]
    zones: int
    kinds_key: str
    zones_key: str = "deploy.availability_zones"


def _zones(cloud: Cloud, place: _Place) -> Iterator[Finding]:
    """Say where a kind is not offered: AWS has some in some zones only, and tries the others in vain."""
    there = cloud.zones()
    chosen = there[: place.zones]
    offered = {kind: [zone for zone in cloud.zones_of(kind) if zone in there] for kind in place.kinds}
    lost = not any(zone in chosen for zones in offered.values() for zone in zones)
    for kind, zones in offered.items():
        usable = [zone for zone in chosen if zone in zones]
        if usable == list(chosen):
            continue
        of_them = f"only {', '.join(usable)} of" if usable else "none of"
        needed = next((number for number, zone in enumerate(there, 1) if zone in zones), MOST_ZONES + 1)
        more = f"set {place.zones_key} = {needed}, or " if not usable and needed <= MOST_ZONES else ""
        yield Finding(
            ok=False if lost else None,
            text=f"{place.who}: {of_them} {', '.join(chosen)} has {kind}, which is in {', '.join(zones)}",
            mend=f"{more}set {place.kinds_key} to kinds that they have" if lost else "",
        )


def _machines(cloud: Cloud, settings: DeploySettings, name: str, pool: PoolSettings) -> Iterator[Finding]:
    vcpus = cloud.vcpus(pool.instance_types)
    if missing := [kind for kind in pool.instance_types if kind not in vcpus]:
        yield Finding(
            ok=False,
            text=f"pool {name}: {', '.join(missing)} does not exist in {cloud.region}",
            mend=f"set deploy.pools.{name}.instance_types to kinds that the region has",
        )
        return
    key = f"deploy.pools.{name}"
    place = _Place(
        who=f"pool {name}",
        kinds=pool.instance_types,
        zones=settings.availability_zones,
        kinds_key=f"{key}.instance_types",
    )
    if pool.release_disk_gb:  # it is held to where its disks are
        place = replace(place, zones=pool.release_disk_zones, zones_key=f"{key}.release_disk_zones")
    yield from _zones(cloud, place)
    kind = "spot" if pool.spot else "on-demand"
    for machine in pool.instance_types:
        needed = pool.max * vcpus[machine]
        needs = f"pool {name}: {pool.max} × {machine} need {needed} {kind} vCPUs"
        quota = cloud.quota_vcpus(machine, spot=pool.spot)
        if quota is None:
            yield Finding(ok=None, text=f"{needs}; the quota is not known", mend=f"look it up: {_QUOTA_PAGE}")
        else:
            yield Finding(
                ok=quota >= needed,
                text=f"{needs}, the quota is {quota:g}",
                mend="" if quota >= needed else f"ask AWS for {needed} vCPUs: {_QUOTA_PAGE}",
            )
