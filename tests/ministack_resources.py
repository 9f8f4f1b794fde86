"""Which resource, permission and condition a request is about, where ministack does not know it.

Policies name resources. A request whose resource is unknown counts as one about all of them, and is refused
to whoever may do it to one. Each ARN here is made of the request alone, as AWS's Service Authorization
Reference has it for the action; what ministack knows is left as it is.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ministack.core import iam_actions

Said = Mapping[str, Any]


def complete() -> None:
    """Let every request of this process be judged so."""
    know, name, tell = (
        iam_actions.extract_resource_arn,
        iam_actions.extract_iam_action,
        iam_actions.request_tag_context,
    )

    def resource(
        service: str, method: str, path: str, headers: Any, body: bytes, query: Any, *where: str
    ) -> str:
        known: str = know(service, method, path, headers, body, query, *where)
        said = _said(body, query)
        asked = str(said.get("Action") or headers.get("x-amz-target", "").rpartition(".")[2])
        found = _RESOURCES.get(service, lambda *_: "")(known, asked, said)
        return found.format(region=where[0], account=where[1]) if found else known

    def permission(service: str, *rest: Any) -> str | None:
        found: str | None = name(service, *rest)
        if service == "budgets" and found and "Tag" not in found:
            return "budgets:ViewBudget" if ":Describe" in found else "budgets:ModifyBudget"
        return found

    def conditions(service: str, action: str, body: bytes, query: Any) -> dict[str, Any]:
        found: dict[str, Any] = tell(service, action, body, query)
        if action == "cloudwatch:PutMetricData":
            found["cloudwatch:namespace"] = _said(body, query).get("Namespace", "")
        return found

    iam_actions.extract_resource_arn, iam_actions.extract_iam_action = resource, permission
    iam_actions.request_tag_context = conditions


def _said(body: bytes, query: Mapping[str, Any]) -> Said:
    """Return what a request says, whichever of AWS's protocols it speaks."""
    said = {key: value[0] if isinstance(value, list) else value for key, value in query.items()}
    try:
        told = json.loads(body or b"{}")
    except ValueError:
        return said
    return {**said, **told} if isinstance(told, dict) else said


def _iam(known: str, asked: str, said: Said) -> str:
    if profile := said.get("InstanceProfileName"):  # the role that goes into one is not what is asked about
        return f"arn:aws:iam::{{account}}:instance-profile/{profile}"
    if url := said.get("Url"):
        return f"arn:aws:iam::{{account}}:oidc-provider/{urlsplit(url).netloc}{urlsplit(url).path}"
    return str(said.get("OpenIDConnectProviderArn", ""))


def _ssm(known: str, asked: str, said: Said) -> str:
    name = str(said.get("Name") or said.get("ResourceId") or "")
    if name.startswith("arn:"):
        return name
    if name and ("Document" in asked or said.get("ResourceType") == "Document"):
        return f"arn:aws:ssm:{{region}}:{{account}}:document/{name}"
    return ""


def _rds(known: str, asked: str, said: Said) -> str:
    if known != "*":
        return ""
    if asked == "DescribeDBInstances":  # by anything but a name it is about every one
        return "arn:aws:rds:{region}:{account}:db:*"
    for parameter, kind in (("DBSubnetGroupName", "subgrp"), ("DBParameterGroupName", "pg")):
        if name := said.get(parameter):
            return f"arn:aws:rds:{{region}}:{{account}}:{kind}:{name}"
    return str(said.get("ResourceName", ""))


def _sns(known: str, asked: str, said: Said) -> str:
    return str(said.get("ResourceArn", ""))


def _ecr(known: str, asked: str, said: Said) -> str:
    if names := said.get("repositoryNames"):
        return f"arn:aws:ecr:{{region}}:{{account}}:repository/{names[0]}"
    return str(said.get("resourceArn", ""))


def _lambda(known: str, asked: str, said: Said) -> str:
    name = said.get("FunctionName", "") if known == "*" else ""
    return f"arn:aws:lambda:{{region}}:{{account}}:function:{name}" if name else ""


def _events(known: str, asked: str, said: Said) -> str:
    if arn := said.get("ResourceARN"):
        return str(arn)
    if said.get("EventBusName", "default") != "default":
        return ""
    name = said.get("Name") or said.get("Rule")  # of the default bus, which no ARN of a rule names
    return f"arn:aws:events:{{region}}:{{account}}:rule/{name}" if name else ""


def _budgets(known: str, asked: str, said: Said) -> str:
    name = said.get("BudgetName") or said.get("Budget", {}).get("BudgetName")
    return f"arn:aws:budgets::{{account}}:budget/{name}" if name else str(said.get("ResourceARN", ""))


def _monitoring(known: str, asked: str, said: Said) -> str:
    for kind, parameters in (
        (":{account}:dashboard/", ("DashboardName", "DashboardNames.member.1")),
        ("{region}:{account}:alarm:", ("AlarmName", "AlarmNames.member.1")),
    ):
        if name := next((said[each] for each in parameters if said.get(each)), ""):
            return f"arn:aws:cloudwatch:{kind}{name}"
    return str(said.get("ResourceARN", ""))


def _autoscaling(known: str, asked: str, said: Said) -> str:
    group = said.get("Tags.member.1.ResourceId")
    return (
        f"arn:aws:autoscaling:{{region}}:{{account}}:autoScalingGroup:*:autoScalingGroupName/{group}"
        if group
        else ""
    )


def _cognito(known: str, asked: str, said: Said) -> str:
    return str(said.get("ResourceArn", ""))


_RESOURCES: Mapping[str, Callable[[str, str, Said], str]] = {
    "autoscaling": _autoscaling,
    "budgets": _budgets,
    "cognito-idp": _cognito,
    "ecr": _ecr,
    "events": _events,
    "iam": _iam,
    "lambda": _lambda,
    "monitoring": _monitoring,
    "rds": _rds,
    "sns": _sns,
    "ssm": _ssm,
}
