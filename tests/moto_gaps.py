"""What moto forgets or makes up, answered as AWS does, so that a second plan can be demanded to be empty.

Each gap is closed where moto keeps its state, not in what Terraform reads: whoever asks hears the same. Where
moto closes one itself some day, the lines here are merely superfluous. Why here and not in the expectation
stands in decision 104.
"""

import json
from typing import Any

import pytest


def complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """Close every gap until the patch is undone."""
    for close in (
        _budgets,
        _queues,
        _announcements,
        _transport,
        _parameters,
        _firewall_rules,
        _launch_templates,
        _hooks,
        _scaling_policies,
        _functions,
    ):
        close(monkeypatch)


def _budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell a budget's tags and subscribers, which are taken and never told: the provider asks for minutes."""
    from moto.budgets.responses import BudgetsResponse

    tags: dict[str, Any] = {}
    subscribers: dict[str, Any] = {}
    create, notify = BudgetsResponse.create_budget, BudgetsResponse.create_notification

    def create_budget(self: Any) -> str:
        tags[self._get_param("Budget")["BudgetName"]] = self._get_param("ResourceTags", [])
        return create(self)

    def create_notification(self: Any) -> str:
        subscribers[self._get_param("BudgetName")] = self._get_param("Subscribers")
        return notify(self)

    def list_tags_for_resource(self: Any) -> str:
        return json.dumps({"ResourceTags": tags[self._get_param("ResourceARN").rpartition("budget/")[2]]})

    def describe_subscribers_for_notification(self: Any) -> str:
        return json.dumps({"Subscribers": subscribers[self._get_param("BudgetName")]})

    for answer in (
        create_budget,
        create_notification,
        list_tags_for_resource,
        describe_subscribers_for_notification,
    ):
        monkeypatch.setattr(BudgetsResponse, answer.__name__, answer, raising=False)


