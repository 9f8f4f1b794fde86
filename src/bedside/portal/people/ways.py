"""The ways to an account for who has none, or cannot open it: the same by page and by script.

A link's secret is the proof; who asks brings no session and no token. Nothing here says whether an address
has an account to anybody but whoever reads its mail.
"""

from dataclasses import dataclass, field

from fastapi import BackgroundTasks
from starlette.requests import Request

from bedside.domain.account import Account, AccountState, Link, Profile, email_of
from bedside.domain.person import PersonRole
from bedside.domain.tenant import holds, name_of
from bedside.errors import NotFound, UsageError
from bedside.people.administration import rules
from bedside.people.attempts import network_of
from bedside.portal.access.caller import Caller
from bedside.portal.access.trail import note
from bedside.portal.here import Here
from bedside.portal.people import own
from bedside.portal.people.letting import place_of
from bedside.portal.people.mail import Telling, link_to, send, written
from bedside.portal.shell.words import Words, chosen
from bedside.ports.accounts import AccountFilter

#: What the first administrator may be besides; a machine of one's own is mostly one person's.
ALSO = (PersonRole.CLINICIAN, PersonRole.ENGINEER)
#: Administrators who are told that somebody asks.
TOLD = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """What somebody says who wants an account.

    Attributes:
        email: Their address.
        profile: Who they are.
        password: Theirs.
    """

    email: str = field(repr=False)
    profile: Profile = field(repr=False)
    password: str = field(repr=False)


def look_first(request: Request, here: Here, token: str) -> None:
    """Find the first administrator's link.

    Raises:
        NotFound: It does not work.
    """
    here.attempts.count(place_of(request))
    here.deployment.people.invitations.look_first(token)


def join_first(here: Here, token: str, newcomer: Newcomer, *, also: bool) -> Account:
    """Make the first administrator's account, by a link that was found.

    Raises:
        NotFound: Somebody used it meanwhile.
        UsageError: The address is none, or taken, or the password is weak.
    """
    account = here.deployment.people.invitations.join_first(
        token,
        email=newcomer.email,
        profile=newcomer.profile,
        password=newcomer.password,
        roles=ALSO if also else (),
    )
    note(here, account.person, "account.made", object=account.id, detail={"by": "first link"})
    return account


def look_invitation(request: Request, here: Here, token: str) -> Link:
    """Return an invitation.

    Raises:
        NotFound: It does not work.
    """
    here.attempts.count(place_of(request))
    return here.deployment.people.invitations.look(token)


def join(here: Here, link: Link, token: str, profile: Profile, password: str) -> Account:
    """Make the account of somebody who was invited.

    Raises:
        NotFound: Somebody used the invitation meanwhile.
        UsageError: The address has an account, which accepts instead; or the password is weak.
    """
    account = here.deployment.people.invitations.join(token, profile=profile, password=password)
    note(here, account.person, "account.made", object=account.id, detail={"by": "invitation", "of": link.id})
    return account


def accept(here: Here, caller: Caller, token: str) -> Account:
    """Give somebody who has an account the roles that they are invited to.

    Raises:
        NotFound: It does not work, or is for another address.
        NotPermitted: They come by a token for less than the account.
    """
    people = here.deployment.people
    account = people.accounts.account(caller.account)
    if account is None:
        raise NotFound("this invitation is for another address")
    own.must_be_whole(here, caller)
    link = people.invitations.look(token)
    after = people.invitations.accept(token, account)
    note(here, caller, "invitation.accepted", object=link.id)
    return after


def must_be_open(here: Here) -> None:
    """Refuse where nobody can ask for an account.

    Raises:
        NotFound: The settings say so.
    """
    if not here.deployment.settings.portal.sign_up:
        raise NotFound(
            "nobody can ask for an account here",
            hint="an administrator invites you; ask one of your department",
        )


def may_ask(request: Request, here: Here) -> None:
    """Let somebody ask for an account, if they may, and did not too often.

    Raises:
        NotFound: Nobody may here.
        TooMany: They did.
    """
    must_be_open(here)
    place = place_of(request)
    # Each that is kept is mail to administrators, so that few are enough, also for one who meant no harm.
    here.attempts.count(place, f"ask {network_of(place)}")


def ask(here: Here, telling: Telling, newcomer: Newcomer, at: str) -> None:
    """Keep what somebody asks for until an administrator looks at it.

    Where the address has an account it says the same, as slowly, and its owner learns of it by mail.

    Raises:
        UsageError: The address is none, or the password is weak.
    """
    entering = here.deployment.people.entering
    account = entering.ask(newcomer.email, newcomer.profile, newcomer.password, wish=_node(here, at))
    if account is None:
        telling.tell(email_of(newcomer.email), "known", link=link_to(here, "/sign-in"))
        return
    note(here, account.person, "account.asked", object=account.id, tenant=account.wish)
    telling.background.add_task(_tell_administrators, here, account)


def ask_recovery(request: Request, here: Here, background: BackgroundTasks, email: str) -> bool:
    """Send a link after the answer, if the address has an account; return whether mail can be sent at all.

    Raises:
        TooMany: It was asked for too often.
    """
    here.attempts.count(place_of(request), f"recover {email.strip()}")
    if here.deployment.mailer is None:
        return False
    background.add_task(_send_link, here, email, here.pages.words(request).language)
    return True


def look_recovery(request: Request, here: Here, token: str) -> Account:
    """Return whose password a link changes.

    Raises:
        NotFound: It does not work.
    """
    here.attempts.count(place_of(request))
    return here.deployment.people.recovery.look(token)


def choose(here: Here, account: Account, token: str, password: str) -> None:
    """Give an account another password by its link; its sessions and tokens end.

    Raises:
        NotFound: Somebody used it meanwhile.
        WeakPassword: The password is one.
    """
    people = here.deployment.people
    people.entering.check(password, account.email, account.profile.name)
    note(here, account.person, "account.password_changed", object=account.id, detail={"by": "link"})
    here.deployment.seconds.forget_begun(people.recovery.choose(token, password))


def _send_link(here: Here, email: str, spoken: str) -> None:
    mailer = here.deployment.mailer
    found = here.deployment.people.recovery.ask(email)
    if found is None or mailer is None:
        return
    account, secret = found
    note(here, None, "account.recovery_sent", object=account.id)
    words = Words(chosen(account.profile.language or spoken, ""))
    link = link_to(here, f"/recover/{secret}")
    send(here, mailer, written(words, account.email, "recover", link=link), "recover")


def _tell_administrators(here: Here, account: Account) -> None:
    """Write to those who may let somebody in; after the answer, which must not take longer by it."""
    mailer = here.deployment.mailer
    if mailer is None:
        return
    link = link_to(here, f"/admin/people/{account.id}")
    admins = here.deployment.people.accounts.find(AccountFilter(state=AccountState.ACTIVE), limit=1000)
    for admin in [a for a in admins if rules(a.person, account)][:TOLD]:
        words = Words(chosen(admin.profile.language, ""))
        send(here, mailer, written(words, admin.email, "asked", link=link), "asked")


def _node(here: Here, at: str) -> str:
    """Return the node that an address names, where there is such a one; nobody is told whether."""
    try:
        node = name_of(at)
    except UsageError:
        return ""
    return node if any(holds(node, known) for known in here.deployment.tenants.known) else ""
