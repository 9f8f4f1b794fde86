"""Debian's control files and version numbers, as far as the making of a lock needs them.

Owns the order of versions (deb-version(7)): digits count as numbers, ``~`` comes before everything, even
the end. Refuses nothing: what is no version sorts somewhere.
"""

import re
from collections.abc import Iterator
from itertools import zip_longest

_FIELD = re.compile(r"^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)


def stanzas(text: str) -> Iterator[dict[str, str]]:
    """Yield the paragraphs of a control file, fields by name; folded lines keep their line breaks."""
    for block in text.split("\n\n"):
        if block.strip():
            yield dict(_FIELD.findall(block))


def version_key(version: str) -> tuple[int, tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
    """Return what sorts like a Debian version."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, "0"
    return int(epoch or 0), _part_key(upstream), _part_key(revision)


def _part_key(part: str) -> tuple[tuple[int, ...], ...]:
    """Return one part's key: words and numbers in turn, a word's letters by Debian's order."""
    words = re.split(r"(\d+)", part)
    pairs = zip_longest(words[0::2], words[1::2], fillvalue="0")
    return tuple((*(_order(letter) for letter in word), 0, int(number)) for word, number in pairs)


def _order(letter: str) -> int:
    if letter == "~":
        return -1
    return ord(letter) if letter.isalpha() else ord(letter) + 256
