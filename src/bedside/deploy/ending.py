"""What happens around Terraform's removal: nobody writes meanwhile, and nothing comes back after it.

Terraform ends machines in an order of its own, after buckets were emptied: a worker that finishes its study
would write into one again, and AWS deletes no bucket with something in it.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from bedside.deploy.runner import Held
from bedside.errors import NotFound, Unavailable
from bedside.ports import Clock
from bedside.ports.cloud import Cloud

#: Longer than a machine may take to finish its work or give it back (the lifecycle hook's time).
PATIENCE_S = 20 * 60.0
POLL_S = 5.0
LOG_GROUP = "aws_cloudwatch_log_group"


def send_home(cloud: Cloud, clock: Clock, groups: Sequence[str], tell: Callable[[str], object]) -> None:
    """Let no group have a machine, and wait until none has.

    Args:
        cloud: The deployment's account and region.
        clock: Waits.
        groups: Names of groups of machines; those that are gone have none.
        tell: Takes what is waited for.

    Raises:
        Unavailable: Machines still run when patience ends.
    """
    for group in groups:
        with suppress(NotFound):
            cloud.rest_group(group)
    until = clock.now().timestamp() + PATIENCE_S
    while there := sum(_machines(cloud, group) for group in groups):
        if clock.now().timestamp() >= until:
            raise Unavailable(
                f"{there} machines still run {PATIENCE_S / 60:.0f} minutes after they were told to go: "
                "nothing was removed yet",
                hint="bedside deploy destroy, once more",
            )
        tell(f"waiting for {there} machines, which finish their work or give it back")
        clock.sleep(POLL_S)


def _machines(cloud: Cloud, group: str) -> int:
    try:
        return cloud.group(group).machines
    except NotFound:
        return 0


def remove_late_logs(cloud: Cloud, made: Iterable[Held], left: Iterable[Held]) -> int:
    """Remove log groups that came back: RDS makes its own anew for the last lines of a database that is gone.

    Args:
        cloud: The deployment's account and region.
        made: What was recorded.
        left: What Terraform still has, and removes itself.

    Returns:
        How many there were.
    """
    kept = {item.id for item in left if item.type == LOG_GROUP}
    names = {item.id for item in made if item.type == LOG_GROUP} - kept
    return sum(cloud.remove_logs(name) for name in sorted(names))
