"""Where somebody goes next: a path of ours, whatever an address says."""

from urllib.parse import urlsplit


def local_path(wanted: str) -> str:
    """Return a wanted path where it is one of ours, or else the first page.

    Browsers take a backslash for a slash and leave out tabs and ends of lines, so none may be in it.
    """
    ours = (
        wanted.isprintable() and "\\" not in wanted and wanted.startswith("/") and not wanted.startswith("//")
    )
    parts = urlsplit(wanted) if ours else None  # what begins so is a path, and never an address that is none
    return wanted if parts and not parts.scheme and not parts.netloc else "/"
