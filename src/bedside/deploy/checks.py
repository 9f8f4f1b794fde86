"""What is asked of AWS before anything is made: may it work at all?

Owns the questions and their words. A missing quota is found here in a second, and otherwise an hour
later by machines that never start.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
    yield from _zones(
        cloud, "control machine", (kind,), settings.availability_zones, "deploy.control_machine"
    )
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


def _zones(cloud: Cloud, who: str, kinds: Sequence[str], most: int, setting: str) -> Iterator[Finding]:
    """Say where a kind is not offered: AWS has some of them in some zones only, and tries each in vain."""
    there = cloud.zones()
    chosen = there[:most]
    for kind in kinds:
        offered = [zone for zone in cloud.zones_of(kind) if zone in there]
        if set(chosen) <= set(offered):
            continue
        where = f"{who}: of the zones {', '.join(chosen)} {{}} {kind}, which is in {', '.join(offered)}"
        if usable := set(chosen) & set(offered):
            yield Finding(ok=None, text=where.format(f"only {', '.join(sorted(usable))} offers"))
            continue
        needed = next((number for number, zone in enumerate(there, 1) if zone in offered), None)
        more = f"set deploy.availability_zones = {needed}, or " if needed and needed <= MOST_ZONES else ""
        yield Finding(
            ok=False, text=where.format("none offers"), mend=f"{more}set {setting} to a kind that they have"
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
    # Its release disks hold it to the first of them.
    most = pool.release_disk_zones if pool.release_disk_gb else settings.availability_zones
    yield from _zones(cloud, f"pool {name}", pool.instance_types, most, f"deploy.pools.{name}.instance_types")
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
