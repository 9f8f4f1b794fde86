"""What a page says aloud, and English in it that is not marked as English.

Reads visible text and the names that screen readers read, outside of code, scripts and whatever is marked
``lang="en"``. English is found by the small words that every sentence of it has and no Spanish one.
"""

import re
from html.parser import HTMLParser

#: None of them is a word of Spanish, nor a keyword or a name that pages show.
ENGLISH = re.compile(
    r"\b(the|is|of|was|and|are|not|with|this|that|from|which|been|were|its|it|there|cannot|must|than|for|by|to"
    r"|only|see|none|other|your|you|what)\b",
    re.IGNORECASE,
)
_VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
_SILENT = frozenset({"script", "style", "code", "pre", "svg", "textarea", "kbd"})
_NAMES = ("aria-label", "title", "placeholder", "alt")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        above = bool(self._open) and self._open[-1][1]
        language = values.get("lang")
        aside = tag in _SILENT or (above if language is None or tag == "html" else language == "en")
        if "code" in (values.get("class") or "").split():
            aside = True
        if not aside:
            self.said += [values[name] or "" for name in _NAMES if values.get(name)]
        if tag not in _VOID:
            self._open.append((tag, aside))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if data.strip() and self._open and not self._open[-1][1]:
            self.said.append(" ".join(data.split()))


def said(html: str) -> list[str]:
    """Return what a page says, piece by piece, without what is marked as English or as code."""
    reader = _Reader()
    reader.feed(html)
    return reader.said


def english(html: str) -> list[str]:
    """Return what of it is English."""
    return [text for text in said(html) if ENGLISH.search(text)]
