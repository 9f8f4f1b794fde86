"""Attributes by the words that people use for them: keywords of PS3.6, or tags."""

import re

from pydicom.datadict import tag_for_keyword

_TAG = re.compile(r"[0-9a-fA-F]{8}")


def path_of(words: str) -> str:
    """Return an attribute as tags of eight upper-case digits with dots between; empty where it is none.

    Args:
        words: Keyword or tag; of an attribute in a sequence several, with dots.
    """
    tags = [_tag(word) for word in words.split(".")]
    return ".".join(tags) if all(tags) else ""


def _tag(word: str) -> str:
    if _TAG.fullmatch(word):
        return word.upper()
    found = tag_for_keyword(word) if word else None  # an empty one is the keyword of retired attributes
    return "" if found is None else f"{found:08X}"
