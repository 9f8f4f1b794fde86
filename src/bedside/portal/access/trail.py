"""The trail of who did what: every area notes here what somebody saw, sent, judged or changed.

A note is written before its caller goes on: where the trail is out of reach nothing is shown or done
that nobody could find in it later.
"""

from collections.abc import Mapping

from bedside.domain.audit import Deed
from bedside.domain.person import Person
from bedside.portal.access.caller import Caller
from bedside.portal.access.origin import origin
from bedside.portal.here import Here


def note(
    here: Here,
    caller: Caller | Person | None,
    action: str,
    /,
    *,
    tenant: str = "",
    object: str = "",  # noqa: A002 - of the sentence: subject, action, object
    detail: Mapping[str, str] | None = None,
) -> None:
    """Note one thing that somebody did, in the audit trail and in the log.

    Args:
        here: The portal.
        caller: Who did it; None where nobody is known, as at a sign-in that failed.
        action: ``noun.verb``, e.g. ``result.viewed``.
        tenant: Where; empty is the whole deployment.
        object: What it was done to, by an identifier of ours; never a name of a patient or a file.
        detail: What else matters, e.g. old and new value; no patient data.

    Raises:
        Unavailable: The trail is out of reach.
    """
    person = caller.person if isinstance(caller, Caller) else caller
    deployment, subject = here.deployment, person.subject if person else ""
    record = deployment.records.audit.append(
        Deed(
            at=deployment.clock.now(),
            person=subject,
            address=origin(deployment.settings.portal.audit_address),
            action=action,
            tenant=tenant,
            object=object,
            detail=dict(detail or {}),
        )
    )
    # The hash leaves the database with the log: who changes the trail later would have to change that too.
    ours = {"person": subject, "tenant": tenant, "object": object, "audit": f"{record.number}:{record.hash}"}
    deployment.log(action, **{**(detail or {}), **ours})
