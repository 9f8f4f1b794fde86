"""The texts of the pages, in every language that there is.

Owns the catalogue: one TOML file per area in ``words/``, each text with all its languages side by side,
so that whoever changes one sees the other. A text that is missing is a mistake of ours and not of a
visitor's, so its key is shown, and a test looks that there is none.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "es")


class Words:
    """The texts of one language.

    Args:
        language: One of `LANGUAGES`.
    """

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, key: str, /, **values: object) -> str:
        """Return a text with its values put in, e.g. ``words("upload.left", files=3)``."""
        texts = catalogue().get(key)
        if texts is None:
            return key
        return texts[self.language].format(**values) if values else texts[self.language]

    def below(self, prefix: str) -> Mapping[str, str]:
        """Return all texts whose keys begin so, for scripts of a page."""
        return {k: texts[self.language] for k, texts in catalogue().items() if k.startswith(prefix)}


@cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Return every text by ``area.key`` and language."""
    found: dict[str, Mapping[str, str]] = {}
    for file in sorted(files("bedside.portal").joinpath("words").iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".toml"):
            continue
        area = file.name.removesuffix(".toml")
        for key, texts in tomllib.loads(file.read_text(encoding="utf-8")).items():
            found[f"{area}.{key}"] = texts
    return found


def chosen(wish: str, accepted: str) -> str:
    """Return the language to speak.

    Args:
        wish: What the person chose, or empty.
        accepted: The browser's ``Accept-Language``.
    """
    asked = [wish, *(part.partition(";")[0].strip().partition("-")[0] for part in accepted.split(","))]
    return next((language for language in asked if language in LANGUAGES), LANGUAGES[0])
