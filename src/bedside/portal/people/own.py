"""What people do to their own account, the same by page and by script; each is noted in the trail."""

from datetime import datetime

from bedside.domain.account import Account, AddressTaken, ApiToken, Profile, Session, email_of
from bedside.domain.person import Right
from bedside.errors import NotFound, NotPermitted, NotSignedIn
from bedside.people.tokens import Scope
from bedside.portal.access.caller import Caller, Means
from bedside.portal.access.trail import note
from bedside.portal.here import Here
from bedside.portal.people.letting import place_of
from bedside.portal.people.mail import Telling, link_to


def own_account(here: Here, caller: Caller) -> Account:
    """Return the caller's account.

    Raises:
        NotFound: They have none here: another issuer keeps it.
    """
    account = here.deployment.people.accounts.account(caller.account) if caller.account else None
    if account is None:
        raise NotFound("you have no account here", hint="whoever issued your token keeps it")
    return account


def own_token(here: Here, caller: Caller) -> ApiToken | None:
    """Return the token that the caller asks by, or None in a session.

    Raises:
        NotSignedIn: It was revoked at this moment; it is taken for no session.
    """
    if caller.means is Means.SESSION:
        return None
    tokens = here.deployment.people.tokens.of(caller.account)
    found = next((token for token in tokens if token.id == caller.credential), None)
    if found is None:
        raise NotSignedIn("token: it was revoked just now")
    return found


def must_be_whole(here: Here, caller: Caller) -> None:
    """Refuse a token that was made for less than all that its owner may: the account is not its business.

    Raises:
        NotPermitted: It is such a one.
    """
    token = own_token(here, caller)
    if token is not None and (token.rights or token.nodes):
        raise NotPermitted("this token is for less than the whole account", hint="sign in at /me")


def describe(here: Here, caller: Caller, profile: Profile) -> Account:
    """Change what somebody says of themselves."""
    must_be_whole(here, caller)
    account = own_account(here, caller)
    note(here, caller, "account.changed", object=account.id)
    return here.deployment.people.entering.describe(account, profile)


def must_be_in_a_browser(caller: Caller) -> None:
    """Refuse a token at a page that changes how its owner signs in: there, being signed in is half the proof.

    Raises:
        NotPermitted: It is one.
    """
    if caller.means is not Means.SESSION:
        raise NotPermitted(
            "this page takes no token: whoever has one may not be its owner",
            hint="sign in, or use the API, which asks for the password (and a code) in the same request",
        )


def change_email(here: Here, caller: Caller, telling: Telling, account: Account, email: str) -> Account:
    """Give an account another address, and tell the old one.

    Args:
        here: The portal.
        caller: Who asks.
        telling: Writes to people.
        account: Theirs, as it was when they proved it: changed since, it stays as it is.
        email: The other address.

    Raises:
        UsageError: It is none, or another account's.
        Overtaken: The account was changed since.
    """
    must_be_whole(here, caller)
    address = email_of(email)
    note(here, caller, "account.email_changed", object=account.id)
    try:
        after = here.deployment.people.entering.readdress(account, address)
    except AddressTaken:
        here.attempts.failed(place_of(telling.request))  # nobody asks through who has an account
        raise
    telling.tell(account.email, "readdressed", link=link_to(here, "/sign-in"))
    return after


def check_password(here: Here, caller: Caller, password: str) -> None:
    """Refuse a weak password for the caller's account, before anything is asked that is used up by it.

    Raises:
        WeakPassword: It is one.
    """
    must_be_whole(here, caller)
    account = own_account(here, caller)
    here.deployment.people.entering.check(password, account.email, account.profile.name)


def change_password(here: Here, caller: Caller, telling: Telling, account: Account, password: str) -> Account:
    """Give an account another password, and tell its owner; all its sessions end.

    Args:
        here: The portal.
        caller: Who asks.
        telling: Writes to people.
        account: Theirs, as it was when they proved it: changed since, it stays as it is.
        password: The other one.

    Raises:
        WeakPassword: The password is one.
        Overtaken: The account was changed since.
    """
    check_password(here, caller, password)
    note(here, caller, "account.password_changed", object=account.id, detail={"by": "owner"})
    after = here.deployment.people.entering.change_password(account, password)
    here.deployment.seconds.forget_begun(after)
    telling.tell(account.email, "password", link=link_to(here, "/recover"))
    return after


def sessions(here: Here, caller: Caller) -> list[Session]:
    """Return the sessions of the caller's account."""
    return list(here.deployment.people.sessions.of(own_account(here, caller).id))


def end_session(here: Here, caller: Caller, session_id: str) -> None:
    """End one of the caller's sessions.

    Raises:
        NotFound: They have no such session.
    """
    must_be_whole(here, caller)
    account = own_account(here, caller)
    if not any(session.id == session_id for session in sessions(here, caller)):
        raise NotFound("no such session")
    note(here, caller, "session.ended", object=session_id)
    here.deployment.people.accounts.end_sessions(account.id, only=session_id)


def end_other_sessions(here: Here, caller: Caller) -> int:
    """End all sessions of the caller but the one that asks; return how many."""
    must_be_whole(here, caller)
    account = own_account(here, caller)
    note(here, caller, "session.others_ended", object=account.id)
    but = caller.credential if caller.means is Means.SESSION else ""
    return here.deployment.people.accounts.end_sessions(account.id, but=but)


def tokens(here: Here, caller: Caller) -> list[ApiToken]:
    """Return the caller's tokens that are good still, the newest first."""
    now = here.deployment.clock.now()
    made = here.deployment.people.tokens.of(own_account(here, caller).id)
    return [token for token in made if token.expires_at > now]


def make_token(here: Here, caller: Caller, scope: Scope) -> tuple[ApiToken, str]:
    """Make a token; return it and its secret, which is shown this once.

    Raises:
        UsageError: See `bedside.people.tokens.Tokens.make`.
        NotPermitted: It would be for more than the caller may.
    """
    return token_of(here, own_account(here, caller), scope, by=own_token(here, caller))


def token_of(
    here: Here, account: Account, scope: Scope, *, by: ApiToken | None = None
) -> tuple[ApiToken, str]:
    """Make a token of an account, whose owner proved who they are; see `make_token`.

    Args:
        here: The portal.
        account: Whose.
        scope: What for.
        by: The token that asks for it, which it cannot exceed.
    """
    token, secret = here.deployment.people.tokens.make(account, scope, by=by)
    detail = _said(token.rights, token.nodes, token.expires_at)
    note(here, account.person, "token.made", object=token.id, detail=detail)
    return token, secret


def revoke_token(here: Here, caller: Caller, token_id: str) -> None:
    """End a token of the caller's; a token may end itself, and others only where it is for everything.

    Raises:
        NotFound: They have no such token.
    """
    if caller.means is Means.SESSION or token_id != caller.credential:
        must_be_whole(here, caller)
    account = own_account(here, caller)
    here.deployment.people.tokens.revoke(account.id, token_id)
    note(here, caller, "token.revoked", object=token_id)


def _said(rights: tuple[Right, ...], nodes: tuple[str, ...], until: datetime) -> dict[str, str]:
    return {
        "rights": " ".join(rights) or "all",
        "nodes": " ".join(nodes) or "all",
        "until": until.date().isoformat(),
    }
