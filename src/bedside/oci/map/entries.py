"""The files of the last layer of a MAP: manifests, tools, application, and the folders they name.

Owns what lies where. Folders that a run writes into are open to every user, because hosts choose the
user; all else belongs to root and is the same in every run. Links are relative, so that an unpacked
MAP can be looked at from outside.
"""

from bedside.oci.map import manifests, paths
from bedside.oci.map.image import holoscan_environment, monai_environment
from bedside.oci.map.spec import MapSpec
from bedside.oci.parts import Entry, EntryKind

#: Of folders that any user's run writes into.
_OPEN = 0o777


def map_entries(spec: MapSpec, *, tools: bytes, application: bytes) -> list[Entry]:
    """Return the entries that make a container image a MAP; models and packages are other layers'.

    Args:
        spec: What the MAP says of itself.
        tools: The entry program, with its first line.
        application: ``__main__.py`` of the application folder.
    """
    holoscan, monai = holoscan_environment(spec), monai_environment(spec)
    return [
        _file(paths.APP_MANIFEST, manifests.app_manifest(spec, holoscan)),
        _file(paths.PKG_MANIFEST, manifests.pkg_manifest(spec)),
        _file(paths.MONAI_APP_MANIFEST, manifests.monai_app_manifest(spec, monai)),
        _file(paths.MONAI_PKG_MANIFEST, manifests.monai_pkg_manifest(spec)),
        _file(f"{paths.APPLICATION}/__main__.py", application),
        _file(paths.APP_CONFIG, manifests.app_config(spec)),
        _file(paths.TOOLS, tools, mode=0o755),
        _folder(paths.MODELS),
        _folder(paths.DOCS),
        _folder(paths.INPUT, _OPEN),
        _folder(paths.OUTPUT, _OPEN),
        _folder(paths.LOGS, _OPEN),
        _link(paths.MONAI_APPLICATION, "../holoscan/app"),
        _link(paths.MONAI_MODELS, "../holoscan/models"),
        _link(paths.MONAI_EXECUTOR, "../../../var/holoscan/tools"),
        _link(paths.MONAI_WORKDIR, "holoscan"),
        _link(f"{paths.PROGRAMS}/cat", "../../../var/holoscan/tools"),
    ]


def _file(path: str, content: bytes, *, mode: int = 0o644) -> Entry:
    return Entry(path=paths.entry_path(path), content=content, mode=mode)


def _folder(path: str, mode: int = 0o755) -> Entry:
    return Entry(path=paths.entry_path(path), kind=EntryKind.DIRECTORY, mode=mode)


def _link(path: str, target: str) -> Entry:
    return Entry(path=paths.entry_path(path), kind=EntryKind.SYMLINK, mode=0o777, target=target)
