"""Licence duties: what a model's licence asks to travel with it, and what is known of the licence.

Owns finding licence files in a bundle and their places in a MAP. It names a licence only where the text
or the metadata leaves no doubt, and says what follows where there is none: without a licence nobody may
pass the model on.
"""

import json
import re
from contextlib import closing
from dataclasses import dataclass
from pathlib import PurePosixPath

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from bedside.model.bundle import Bundle
from bedside.model.layout import METADATA, open_layout
from bedside.oci.map.paths import entry_path
from bedside.oci.map.spec import model_folder
from bedside.oci.parts import Entry

#: Where licences lie in a MAP, one folder per model.
FOLDER = "/opt/holoscan/docs"
_NAMES = re.compile(r"(data_)?(licen[cs]e|copying|notice|copyright|authors)([-_.][\w.\-]*)?", re.IGNORECASE)
_FOLDERS = frozenset({"", "docs", "licenses", "LICENSES", "models"})
#: What one text alone says, to its name in the SPDX list; the first match counts.
_TEXTS = (
    (re.compile(r"Apache License\s+Version 2\.0"), "Apache-2.0"),
    (re.compile(r"Attribution-NonCommercial-ShareAlike 4\.0"), "CC-BY-NC-SA-4.0"),
    (re.compile(r"Attribution-NonCommercial 4\.0"), "CC-BY-NC-4.0"),
    (re.compile(r"Attribution-ShareAlike 4\.0"), "CC-BY-SA-4.0"),
    (re.compile(r"Attribution 4\.0"), "CC-BY-4.0"),
    (re.compile(r"Permission is hereby granted, free of charge"), "MIT"),
    (re.compile(r"Redistribution and use.*Neither the name", re.DOTALL), "BSD-3-Clause"),
    (re.compile(r"Redistribution and use", re.DOTALL), "BSD-2-Clause"),
)
#: What metadata of Python distributions calls licences whose SPDX name is beyond doubt.
_WORDS = {
    "mit license": "MIT",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "python software foundation license": "PSF-2.0",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """What is known of a model's licence.

    Attributes:
        expression: SPDX licence expression; empty where nobody knows.
        files: Relative names in the bundle of what has to travel.
        warning: What follows where there is none, a sentence; else empty.
    """

    expression: str
    files: tuple[str, ...]
    warning: str = ""


def licence_of(bundle: Bundle) -> Licence:
    """Return what a bundle says of its licence."""
    with closing(open_layout(bundle.path)) as layout:
        names = [name for name in layout.names() if _is_licence(name)]
        with layout.open(METADATA) as stream:
            stated = json.loads(stream.read()).get("license", "")
        expression = spdx_expression(str(stated))
        for name in names:
            if not expression and re.match("licen[cs]e|copying", PurePosixPath(name).name, re.IGNORECASE):
                with layout.open(name) as stream:
                    expression = _recognised(stream.read(1 << 18).decode("utf-8", "replace"))
    warning = ""
    if not names:
        warning = (
            f"bundle {bundle.name} holds no LICENSE: without one nobody but its authors may copy or run "
            "the model, so whoever gets the MAP has no right to it; add the authors' LICENSE and NOTICE"
        )
    return Licence(expression=expression, files=tuple(names), warning=warning)


def licence_entries(bundle: Bundle) -> list[Entry]:
    """Return a bundle's licence files as they lie in a MAP, below ``/opt/holoscan/docs/<model>/``."""
    folder = f"{entry_path(FOLDER)}/{model_folder(bundle.name)}"
    with closing(open_layout(bundle.path)) as layout:
        entries = []
        for name in filter(_is_licence, layout.names()):
            with layout.open(name) as stream:
                entries.append(Entry(path=f"{folder}/{name}", content=stream.read()))
    return entries


def spdx_expression(text: str) -> str:
    """Return what someone wrote as an SPDX licence expression, or ``""`` where it is none for certain."""
    plain = _WORDS.get(text.strip().lower(), text.strip())
    if not plain:
        return ""
    try:
        return str(canonicalize_license_expression(plain))
    except InvalidLicenseExpression:
        return ""


def _is_licence(name: str) -> bool:
    path = PurePosixPath(name)
    where = "" if str(path.parent) == "." else str(path.parent)
    return where in _FOLDERS and bool(_NAMES.fullmatch(path.name))


def _recognised(text: str) -> str:
    return next((name for pattern, name in _TEXTS if pattern.search(text)), "")
