"""What of each npm package is served, and what is done to it on the way into ``vendor/``.

Owns the choice and the changes; refuses to guess: a file or a place that is to be changed and is not there
stops the build, since a new version may have moved it.
"""

import gzip
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import browser_ohif

#: Notices of packages that ship none themselves.
NOTICES = Path(__file__).parent / "notices"
#: Bigger files lie beside themselves packed, as browsers take them.
PACKED_BYTES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One package of which something is served.

    Attributes:
        name: As doctor and the pages call it.
        package: As npm calls it.
        take: Copies from the package's folder into ``vendor/``.
    """

    name: str
    package: str
    take: Callable[[Path, Path], None]


def _file(inner: str, target: str) -> Callable[[Path, Path], None]:
    def take(package: Path, vendor: Path) -> None:
        path = vendor / target
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package / inner, path)
        if path.stat().st_size > PACKED_BYTES:
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))

    return take


PARTS: Sequence[Part] = (
    Part(name="htmx", package="htmx.org", take=_file("dist/htmx.min.js", "htmx.min.js")),
    Part(name="htmx-sse", package="htmx-ext-sse", take=_file("dist/sse.min.js", "htmx-sse.min.js")),
    Part(name="NiiVue", package="@niivue/niivue", take=_file("dist/index.js", "niivue/index.js")),
    Part(name="OHIF", package="@ohif/app", take=browser_ohif.take),
)

#: A comment that speaks of a licence or of whose work it is.
_COMMENT = re.compile(r"/\*(?:[^*]|\*(?!/))*\*/|(?:^[ \t]*//[^\n]*\n)+", re.MULTILINE)
_SPEAKS = re.compile(r"@license|licen[cs]ed?\b|copyright|\(c\)", re.IGNORECASE)
#: Names a package in the comment before one of its modules.
_MODULE = re.compile(
    r"^[ ;]*// (?:[A-Z]+ MODULE: )?\S*node_modules/((?:@[\w.-]+/)?[\w.-]+)/(?!\S*node_modules/)", re.MULTILINE
)
#: Longer ones are code that somebody commented out.
_LONGEST = 8000


def licences(modules: Path) -> str:
    """Return the licences and notices of everything that is served, as one text.

    Each package's own, then what stands in the comments of its bundles, since those hold the work of
    others, whose packages are not here.
    """
    parts = ["What is in this folder is the work of others, under the licences below.\n"]
    for part in PARTS:
        package = modules / part.package
        own = sorted(p for p in package.iterdir() if re.match(r"(?i)licen[cs]e|notice|copying", p.name))
        own = own or [NOTICES / f"{part.package.rpartition('/')[2]}.txt"]
        parts += [_heading(part.package), *(path.read_text(encoding="utf-8").strip() + "\n" for path in own)]
        bundles = sorted((package / "dist").glob("*.js"))
        found = dict.fromkeys(comment for bundle in bundles for comment in _comments(bundle))
        if found:
            parts += [_heading(f"{part.package}: notices in its bundles"), *found]
        inside = sorted({name for bundle in bundles for name in _MODULE.findall(_text(bundle))})
        if inside:
            parts += [_heading(f"{part.package}: packages of npm that its bundles hold parts of"), *inside]
    return "\n".join(parts)


def _text(bundle: Path) -> str:
    return bundle.read_text(encoding="utf-8", errors="replace")


def _comments(bundle: Path) -> list[str]:
    text = _text(bundle)
    return [
        re.sub(r"[ \t]+$", "", match[0].strip(), flags=re.MULTILINE) + "\n"
        for match in _COMMENT.finditer(text)
        if len(match[0]) <= _LONGEST and _SPEAKS.search(match[0])
    ]


def _heading(text: str) -> str:
    return f"\n{'=' * 100}\n{text}\n{'=' * 100}\n"
