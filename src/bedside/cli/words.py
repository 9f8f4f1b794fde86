"""What a child says it does, in words for a person. Unknown words pass as they are."""

from collections.abc import Mapping

WORDS: Mapping[str, str] = {
    "fetch": "fetching the study",
    "unpack": "unpacking the study",
    "start": "starting the model",
    "load": "loading the model",
    "read": "reading the series",
    "pre": "preparing the volume",
    "forward": "running the network",
    "post": "finishing the masks",
    "write": "writing the results",
}


def said(doing: str) -> str:
    """Return what is done now, as a person would say it."""
    return WORDS.get(doing, doing)
