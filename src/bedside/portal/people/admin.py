"""The pages of administrators: who has an account, who is invited, who waits, and what each may do."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedside.domain.account import Account, AccountState, LastAdministrator, LinkKind, within_nodes
from bedside.domain.person import PersonRole, Post, Right
from bedside.errors import BedsideError, NotPermitted, UsageError
from bedside.people.administration import rules
from bedside.people.links import VALID
from bedside.portal.access.caller import Caller
from bedside.portal.access.need import anywhere
from bedside.portal.here import Here, InHere
from bedside.portal.people import deeds
from bedside.portal.people.filled import Errors, Marks, email_errors
from bedside.portal.people.mail import InTelling, link_to
from bedside.portal.people.nodes import nodes_of

router = APIRouter(include_in_schema=False)
Admin = Annotated[Caller, Depends(anywhere(Right.ADMINISTER))]
PER_PAGE = 50
DONE = frozenset({"given", "taken", "approved", "disabled", "enabled", "withdrawn"})


@router.get("/admin/people")
def listed(
    request: Request,
    here: InHere,
    caller: Admin,
    search: str = "",
    state: str = "",
    page: int = 1,
    done: str = "",
) -> Response:
    """Show the accounts that somebody may see."""
    people = here.deployment.people
    wanted = AccountState(state) if state in set(AccountState) else None
    page = min(max(page, 1), 100_000)
    found = people.administration.page(
        caller.person, search=search[:200], state=wanted, limit=PER_PAGE, offset=(page - 1) * PER_PAGE
    )
    waiting = people.administration.page(caller.person, state=AccountState.WAITING, limit=1).total
    return here.pages.render(
        request,
        "people/list.html",
        caller=caller,
        found=found,
        search=search[:200],
        state=wanted.value if wanted else "",
        states=[state.value for state in AccountState],
        page=page,
        pages=max(1, -(-found.total // PER_PAGE)),
        waiting=waiting,
        invitations=people.invitations.open(caller.person),
        done=done if done in DONE else "",
    )


@router.get("/admin/people/invite")
def invite(request: Request, here: InHere, caller: Admin) -> Response:
    """Ask whom to invite, and to what."""
    return _invite_page(request, here, caller)


@router.post("/admin/people/invite")
def invited(
    request: Request,
    here: InHere,
    caller: Admin,
    telling: InTelling,
    email: Annotated[str, Form()] = "",
    role: Annotated[list[PersonRole] | None, Form()] = None,
    node: Annotated[str, Form()] = "",
) -> Response:
    """Make an invitation; show its link, and send it where mail can be sent."""
    errors: Errors = email_errors(email)
    if not role:
        errors["role"] = "people.role_missing"
    values = {"email": email, "chosen": role or [], "node": node}
    if errors:
        return _invite_page(request, here, caller, errors=errors, values=values)
    try:
        posts = [deeds.post_at(here, each, node) for each in role or []]
        link, path = deeds.invite(here, caller, email, posts)
    except (UsageError, NotPermitted):
        return _invite_page(request, here, caller, errors={"node": "people.node_wrong"}, values=values)
    address = link_to(here, path)
    sent = telling.tell(link.email, "invited", link=address, name=caller.name)
    return _link_page(request, here, caller, "invited", address=address, email=link.email, sent=sent)


@router.post("/admin/people/invitations/{link_id}/withdraw")
def withdrawn(here: InHere, caller: Admin, link_id: str) -> Response:
    """Take an invitation back."""
    deeds.withdraw(here, caller, link_id)
    return RedirectResponse("/admin/people?done=withdrawn", status_code=303)


@router.get("/admin/people/{account_id}")
def shown(request: Request, here: InHere, caller: Admin, account_id: str, done: str = "") -> Response:
    """Show one account, and what can be done to it."""
    account = here.deployment.people.administration.look(caller.person, account_id)
    return _account_page(request, here, caller, account, done=done if done in DONE else "")


@router.post("/admin/people/{account_id}/give")
def given(
    request: Request,
    here: InHere,
    caller: Admin,
    account_id: str,
    role: Annotated[PersonRole, Form()],
    node: Annotated[str, Form()] = "",
) -> Response:
    """Give somebody a role."""
    try:
        deeds.give(here, caller, account_id, deeds.post_at(here, role, node))
    except (UsageError, NotPermitted) as refused:
        return _refused(request, here, caller, account_id, refused)
    return _back(account_id, "given")


@router.post("/admin/people/{account_id}/take")
def taken(
    request: Request,
    here: InHere,
    caller: Admin,
    account_id: str,
    role: Annotated[PersonRole, Form()],
    node: Annotated[str, Form()] = "",
) -> Response:
    """Take a role from somebody; a node that is no more can be given up too."""
    try:
        deeds.take(here, caller, account_id, Post(role=role, node=node))
    except (UsageError, NotPermitted) as refused:
        return _refused(request, here, caller, account_id, refused)
    if not _sees(here, caller, account_id):  # with the last of their roles here
        return RedirectResponse("/admin/people?done=taken", status_code=303)
    return _back(account_id, "taken")


@router.post("/admin/people/{account_id}/approve")
def approved(
    request: Request,
    here: InHere,
    caller: Admin,
    account_id: str,
    telling: InTelling,
    role: Annotated[list[PersonRole] | None, Form()] = None,
    node: Annotated[str, Form()] = "",
) -> Response:
    """Let somebody in who asked, and tell them."""
    if not role:
        account = here.deployment.people.administration.look(caller.person, account_id)
        return _account_page(request, here, caller, account, errors={"role": "people.role_missing"})
    try:
        posts = [deeds.post_at(here, each, node) for each in role]
        deeds.approve(here, caller, telling, account_id, posts)
    except (UsageError, NotPermitted) as refused:
        return _refused(request, here, caller, account_id, refused)
    return _back(account_id, "approved")


@router.post("/admin/people/{account_id}/reset")
def reset(request: Request, here: InHere, caller: Admin, account_id: str, telling: InTelling) -> Response:
    """Make a link by which somebody chooses another password; show it, and send it where mail can be sent."""
    account, path = deeds.reset(here, caller, account_id)
    address = link_to(here, path)
    sent = telling.tell(account.email, "recover", link=address)
    return _link_page(request, here, caller, "reset", address=address, email=account.email, sent=sent)


@router.post("/admin/people/{account_id}/{what}")
def switched(
    request: Request, here: InHere, caller: Admin, account_id: str, what: Literal["disable", "enable"]
) -> Response:
    """Let somebody in no more, or again."""
    try:
        (deeds.disable if what == "disable" else deeds.enable)(here, caller, account_id)
    except (UsageError, NotPermitted) as refused:
        return _refused(request, here, caller, account_id, refused)
    return _back(account_id, f"{what}d")


def _sees(here: Here, caller: Caller, account_id: str) -> bool:
    try:
        here.deployment.people.administration.look(caller.person, account_id)
    except BedsideError:
        return False
    return True


def _back(account_id: str, done: str) -> RedirectResponse:
    return RedirectResponse(f"/admin/people/{account_id}?done={done}", status_code=303)


def _refused(request: Request, here: Here, caller: Caller, account_id: str, why: BedsideError) -> Response:
    account = here.deployment.people.administration.look(caller.person, account_id)
    key = "people.last_admin" if isinstance(why, LastAdministrator) else "people.refused"
    return _account_page(request, here, caller, account, errors={"account": key})


def _account_page(
    request: Request,
    here: Here,
    caller: Caller,
    account: Account,
    *,
    errors: Errors | None = None,
    done: str = "",
) -> Response:
    mine = caller.person.nodes(Right.ADMINISTER)
    return here.pages.render(
        request,
        "people/account.html",
        caller=caller,
        status=422 if errors else 200,
        account=account,
        errors=Marks(errors or {}),
        done=done,
        roles=list(PersonRole),
        nodes=nodes_of(here, caller.person, [Right.ADMINISTER]),
        ruled=rules(caller.person, account),
        second=here.deployment.seconds.of(account) is not None,
        own=account.id == caller.person.subject,
        takeable=[post for post in account.posts if within_nodes(post, mine)],
    )


def _invite_page(
    request: Request,
    here: Here,
    caller: Caller,
    *,
    errors: Errors | None = None,
    values: dict[str, Any] | None = None,
) -> Response:
    return here.pages.render(
        request,
        "people/invite.html",
        caller=caller,
        status=422 if errors else 200,
        errors=Marks(errors or {}),
        roles=list(PersonRole),
        nodes=nodes_of(here, caller.person, [Right.ADMINISTER]),
        by_mail=here.deployment.mailer is not None,
        **{"email": "", "chosen": [PersonRole.CLINICIAN], "node": "", **(values or {})},
    )


def _link_page(
    request: Request, here: Here, caller: Caller, what: str, *, address: str, email: str, sent: bool
) -> Response:
    kind = LinkKind.INVITATION if what == "invited" else LinkKind.RECOVERY
    return here.pages.render(
        request,
        "people/link.html",
        caller=caller,
        what=what,
        address=address,
        email=email,
        sent=sent,
        until=here.deployment.clock.now() + VALID[kind],
    )
