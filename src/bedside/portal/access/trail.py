"""The trail of who did what: every area notes here what somebody saw, sent, judged or changed."""

from collections.abc import Mapping

from bedside.portal.access.caller import Caller
from bedside.portal.here import Here


def note(
    here: Here,
    caller: Caller,
    action: str,
    /,
    *,
    tenant: str = "",
    object: str = "",  # noqa: A002 - of the sentence: subject, action, object
    detail: Mapping[str, str] | None = None,
) -> None:
    """Note one thing that somebody did.

    Args:
        here: The portal.
        caller: Who did it.
        action: ``noun.verb``, e.g. ``result.viewed``.
        tenant: Where; empty is the whole deployment.
        object: What it was done to, by an identifier of ours; never a name of a patient or a file.
        detail: What else matters, e.g. old and new value; no patient data.
    """
    here.deployment.log(action, person=caller.person.subject, tenant=tenant, object=object, **(detail or {}))
