"""How a value of a search meets an attribute: single values, lists of UIDs, wild cards, ranges.

Owns the form in which attributes are kept for searching, and the one translation of what somebody asks
into it, so that every catalogue finds the same. Names of people match whatever their case and accents, and
in any of their three groups. See PS3.4 C.2.2.2.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bedside.domain.catalogue import Attributes
from bedside.domain.searchable import Field
from bedside.errors import UsageError

#: VRs in which ``*`` and ``?`` are wild cards. See PS3.4 C.2.2.2.4.
_WILD = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_RANGES = frozenset({"DA", "TM"})
#: More stars make matching slow and mean nothing that fewer do not.
_MAX_STARS = 16
_MAX_CHARACTERS = 1024
#: What a star becomes; nobody writes it, since what they write is escaped.
_ANY = "[^\n]*"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
_TIME = re.compile(r"(\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d{1,6}))?)?)?")
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What an attribute must be. Exactly one of the three ways is used.

    Attributes:
        field: Which attribute.
        one_of: It is one of these, as kept.
        pattern: A regular expression of what is kept, as Python and PostgreSQL both read it.
        low: At least this, as kept.
        high: At most this, as kept.
    """

    field: Field
    one_of: tuple[str, ...] = ()
    pattern: str = ""
    low: str = ""
    high: str = ""


def match_of(field: Field, text: str) -> Match | None:
    """Return what a key of a search asks for; None where everything matches.

    Raises:
        UsageError: It is no date, time or UID where it must be one, or too long.
    """
    text = _CONTROL.sub("", text).strip()
    if len(text) > _MAX_CHARACTERS and field.vr != "UI":
        raise UsageError(f"{field.keyword}: {len(text)} characters, at most {_MAX_CHARACTERS}")
    if not text or (field.vr in _WILD and not text.strip("*")):
        return None
    if field.vr == "UI":
        uids = tuple(part.strip() for part in re.split(r"[,\\]", text) if part.strip())
        if not all(re.fullmatch(r"[0-9.]{1,64}", uid) for uid in uids):
            raise UsageError(f"{field.keyword}: not a UID, nor UIDs with commas between")
        return Match(field=field, one_of=uids) if uids else None
    if field.vr in _RANGES:
        return _range(field, text)
    if field.vr == "IS":
        if not re.fullmatch(r"[+-]?\d{1,11}", text):
            raise UsageError(f"{field.keyword}: not a whole number")
        return Match(field=field, one_of=(str(int(text)),))
    wanted = folded(text) if field.vr == "PN" else text
    wild = "*" in wanted or "?" in wanted
    if not field.several:
        return Match(field=field, pattern=f"^{_wild(field, wanted)}$") if wild else _one(field, wanted)
    return Match(field=field, pattern=f"\n{_wild(field, wanted)}\n")


def kept(field: Field, attributes: Attributes) -> str:
    """Return an attribute as it is kept for searching; empty where it has no value."""
    values = [_plain(field, value) for value in _values(attributes, field.tag)]
    if field.several:
        parts = [part for value in values for part in value.split("\n") if part]
        return "\n" + "\n".join(parts) + "\n" if parts else ""
    return "\\".join(values)


def meets(match: Match, value: str) -> bool:
    """Return whether a kept attribute is what a match wants."""
    if match.one_of:
        return value in match.one_of
    if match.pattern:
        return fits(match.pattern, value)
    return value != "" and match.low <= value and (not match.high or value <= match.high)


def fits(pattern: str, value: str) -> bool:
    """Return whether a pattern of a match fits, in time that grows with the value and not with its powers.

    Python goes back from each star to each one before it: six in a name of 64 letters take seconds, sixteen
    for ever, and the whole process waits. What stands between two stars may as well be taken where it comes
    first, and never be looked for again (an atomic group, which PostgreSQL neither knows nor needs).
    """
    return _compiled(pattern).search(value) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    first, *between = pattern.split(_ANY)
    if not between:
        return re.compile(pattern)
    last = between.pop()
    return re.compile(f"{first}{''.join(f'(?>{_ANY}?{each})' for each in between)}{_ANY}{last}")


def folded(name: str) -> str:
    """Return a person's name without case and accents, and without empty components at its end."""
    apart = unicodedata.normalize("NFKD", name.casefold())
    bare = "".join(c for c in apart if not unicodedata.combining(c))
    groups = [re.sub(r"\s+", " ", g).strip().rstrip("^ ") for g in bare.split("=")]
    return "=".join(groups).rstrip("=")


def _one(field: Field, value: str) -> Match:
    return Match(field=field, one_of=(value,))


def _wild(field: Field, wanted: str) -> str:
    wanted = re.sub(r"\*+", "*", wanted)
    if wanted.count("*") > _MAX_STARS:
        raise UsageError(f"{field.keyword}: {wanted.count('*')} wild cards, at most {_MAX_STARS}")
    return "".join(map(_escaped, wanted))


def _escaped(character: str) -> str:
    if character == "*":
        return _ANY
    if character == "?":
        return "[^\n]"
    # Letters and whatever is not ASCII stand for themselves in both languages of regular expressions.
    return character if character.isalnum() or character == " " or ord(character) > 127 else f"\\{character}"


def _range(field: Field, text: str) -> Match:
    normal = _date if field.vr == "DA" else _time
    low, dash, high = text.partition("-")
    if not dash:
        found = normal(low, last=False)
        if found is None:
            raise UsageError(f"{field.keyword}: not a {'date' if field.vr == 'DA' else 'time'} of DICOM")
        return _one(field, found)
    ends = [
        normal(end.strip(), last=last) if end.strip() else "" for end, last in ((low, False), (high, True))
    ]
    if None in ends or not any(ends):
        raise UsageError(f"{field.keyword}: not a range A-B, A- or -B of {field.vr}")
    return Match(field=field, low=ends[0] or "", high=ends[1] or "")


def _date(text: str, *, last: bool) -> str | None:  # noqa: ARG001 - as `_time`
    found = _DATE.fullmatch(text)
    return "".join(found.groups()) if found else None


def _time(text: str, *, last: bool) -> str | None:
    """Return ``HHMMSS.ffffff``; what is left out is the first moment of it or the last."""
    found = _TIME.fullmatch(text)
    if not found:
        return None
    filler = ("59", "59", "999999") if last else ("00", "00", "000000")
    hour, minute, second, fraction = found.groups()
    fraction = fraction.ljust(6, filler[2][0]) if fraction else filler[2]
    return f"{hour}{minute or filler[0]}{second or filler[1]}.{fraction}"


def _values(attributes: Attributes, path: str) -> Iterable[Any]:
    tag, _, rest = path.partition(".")
    values = attributes.get(tag, {}).get("Value") or ()
    if not rest:
        return values
    return [value for item in values if isinstance(item, Mapping) for value in _values(item, rest)]


def _plain(field: Field, value: Any) -> str:
    if value is None:
        return ""
    if field.vr == "PN":
        groups = [str(value.get(group, "")) for group in _GROUPS] if isinstance(value, Mapping) else []
        return "\n".join(folded(_CONTROL.sub(" ", group)) for group in groups)
    text = _CONTROL.sub(" ", str(value)).strip()
    if field.vr == "DA":
        return _date(text, last=False) or text
    if field.vr == "TM":
        return _time(text, last=False) or text
    return text
