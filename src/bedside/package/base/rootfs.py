"""Turns unpacked Debian packages into the root file system that a MAP needs, and nothing more.

Owns what dpkg, debconf and the packages' scripts would have done: merged ``/usr``, the CA bundle,
accounts, the list of installed packages for scanners. Leaves out manuals, translations and what only
an administrator inside a container would want; copyright files stay, as their licences demand.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from bedside.oci.parts import Entry, EntryKind
from bedside.package.base.deb import Deb

#: Changes with the rules of this module, so that no cache takes a layer of other rules for this one's.
RULES = 1
#: Top-level folders that became links into ``usr``.
_MERGED = ("bin", "sbin", "lib", "lib64")
_CA_FOLDER = "usr/share/ca-certificates/"
_CA_BUNDLE = "etc/ssl/certs/ca-certificates.crt"
_LEFT_OUT = (
    "etc/apt/", "etc/ca-certificates", "etc/cron", "etc/default/", "etc/issue", "etc/logcheck/",
    "etc/motd", "etc/profile.d/", "etc/skel/", "etc/update-motd.d/", "etc/init.d/", "usr/games",
    "usr/include", "usr/lib/binfmt.d/", "usr/lib/valgrind/", "usr/sbin/update-ca-certificates",
    "usr/share/applications/", "usr/share/apport/", "usr/share/base-files/", "usr/share/binfmts/",
    "usr/share/bug/", "usr/share/doc-base/", "usr/share/info/", "usr/share/lintian/",
    "usr/share/locale/", "usr/share/man/", "usr/share/pixmaps/", "usr/local/games", "usr/local/include",
    "usr/local/man", "usr/local/src", "usr/local/share/man", "usr/src", "usr/share/gcc/",
    "usr/share/python3/", "var/local", "var/mail", "var/opt", "boot", "media", "mnt", "srv",
    "usr/lib/x86_64-linux-gnu/gconv/", "usr/lib/aarch64-linux-gnu/gconv/",
)  # fmt: skip
#: Of the standard library: what needs a compiler, a terminal's window or a network to install from.
_LEFT_OUT_OF_PYTHON = re.compile(
    r"usr/lib/python3\.\d+/(ensurepip|idlelib|lib2to3|pydoc_data|test|tkinter|turtledemo|__phello__)(/|$)"
    r"|usr/lib/python3\.\d+/(turtle|antigravity)\.py$"
)
_COPYRIGHT = re.compile(r"usr/share/doc/[^/]+(/copyright)?")
#: uid of the runtime user, in both manifest generations' practice.
USER_ID = 1000
_ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/usr/sbin/nologin\n"
    f"bedside:x:{USER_ID}:{USER_ID}:bedside:/tmp:/usr/sbin/nologin\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": f"root:x:0:\nbedside:x:{USER_ID}:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n"
    "protocols: files\nservices: files\n",
}
_MODES = {"tmp": 0o1777, "var/tmp": 0o1777, "root": 0o755}


def root_entries(debs: Sequence[Deb], *, python: str) -> list[Entry]:
    """Return a root file system, sorted by path, without bytecode.

    Args:
        debs: The packages.
        python: Version that ``/usr/bin/python3`` leads to, e.g. ``3.11``.
    """
    merged = (merge_usr(entry) for deb in debs for entry in deb.entries)
    kept = {entry.path: entry for entry in merged if _kept(entry)}
    for entry in _made(kept.values(), debs, python=python):
        kept[entry.path] = entry
    present = kept.keys() | {parent for path in kept for parent in _parents(path)}
    for name in _MERGED:
        if f"usr/{name}" in present:
            kept[name] = Entry(path=name, kind=EntryKind.SYMLINK, mode=0o777, target=f"usr/{name}")
    return [kept[path] for path in sorted(kept)]


def merge_usr(entry: Entry) -> Entry:
    """Return an entry at its place below ``usr``, its links leading where they led before."""
    path = _merged_path(entry.path)
    if entry.kind is EntryKind.HARDLINK:
        return replace(entry, path=path, target=_merged_path(entry.target))
    if entry.kind is EntryKind.SYMLINK and path != entry.path and not entry.target.startswith("/"):
        led = posixpath.normpath(posixpath.join(posixpath.dirname(entry.path), entry.target))
        target = posixpath.relpath(_merged_path(led), posixpath.dirname(path))
        return replace(entry, path=path, target=target)
    return replace(entry, path=path)


def _merged_path(path: str) -> str:
    return f"usr/{path}" if path.partition("/")[0] in _MERGED else path


def _kept(entry: Entry) -> bool:
    if f"{entry.path}/".startswith(_LEFT_OUT) or _LEFT_OUT_OF_PYTHON.match(entry.path):
        return False
    if entry.path.startswith("usr/share/doc/"):
        return _COPYRIGHT.fullmatch(entry.path) is not None
    return True


def _made(kept: Iterable[Entry], debs: Sequence[Deb], *, python: str) -> Iterator[Entry]:
    """Yield what the packages' scripts would have made."""
    certificates = sorted(
        (entry.path, entry.content)
        for entry in kept
        if entry.path.startswith(_CA_FOLDER) and isinstance(entry.content, bytes)
        if entry.kind is EntryKind.FILE
    )
    if certificates:
        yield Entry(
            path=_CA_BUNDLE, content=b"".join(content.rstrip() + b"\n" for _, content in certificates)
        )
    for path, text in _ACCOUNTS.items():
        yield Entry(path=path, content=text.encode())
    stanzas = sorted(_installed(deb.control) for deb in debs)
    yield Entry(path="var/lib/dpkg/status", content="\n".join(stanzas).encode())
    links = {"usr/bin/python3": f"python{python}", "var/run": "/run", "var/lock": "/run/lock"}
    for path, target in links.items():
        yield Entry(path=path, kind=EntryKind.SYMLINK, mode=0o777, target=target)
    for path in ("tmp", "var/tmp", "root", "proc", "sys", "dev", "run", "opt", "home"):
        yield Entry(path=path, kind=EntryKind.DIRECTORY, mode=_MODES.get(path, 0o755))


def _installed(control: str) -> str:
    """Return a package's stanza as dpkg's list of installed packages has it."""
    first, _, rest = control.partition("\n")
    return f"{first}\nStatus: install ok installed\n{rest}"


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
