"""What somebody filled into a form about themselves, and what is wrong with it, field by field."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Form

from bedside.domain.account import FIELD_CHARACTERS, Profile, email_of
from bedside.errors import UsageError
from bedside.people.entering import WeakPassword
from bedside.portal.shell.words import LANGUAGES

#: Field of a form to the key of a text that says what is wrong with it.
Errors = dict[str, str]


class Marks(Errors):
    """What is wrong, for a template: nothing is wrong with a field that is not named."""

    def __missing__(self, field: str) -> str:
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """The fields about a person, as they came."""

    name: str = ""
    department: str = ""
    organisation: str = ""
    profession: str = ""
    phone: str = ""
    language: str = ""

    def profile(self) -> Profile:
        """Return what they say of themselves."""
        return Profile(
            name=self.name.strip(),
            department=self.department.strip(),
            organisation=self.organisation.strip(),
            profession=self.profession.strip(),
            phone=self.phone.strip(),
            language=self.language if self.language in LANGUAGES else "",
        )

    def errors(self) -> Errors:
        """Return what is wrong, by field."""
        found: Errors = {}
        for field in ("name", "department", "organisation", "profession", "phone"):
            text = str(getattr(self, field)).strip()
            if len(text) > FIELD_CHARACTERS or not (text.isprintable()):
                found[field] = "people.field_wrong"
        if not self.name.strip():
            found["name"] = "people.name_missing"
        return found


def filled(
    name: Annotated[str, Form()] = "",
    department: Annotated[str, Form()] = "",
    organisation: Annotated[str, Form()] = "",
    profession: Annotated[str, Form()] = "",
    phone: Annotated[str, Form()] = "",
    language: Annotated[str, Form()] = "",
) -> Filled:
    """Return the fields of a form."""
    return Filled(
        name=name,
        department=department,
        organisation=organisation,
        profession=profession,
        phone=phone,
        language=language,
    )


AboutYou = Annotated[Filled, Depends(filled)]


def email_errors(email: str) -> Errors:
    """Return what is wrong with an address."""
    try:
        email_of(email)
    except UsageError:
        return {"email": "people.email_wrong"}
    return {}


def password_errors(check: Callable[[], None], password: str, again: str) -> Errors:
    """Return what is wrong with a new password.

    Args:
        check: Raises `WeakPassword`.
        password: As filled in.
        again: As filled in a second time.
    """
    try:
        check()
    except WeakPassword as weak:
        return {"password": f"people.password_{weak.weakness}"}
    return {} if password == again else {"again": "people.password_again_wrong"}
