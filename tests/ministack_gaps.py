"""ministack with what it forgets or does not know completed, as the server that `guarded_cloud` starts.

What `moto_gaps` is for moto: each gap is closed where ministack keeps its state and makes its answers, so
that what was put is what is told, whoever asks. Signatures and policies are checked before any of this. Where
ministack closes a gap itself some day, the lines here are merely superfluous. Why here and not in the
expectation stands in decision 104.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from xml.sax.saxutils import escape

from ministack.app import app
from ministack.core.responses import now_iso
from ministack.services import autoscaling, cloudwatch, ec2, rds

import ministack_documents
import ministack_resources

__all__ = ["app"]

Asked = Mapping[str, Any]
Answer = tuple[int, dict[str, str], bytes]


def complete() -> None:
    """Close every gap of this process."""
    for close in (
        _groups,
        _alarms,
        _launch_templates,
        _endpoints,
        _addresses,
        _databases,
        ministack_documents.complete,
    ):
        close()


# "If you omit this property, all processes are specified", and the same of metrics.
_PROCESSES = (
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
)
_METRICS = (
    *(f"Group{each}" for each in ("MinSize", "MaxSize", "DesiredCapacity")),
    *(
        f"Group{state}{unit}"
        for state in ("InService", "Pending", "Standby", "Terminating", "Total")
        for unit in ("Instances", "Capacity")
    ),
    *(f"WarmPool{each}Capacity" for each in ("Desired", "Warmed", "Pending", "Terminating", "Total")),
    *(f"GroupAndWarmPool{each}Capacity" for each in ("Desired", "Total")),
)


def _groups() -> None:
    """Keep a group's mixed instances, a change of its template, its metrics and what it leaves alone."""
    actions, describe = autoscaling._ACTION_MAP, autoscaling._describe_asgs

    def keeping(act: Callable[[Asked], Answer]) -> Callable[[Asked], Answer]:
        def answer(asked: Asked) -> Answer:
            done = act(asked)
            group = autoscaling._asgs.get(autoscaling._p(asked, "AutoScalingGroupName"))
            template, mixed = (
                autoscaling._parse_nested(asked, name) for name in ("LaunchTemplate", "MixedInstancesPolicy")
            )
            if done[0] == 200 and (template or mixed):
                group["LaunchTemplate"] = named(template)
                group["MixedInstancesPolicy"] = mixed
                if mixed:
                    named(mixed["LaunchTemplate"]["LaunchTemplateSpecification"])
            return done

        return answer

    def named(template: dict[str, Any]) -> dict[str, Any]:
        """Tell a template's name and id, whichever of them was said."""
        for kept in ec2._launch_templates.values():
            both = {name: kept[name] for name in ("LaunchTemplateId", "LaunchTemplateName")}
            if set(both.values()) & set(template.values()):
                template |= both
        return template

    def listing(asked: Asked, *, kept: str, names: str, every: tuple[str, ...], more: Any) -> Answer:
        """Add to a list of a group, or take from it where `more` is None."""
        group = autoscaling._asgs.get(autoscaling._p(asked, "AutoScalingGroupName"))
        if group is None:
            return autoscaling._error("ValidationError", "AutoScalingGroup name not found")
        said = autoscaling._parse_member_list(asked, names) or every
        group[kept] = {each: of for each, of in group.get(kept, {}).items() if each not in said}
        if more is not None:
            group[kept] |= {each: more(asked) for each in said}
        return autoscaling._xml(200, f"{autoscaling._p(asked, 'Action')}Response", "")

    def describing(asked: Asked) -> Answer:
        status, headers, body = describe(asked)
        text = body.decode()
        for group in autoscaling._asgs.values():
            told = {
                "MixedInstancesPolicy": group.get("MixedInstancesPolicy"),
                "SuspendedProcesses": [
                    {"ProcessName": name, "SuspensionReason": reason}
                    for name, reason in group.get("SuspendedProcesses", {}).items()
                ],
                "EnabledMetrics": [
                    {"Metric": name, "Granularity": granularity}
                    for name, granularity in group.get("EnabledMetrics", {}).items()
                ],
            }
            arn = f"<AutoScalingGroupARN>{group['AutoScalingGroupARN']}</AutoScalingGroupARN>"
            more = autoscaling._member_xml({name: value for name, value in told.items() if value})
            text = text.replace(arn, arn + more)
        return status, headers, text.encode()

    processes = partial(listing, kept="SuspendedProcesses", names="ScalingProcesses", every=_PROCESSES)
    metrics = partial(listing, kept="EnabledMetrics", names="Metrics", every=_METRICS)
    actions |= {
        "CreateAutoScalingGroup": keeping(actions["CreateAutoScalingGroup"]),
        "UpdateAutoScalingGroup": keeping(actions["UpdateAutoScalingGroup"]),
        "DescribeAutoScalingGroups": describing,
        "SuspendProcesses": partial(processes, more=lambda _: f"User suspended at {now_iso()}"),
        "ResumeProcesses": partial(processes, more=None),
        "EnableMetricsCollection": partial(metrics, more=lambda asked: autoscaling._p(asked, "Granularity")),
        "DisableMetricsCollection": partial(metrics, more=None),
    }


