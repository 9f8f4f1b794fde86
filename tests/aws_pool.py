"""A group of machines of the deployment: emulated EC2 starts them, so that they have an id and user data."""

from dataclasses import dataclass, field
from typing import Any

from clouds import Cloud


@dataclass(kw_only=True)
class Pool:
    """One auto scaling group.

    Attributes:
        cloud: The emulator.
        group: Its name, as Terraform's outputs say it.
    """

    cloud: Cloud
    group: str
    _taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._client = self.cloud.client("autoscaling")

    def desired(self) -> int:
        """Return how many machines the group should have."""
        return int(self._found()["DesiredCapacity"])

    def machines(self) -> list[str]:
        """Return the ids of the group's machines."""
        return [machine["InstanceId"] for machine in self._found()["Instances"]]

    def empty(self) -> None:
        """Let the group have no machine."""
        self._client.set_desired_capacity(AutoScalingGroupName=self.group, DesiredCapacity=0)

    def take(self) -> str:
        """Return the id of a machine that was not taken before; the group starts one where it has none."""
        free = set(self.machines()) - self._taken
        if not free:
            wanted = self.desired() + 1
            assert wanted <= self._found()["MaxSize"], "Terraform permits so many machines"
            self._client.set_desired_capacity(AutoScalingGroupName=self.group, DesiredCapacity=wanted)
            free = set(self.machines()) - self._taken
        instance = free.pop()
        self._taken.add(instance)
        return instance

    def leave(self, instance: str) -> None:
        """Take a machine out, as its own command does."""
        self._client.terminate_instance_in_auto_scaling_group(
            InstanceId=instance, ShouldDecrementDesiredCapacity=True
        )

    def lose(self, instance: str) -> None:
        """Let a machine end by itself: the group starts another one in its place."""
        self._client.terminate_instance_in_auto_scaling_group(
            InstanceId=instance, ShouldDecrementDesiredCapacity=False
        )

    def _found(self) -> dict[str, Any]:
        groups = self._client.describe_auto_scaling_groups(AutoScalingGroupNames=[self.group])
        found: dict[str, Any] = groups["AutoScalingGroups"][0]
        return found
