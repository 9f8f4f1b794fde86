"""A person who signed in, and what of which tenants is theirs.

A right is given at a node of the tree of tenants and holds for everything below it; at the root it holds
for all. Groups of an identity provider say it in their names: ``hospital/radiology:clinician`` is a
clinician at that node, ``engineer`` alone one at the root (decision 129). Other groups mean nothing here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bedside.domain.tenant import holds, name_of, path_of
from bedside.errors import ErrorCode, NotPermitted, UsageError, told

_DIVIDER = ":"


class Right(StrEnum):
    """What a person may do in a tenant."""

    READ = "read"  # results and studies
    SEND = "send"  # studies
    JUDGE = "judge"  # results
    OPERATE = "operate"  # jobs, releases, rules; no patient's data
    ADMINISTER = "administer"  # tenants and accounts


class PersonRole(StrEnum):
    """What a person is at a node."""

    VIEWER = "viewer"
    CLINICIAN = "clinician"
    ENGINEER = "engineer"
    ADMIN = "admin"


RIGHTS: Mapping[PersonRole, frozenset[Right]] = {
    PersonRole.VIEWER: frozenset({Right.READ}),
    PersonRole.CLINICIAN: frozenset({Right.READ, Right.SEND, Right.JUDGE}),
    PersonRole.ENGINEER: frozenset({Right.OPERATE}),
    PersonRole.ADMIN: frozenset({Right.OPERATE, Right.ADMINISTER}),
}
#: Whom a tenant has a group for as soon as it is made; the others are mostly the root's.
OF_A_TENANT = (PersonRole.CLINICIAN, PersonRole.VIEWER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A role at a node of the tree; an empty node is the root.

    Attributes:
        role: What somebody is there.
        node: Where.
        only: Of the role's rights those that a token is for; None is all.
    """

    role: PersonRole
    node: str = ""
    only: frozenset[Right] | None = None

    @property
    def rights(self) -> frozenset[Right]:
        """What it allows at its node and below."""
        return RIGHTS[self.role] if self.only is None else RIGHTS[self.role] & self.only

    @property
    def group(self) -> str:
        """The group of an identity provider that gives it."""
        return f"{path_of(self.node)}{_DIVIDER}{self.role}" if self.node else self.role.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody whose token was verified.

    Attributes:
        subject: Who, as the issuer numbers people; no name and no address.
        posts: Their roles, each at its node.
    """

    subject: str
    posts: tuple[Post, ...] = ()

    def may(self, right: Right, tenant: str) -> bool:
        """Whether a right is theirs in a tenant."""
        return any(right in post.rights and holds(post.node, tenant) for post in self.posts)

    def tenants(self, right: Right, among: Iterable[str]) -> Sequence[str]:
        """Return those tenants in which a right is theirs, in order."""
        return [tenant for tenant in among if self.may(right, tenant)]

    def nodes(self, right: Right) -> tuple[str, ...]:
        """Return where a right is theirs: each node, and all below it."""
        return tuple(dict.fromkeys(post.node for post in self.posts if right in post.rights))

    def narrowed(self, rights: Iterable[Right], nodes: Iterable[str]) -> "Person":
        """Return them with no more than some rights, and nowhere but at and below some nodes.

        Args:
            rights: Empty takes nothing away.
            nodes: Empty takes nothing away.
        """
        wanted, places = frozenset(rights), tuple(nodes)
        kept = []
        for post in self.posts:
            left = post.rights & wanted if wanted else post.only
            if left is not None and not left:
                continue
            inner = [node for node in places if holds(post.node, node)]
            here = [post.node] if not places or any(holds(node, post.node) for node in places) else inner
            kept += [Post(role=post.role, node=node, only=left) for node in here]
        return Person(subject=self.subject, posts=tuple(kept))

    def must(self, right: Right, tenant: str) -> None:
        """Refuse what is not theirs.

        Raises:
            NotPermitted: It is not. Whether there is such a tenant is not said.
        """
        if not self.may(right, tenant):
            raise NotPermitted(
                f"person {self.subject}: no right to {right} in tenant {path_of(tenant)}",
                hint=f"ask for a group such as {_asked(right, tenant)}",
                told=told(ErrorCode.NO_RIGHT, right=right.value),
            )


def post_of(group: str) -> Post | None:
    """Return what a group gives, or None where it means nothing here."""
    node, divider, role = group.rpartition(_DIVIDER)
    try:
        return Post(role=PersonRole(role), node=name_of(node) if divider else "")
    except (ValueError, UsageError):
        return None


def posts_of(groups: Iterable[str]) -> tuple[Post, ...]:
    """Return what groups give, in their order."""
    return tuple(post for post in map(post_of, groups) if post is not None)


def _asked(right: Right, tenant: str) -> str:
    role = next(role for role, rights in RIGHTS.items() if right in rights)
    return Post(role=role, node=tenant).group
