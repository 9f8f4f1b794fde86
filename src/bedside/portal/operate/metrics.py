"""The deployment's figures for Prometheus, at /metrics.

Needs a token of somebody who operates the whole deployment, or an address that the settings admit (decision
179). Labels are names of the configuration, digests of releases in service and words of ours: nobody's
patient, no tenant, and no more of them than the configuration has.
"""

import ipaddress
from collections.abc import Iterator

from fastapi import APIRouter, Depends, Request
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.responses import Response

from bedside import __version__
from bedside.domain.figures import STEPS, Spread
from bedside.domain.person import Right
from bedside.operate.crew import HandState
from bedside.operate.overview import Machine, Overview
from bedside.portal.access.need import at_root
from bedside.portal.here import here
from bedside.portal.operate.parts import InOperating

router = APIRouter(include_in_schema=False)

_engineer = at_root(Right.OPERATE)


async def scraper(request: Request) -> None:
    """Need an admitted address, or the right to operate the whole deployment."""
    admitted = here(request).deployment.settings.portal.metrics_from
    if not is_admitted(request.client.host if request.client else "", admitted):
        await _engineer(request)


scraper.right = Right.OPERATE  # type: ignore[attr-defined]  # read by the test that walks all routes


@router.get("/metrics", dependencies=[Depends(scraper)])
def metrics(request: Request, parts: InOperating) -> Response:
    """Return all figures in the text format that whoever asks prefers."""
    registry = CollectorRegistry()
    registry.register(_Figures(parts.overviews.look(None)))
    ProcessCollector(registry=registry)
    encode, kind = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), media_type=None, headers={"Content-Type": kind})


def is_admitted(address: str, networks: tuple[str, ...]) -> bool:
    """Whether an address lies in one of some networks."""
    try:
        at = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(at in ipaddress.ip_network(network, strict=False) for network in networks)


class _Figures(Collector):
    """Gives an overview's figures by the names that Prometheus' conventions ask for."""

    def __init__(self, seen: Overview) -> None:
        self._seen = seen

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        seen = self._seen
        yield InfoMetricFamily("bedside_build", "The version that answers.", value={"version": __version__})
        jobs = _gauge("bedside_jobs", "Jobs in each state.", "state")
        for state, count in sorted(seen.states.items()):
            jobs.add_metric([state.value], count)
        yield jobs
        waiting = _gauge("bedside_queue_jobs", "Jobs that wait in a pool, due or delayed.", "pool", "wait")
        oldest = _gauge("bedside_queue_oldest_seconds", "How long the longest waiting due job waits.", "pool")
        for queue in seen.queues:
            waiting.add_metric([queue.pool, "due"], queue.due)
            waiting.add_metric([queue.pool, "delayed"], queue.delayed)
            since = queue.waits_since
            oldest.add_metric([queue.pool], (seen.at - since).total_seconds() if since else 0.0)
        yield waiting
        yield oldest
        workers = _gauge("bedside_workers", "Workers with a job in hand, by how it goes.", "state")
        for how in HandState:
            workers.add_metric([how.value], sum(hand.state is how for hand in seen.hands))
        yield workers
        yield from self._times()
        failed = _gauge(
            "bedside_recent_failures",
            "Jobs that ended badly in the last 7 days.",
            "error",
            "state",
            "pipeline",
        )
        sums: dict[tuple[str, str, str], int] = {}
        for failure in seen.failures:
            key = (failure.error, failure.state.value, failure.pipeline)
            sums[key] = sums.get(key, 0) + failure.jobs
        for labels, count in sums.items():
            failed.add_metric(list(labels), count)
        yield failed
        spent = seen.spent
        yield _one("bedside_recent_results", "Results of the last 30 days.", sum(s.results for s in spent))
        yield _one("bedside_recent_cost_usd", "What these cost, as far as known.", sum(s.usd for s in spent))
        alarms = _gauge("bedside_alarms", "What needs a look: how many of each kind.", "kind", "level")
        for alarm in {a.kind: a for a in seen.alarms}.values():
            total = sum(max(a.count, 1) for a in seen.alarms if a.kind is alarm.kind)
            alarms.add_metric([alarm.kind.value, alarm.level.value], total)
        yield alarms
        if seen.machine is not None:
            yield from _of_machine(seen.machine)

    def _times(self) -> Iterator[Metric]:
        stages = _gauge(
            "bedside_stage_duration_seconds",
            "How long the steps of a stage took in the last 7 days.",
            *("pipeline", "stage", "step", "quantile"),
        )
        for times in self._seen.times:
            for step in STEPS:
                if step in times.steps:
                    _quantiles(stages, [times.pipeline, times.stage, step], times.steps[step])
        yield stages
        whole = _gauge(
            "bedside_job_duration_seconds",
            "How long jobs took from arrival to result in the last 7 days.",
            *("pipeline", "quantile"),
        )
        for pipeline, spread in self._seen.took.items():
            _quantiles(whole, [pipeline], spread)
        yield whole


def _of_machine(machine: Machine) -> Iterator[Metric]:
    service = _gauge(
        "bedside_release_in_service",
        "Releases that work, with their share of the studies.",
        *("pipeline", "stage", "role", "release", "version"),
    )
    for each in machine.in_service:
        promotion = each.promotion
        version = each.release.version if each.release else ""
        service.add_metric(
            [promotion.pipeline, promotion.stage, promotion.role.value, promotion.digest, version],
            promotion.share,
        )
    yield service
    if machine.disk is None:
        return
    yield _one("bedside_disk_free_bytes", "What is free of the disk.", machine.disk.free_bytes)
    yield _one("bedside_disk_size_bytes", "The disk.", machine.disk.total_bytes)
    if machine.disk.taken is not None:
        taken = _gauge("bedside_disk_taken_bytes", "What folders take, measured now and then.", "what")
        if machine.disk.taken.store_bytes is not None:
            taken.add_metric(["store"], machine.disk.taken.store_bytes)
        taken.add_metric(["releases"], machine.disk.taken.releases_bytes)
        taken.add_metric(["scratch"], machine.disk.taken.scratch_bytes)
        yield taken


def _gauge(name: str, help_: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_, labels=list(labels))


def _one(name: str, help_: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_, value=value)


def _quantiles(family: GaugeMetricFamily, labels: list[str], spread: Spread) -> None:
    family.add_metric([*labels, "0.5"], spread.p50_s)
    family.add_metric([*labels, "0.95"], spread.p95_s)