def _alarms() -> None:
    """Tell all that is kept of an alarm in XML too, as in JSON, and keep metrics that it calculates with."""
    put, describe = cloudwatch._put_metric_alarm, cloudwatch._describe_alarms
    times = ("StateUpdatedTimestamp", "AlarmConfigurationUpdatedTimestamp", "StateTransitionedTimestamp")

    def putting(asked: Asked, data: Any, is_cbor: bool, is_json: bool = False) -> Answer:
        done = put(asked, data, is_cbor, is_json)
        typed = is_cbor or is_json
        queries = data.get("Metrics") if typed else untyped(autoscaling._parse_nested(asked, "Metrics"))
        if done[0] == 200 and queries:
            alarm = cloudwatch._alarms[data.get("AlarmName") or cloudwatch._p(asked, "AlarmName")]
            alarm["Metrics"] = queries
            for name in ("MetricName", "Namespace", "Statistic", "Period", "Dimensions"):
                del alarm[name]  # an alarm has these or queries
        return done

    def untyped(queries: Any) -> Any:
        for query in queries:
            if "ReturnData" in query:
                query["ReturnData"] = query["ReturnData"] == "true"
            for member in (query, query.get("MetricStat", {})):
                if "Period" in member:
                    member["Period"] = int(member["Period"])
        return queries

    def describing(asked: Asked, data: Any, is_cbor: bool, is_json: bool = False) -> Answer:
        if is_cbor or is_json:
            return describe(asked, data, is_cbor, is_json)
        status, headers, body = describe(asked, data, is_cbor, is_json)
        text = body.decode()
        for alarm in (*cloudwatch._alarms.values(), *cloudwatch._composite_alarms.values()):
            start = f"<member><AlarmName>{alarm['AlarmName']}</AlarmName>"
            before, found, rest = text.partition(start)
            if found:
                told = {
                    k: cloudwatch._ts_iso(v) if k in times else v for k, v in alarm.items() if v is not None
                }
                text = f"{before}<member>{autoscaling._member_xml(told)}{rest[rest.index('</member>') :]}"
        return status, headers, text.encode()

    cloudwatch._put_metric_alarm, cloudwatch._describe_alarms = putting, describing


