"""The permissions that the deploying person needs: read from the modules, not remembered beside them.

Each module's resource types are looked up in `bedside.deploy.actions`; a type without an entry is an
error, so that a module that grows cannot ask for more than the policy grants without anyone noticing.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bedside.config import DeploySettings
from bedside.deploy.actions import ACTIONS, ASKED, DATASTORE, KEY, OWN, Grant
from bedside.deploy.policy import document, statement
from bedside.deploy.variables import state_bucket
from bedside.deploy.workspace import MODULES
from bedside.errors import ConfigError

#: Most characters of a managed policy, without white space (IAM quotas).
LONGEST = 6144
#: The part that is bedside's own asking.
OWN_PART = "deploy"
_TYPE = re.compile(r'^(?:resource|data|ephemeral) "(aws_\w+)"', re.MULTILINE)

Statement = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What the ARNs of a deployment have in common; ``*`` where it is not known.

    Attributes:
        account: Number.
        region: Name.
        partition: ``aws``, ``aws-cn`` or ``aws-us-gov``.
    """

    account: str = "*"
    region: str = "*"
    partition: str = "aws"


def types_by_part(modules: Path | None = None) -> dict[str, set[str]]:
    """Return the types of resources that each module uses."""
    folder = (modules or MODULES) / "modules"
    return {
        part.name: {t for file in part.glob("*.tf") for t in _TYPE.findall(file.read_text(encoding="utf-8"))}
        for part in sorted(folder.iterdir())
        if part.is_dir()
    }


def permissions(
    settings: DeploySettings,
    where: Where,
    *,
    types: Mapping[str, Iterable[str]] | None = None,
    asked: Iterable[str] = (),
) -> dict[str, list[Statement]]:
    """Return the statements that each part of a deployment needs, those of unused parts left out.

    Args:
        settings: What is deployed.
        where: In which account.
        types: Of resources, by module; None reads the modules.
        asked: Names of `bedside.deploy.actions.ASKED` that are granted too.

    Raises:
        ConfigError: A module uses a type of resource that the table lacks.
    """
    used = {
        "archive": settings.archive,
        "budget": bool(settings.alarm_email),
        "ci": bool(settings.github_repository),
        "control": settings.control,
        "identity": settings.identity,
        "tenants": settings.manage_tenants,
    }
    values = {
        "name": settings.name,
        "account": where.account,
        "region": where.region,
        "state": state_bucket(settings, account=where.account, region=where.region),
        "key": settings.key_arn.partition(":")[2].partition(":")[
            2
        ],  # as every ARN here: without arn:PARTITION:
    }
    own = [*OWN]
    if settings.archive and not settings.datastore_id:
        own += DATASTORE
    if settings.key_arn:
        own += KEY
    found = {OWN_PART: _statements(OWN_PART, own, values, where.partition)}
    for part, kinds in (types_by_part() if types is None else types).items():
        if not used.get(part, True):
            continue
        if missing := sorted(set(kinds) - set(ACTIONS)):
            raise ConfigError(f"module {part}: the permissions of {', '.join(missing)} are not known")
        grants = [grant for kind in sorted(kinds) for grant in ACTIONS[kind]]
        if statements := _statements(part, grants, values, where.partition):
            found[part] = statements
    for name in asked:
        # A statement's name may have letters and digits only.
        part = name.replace("-", "")
        found[name] = _statements(part, ASKED[name], values, where.partition)
    return found


def _statements(
    part: str, grants: Iterable[Grant], values: Mapping[str, str], partition: str
) -> list[Statement]:
    by_resources: dict[tuple[tuple[str, ...], str], set[str]] = defaultdict(set)
    for grant in grants:
        on = tuple(
            sorted(r if r == "*" else f"arn:{partition}:{r.format(**values)}" for r in grant.on.split())
        )
        by_resources[on, grant.tagged] |= {f"{grant.service}:{action}" for action in grant.actions.split()}
    return [
        statement("Allow", sorted(actions), resources)
        | {"Sid": f"{part.capitalize()}{number}"}
        | ({"Condition": {"StringEquals": {tagged: values["name"]}}} if tagged else {})
        for number, ((resources, tagged), actions) in enumerate(sorted(by_resources.items()), start=1)
    ]


def packed(parts: Mapping[str, Sequence[Statement]]) -> list[dict[str, object]]:
    """Return as few policies as hold all statements, each within IAM's length, in order."""
    policies: list[list[Statement]] = [[]]
    for one in (s for statements in parts.values() for s in statements):
        if policies[-1] and size(document([*policies[-1], one])) > LONGEST:
            policies.append([])
        policies[-1].append(one)
    return [document(statements) for statements in policies]


def size(policy: Mapping[str, object]) -> int:
    """Return the length of a policy as IAM counts it."""
    return len(json.dumps(policy, separators=(",", ":")))
