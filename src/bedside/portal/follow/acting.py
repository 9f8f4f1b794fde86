"""What people do to jobs, noted with who did it. Rights are the routes' to ask for."""

from bedside.following import acts
from bedside.portal.access.need import Place
from bedside.portal.access.trail import note
from bedside.portal.follow.shapes import JobShape
from bedside.portal.follow.shaping import job_shape


def retry(place: Place, job_id: str) -> JobShape:
    """Send a job again, or run it anew.

    Raises:
        NotFound: There is no such job in the tenant.
        UsageError: It has not ended.
    """
    deployment = place.here.deployment
    job = deployment.ledger.job(place.tenant, job_id)
    queued = acts.retry(deployment.ledger, job, deployment.clock.now())
    _note(place, "job.retried", job_id, {"run": queued.id, "from": job.state.value})
    return job_shape(queued)


def cancel(place: Place, job_id: str) -> JobShape:
    """Stop a job.

    Raises:
        NotFound: There is no such job in the tenant.
        UsageError: It has ended.
    """
    deployment = place.here.deployment
    cancelled = deployment.ledger.cancel(place.tenant, job_id, deployment.clock.now())
    _note(place, "job.cancelled", job_id, {})
    return job_shape(cancelled)


def prioritise(place: Place, job_id: str, priority: int) -> JobShape:
    """Change a job's place in line.

    Raises:
        NotFound: There is no such job in the tenant.
        UsageError: It is not queued.
    """
    deployment = place.here.deployment
    before = deployment.ledger.job(place.tenant, job_id).priority
    changed = deployment.ledger.set_priority(place.tenant, job_id, priority, deployment.clock.now())
    _note(place, "job.prioritised", job_id, {"from": str(before), "to": str(priority)})
    return job_shape(changed)


def _note(place: Place, action: str, job_id: str, detail: dict[str, str]) -> None:
    note(place.here, place.caller, action, tenant=place.tenant, object=job_id, detail=detail)
