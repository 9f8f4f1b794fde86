"""Where somebody goes next: a path of ours, whatever an address says."""

from urllib.parse import urlsplit


def local_path(wanted: str) -> str:
    """Return a wanted path where it is one of ours, or else the first page.

    Browsers take a backslash for a slash and leave out tabs and ends of lines, so none may be in it.
    """
    parts = urlsplit(wanted) if wanted.isprintable() and "\\" not in wanted else None
    ours = parts and not parts.scheme and not parts.netloc and wanted.startswith("/")
    return wanted if ours and not wanted.startswith("//") else "/"