def _queues(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell who may leave dead letters, which is kept and refused to tell, and policies without spaces."""
    from moto.sqs.models import Queue

    told = Queue.attributes.fget

    def attributes(self: Any) -> dict[str, Any]:
        found: dict[str, Any] = told(self)
        if found.get("RedrivePolicy"):
            found["RedrivePolicy"] = json.dumps(json.loads(found["RedrivePolicy"]), separators=(",", ":"))
        if getattr(self, "redrive_allow_policy", ""):
            found["RedriveAllowPolicy"] = self.redrive_allow_policy
        return found

    monkeypatch.setattr(Queue, "attributes", property(attributes))
    # What may be asked for by its name; those that are no attribute of every queue stand here.
    monkeypatch.setattr(Queue, "KMS_ATTRIBUTES", [*Queue.KMS_ATTRIBUTES, "RedriveAllowPolicy"])
    monkeypatch.setattr(Queue, "redrive_allow_policy", "", raising=False)


def _announcements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell that a bucket's events go to EventBridge, which is kept and acted upon."""
    from moto.s3.responses import S3Response

    told = S3Response.get_bucket_notification

    def get_bucket_notification(self: Any) -> Any:
        status, headers, body = told(self)
        kept = self.backend.get_bucket_notification_configuration(self.bucket_name)
        if kept and kept.event_bridge is not None:
            end = "</NotificationConfiguration>"
            body = body.replace(end, f"<EventBridgeConfiguration/>{end}")
        return status, headers, body

    monkeypatch.setattr(S3Response, "get_bucket_notification", get_bucket_notification)


def _transport(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take each request as one over TLS 1.2: moto answers without it and denies what it cannot decide."""
    from moto.iam.access_control import IAMPolicy
    from moto.s3.models import FakeBucket

    permission = FakeBucket.get_permission

    def get_permission(self: Any, action: str, resource: str) -> Any:
        if self.policy is None:
            return permission(self, action, resource)
        document = json.loads(self.policy)
        document["Statement"] = [each for each in document["Statement"] if not about_transport(each)]
        return IAMPolicy(json.dumps(document)).is_action_permitted(action, resource)

    def about_transport(statement: Any) -> bool:
        asked = {key for keys in statement.get("Condition", {}).values() for key in keys}
        return statement["Effect"] == "Deny" and asked in ({"aws:SecureTransport"}, {"s3:TlsVersion"})

    monkeypatch.setattr(FakeBucket, "get_permission", get_permission)


def _parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Say that a database's parameter was set by somebody: without a source it counts as the engine's own."""
    from moto.rds.models import DBParameterGroup

    update = DBParameterGroup.update_parameters

    def update_parameters(self: Any, new_parameters: Any) -> None:
        update(self, [{**parameter, "Source": "user"} for parameter in new_parameters])

    monkeypatch.setattr(DBParameterGroup, "update_parameters", update_parameters)


def _firewall_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell the description of a rule about a group: only those of rules about addresses are told."""
    from moto.ec2.models.security_groups import SecurityGroupRule

    def description(self: Any) -> str | None:
        found: str | None = self.ip_range.get("Description") or self.source_group.get("Description")
        return found

    monkeypatch.setattr(SecurityGroupRule, "description", property(description))


def _launch_templates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a template's own tags out of its data, where AWS has none of them."""
    from moto.ec2.models.launch_templates import LaunchTemplateBackend

    create = LaunchTemplateBackend.create_launch_template

    def create_launch_template(self: Any, name: str, description: str, data: Any, tags: Any) -> Any:
        data["TagSpecifications"] = [
            each for each in data.get("TagSpecifications", []) if each["ResourceType"] != "launch-template"
        ]
        return create(self, name, description, data, tags)

    monkeypatch.setattr(LaunchTemplateBackend, "create_launch_template", create_launch_template)


def _hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell the role and the target that a lifecycle hook was made with instead of invented ones."""
    from moto.autoscaling.responses import AutoScalingResponse

    put = AutoScalingResponse.put_lifecycle_hook

    def put_lifecycle_hook(self: Any) -> Any:
        done = put(self)
        (hook,) = self.autoscaling_backend.describe_lifecycle_hooks(
            self._get_param("AutoScalingGroupName"), [self._get_param("LifecycleHookName")]
        )
        hook.role_arn = self._get_param("RoleARN")
        hook.notification_target_arn = self._get_param("NotificationTargetARN")
        return done

    monkeypatch.setattr(AutoScalingResponse, "put_lifecycle_hook", put_lifecycle_hook)


def _scaling_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell that a scaling policy is switched on, and no forecast where there is none."""
    from moto.autoscaling.models import AutoScalingBackend
    from moto.autoscaling.responses import AutoScalingResponse

    keep, put = AutoScalingBackend.put_scaling_policy, AutoScalingResponse.put_scaling_policy

    def put_scaling_policy(self: Any, **wishes: Any) -> Any:
        policy = keep(self, **wishes)
        policy.predictive_scaling_configuration = policy.predictive_scaling_configuration or None
        return policy

    def answer(self: Any) -> Any:
        done = put(self)
        (policy,) = self.autoscaling_backend.describe_policies(
            self._get_param("AutoScalingGroupName"), [self._get_param("PolicyName")]
        )
        policy.enabled = self._get_bool_param("Enabled", True)
        return done

    monkeypatch.setattr(AutoScalingBackend, "put_scaling_policy", put_scaling_policy)
    monkeypatch.setattr(AutoScalingResponse, "put_scaling_policy", answer)


def _functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep where a function's failed calls go, which is taken and forgotten."""
    from moto.awslambda.models import LambdaFunction

    make, update, tell = (
        LambdaFunction.__init__,
        LambdaFunction.update_configuration,
        LambdaFunction.get_configuration,
    )

    def __init__(self: Any, account_id: str, spec: Any, *more: Any, **others: Any) -> None:
        self.dead_letter_config = spec.get("DeadLetterConfig")
        make(self, account_id, spec, *more, **others)

    def update_configuration(self: Any, config_updates: Any) -> Any:
        self.dead_letter_config = config_updates.get("DeadLetterConfig", self.dead_letter_config)
        return update(self, config_updates)

    def get_configuration(self: Any, on_create: bool = False) -> Any:
        kept = {"DeadLetterConfig": self.dead_letter_config} if self.dead_letter_config else {}
        return tell(self, on_create) | kept

    for answer in (__init__, update_configuration, get_configuration):
        monkeypatch.setattr(LambdaFunction, answer.__name__, answer)