def _launch_templates() -> None:
    """Keep whether an interface goes with its machine, and name its groups as EC2 does."""
    parse, tell = ec2._parse_lt_data, ec2._lt_data_xml

    def parsing(asked: Asked, prefix: str = "LaunchTemplateData") -> dict[str, Any]:
        data: dict[str, Any] = parse(asked, prefix)
        for number, interface in enumerate(data.get("NetworkInterfaces", []), 1):
            if said := ec2._p(asked, f"{prefix}.NetworkInterface.{number}.DeleteOnTermination"):
                interface["DeleteOnTermination"] = said == "true"
        return data

    def telling(data: Any) -> str:
        text: str = tell({**data, "NetworkInterfaces": None})
        interfaces = "".join(f"<item>{interface(each)}</item>" for each in data.get("NetworkInterfaces", []))
        return f"{text}<networkInterfaceSet>{interfaces}</networkInterfaceSet>" if interfaces else text

    def interface(kept: Mapping[str, Any]) -> str:
        # EC2's names begin small; its lists name their entries each in its own way.
        groups = "".join(f"<groupId>{escape(group)}</groupId>" for group in kept.get("Groups", []))
        told = {f"{k[0].lower()}{k[1:]}": v for k, v in kept.items() if k != "Groups"}
        return f"{autoscaling._member_xml(told)}<groupSet>{groups}</groupSet>"

    ec2._parse_lt_data, ec2._lt_data_xml = parsing, telling


def _endpoints() -> None:
    """Keep the policy that an endpoint was made with, and tell it."""
    create, tell = ec2._create_vpc_endpoint, ec2._vpce_fields_xml

    def creating(asked: Asked) -> Answer:
        known = set(ec2._vpc_endpoints)
        done = create(asked)
        for made in set(ec2._vpc_endpoints) - known:
            ec2._vpc_endpoints[made]["PolicyDocument"] = ec2._p(asked, "PolicyDocument")
        return done

    def telling(endpoint: Mapping[str, Any], tag: str = "item") -> str:
        text: str = tell(endpoint, tag)
        policy = f"<policyDocument>{escape(endpoint.get('PolicyDocument', ''))}</policyDocument>"
        return text.replace("<state>", f"{policy}<state>", 1)

    ec2._ACTION_MAP["CreateVpcEndpoint"], ec2._vpce_fields_xml = creating, telling


def _addresses() -> None:
    """Refuse to tell of an address that is gone, where an empty list is told without an error."""
    describe = ec2._describe_addresses

    def describing(asked: Asked) -> Answer:
        for named in ec2._parse_member_list(asked, "AllocationId"):
            if all(named != kept["AllocationId"] for kept in ec2._addresses.values()):
                return ec2._error(
                    "InvalidAllocationID.NotFound", f"The allocation ID '{named}' does not exist", 400
                )
        return describe(asked)

    ec2._ACTION_MAP["DescribeAddresses"] = describing


def _databases() -> None:
    """Keep which logs a database hands to CloudWatch, and tell them; it is a record, docker or not."""
    create, modify, tell = rds._create_db_instance, rds._modify_db_instance, rds._instance_xml

    def kept(asked: Asked) -> list[str]:
        found: list[str] = rds._instances[rds._p(asked, "DBInstanceIdentifier")][
            "EnabledCloudwatchLogsExports"
        ]
        return found

    def creating(asked: Asked) -> Answer:
        done = create(asked)
        if done[0] == 200:
            kept(asked).extend(rds._parse_member_list(asked, "EnableCloudwatchLogsExports"))
        return done

    def modifying(asked: Asked) -> Answer:
        done = modify(asked)
        if done[0] == 200:
            on, off = (
                rds._parse_member_list(asked, f"CloudwatchLogsExportConfiguration.{which}LogTypes")
                for which in ("Enable", "Disable")
            )
            kept(asked)[:] = sorted({*kept(asked), *on} - {*off})
        return done

    def telling(instance: Mapping[str, Any]) -> str:
        members = autoscaling._member_xml(
            {"EnabledCloudwatchLogsExports": instance["EnabledCloudwatchLogsExports"]}
        )
        text: str = tell(instance)
        return text.replace("<EnabledCloudwatchLogsExports/>", members)

    rds._ACTION_MAP |= {"CreateDBInstance": creating, "ModifyDBInstance": modifying}
    rds._instance_xml = telling
    # Where docker is, a container of an image from the net would stand for it, and take a minute more.
    rds._get_docker = lambda: None


complete()
ministack_resources.complete()
