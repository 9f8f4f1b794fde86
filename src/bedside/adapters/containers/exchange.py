"""The folders that a warm container and its worker share: one for studies, one for results.

Owns that a container sees one study at a time and nothing else of this machine: mounts cannot change
while a container runs, so what it works on is linked into folders that it has seen from the start.
"""

import contextlib
import os
import shutil
from pathlib import Path

from bedside.errors import ModelFailed, Unavailable


class Exchange:
    """The two folders of one container.

    Args:
        folder: A new folder of the worker's scratch space.
    """

    def __init__(self, folder: Path) -> None:
        self.input = folder / "in"
        self.output = folder / "out"
        self._folder = folder
        for place in (self.input, self.output):
            place.mkdir(parents=True)

    def lay_out(self, study: Path, run: str) -> None:
        """Let the container see a study.

        Raises:
            Unavailable: It cannot be linked or copied.
        """
        try:
            lay_out(study, self.input / run)
            (self.output / run).mkdir()
        except OSError as exc:
            raise Unavailable(f"container: its input cannot be laid out: {exc.strerror}") from exc

    def collect(self, run: str, target: Path) -> None:
        """Take over what the container wrote.

        Raises:
            ModelFailed: It wrote something that is neither a file nor a folder.
        """
        written = self.output / run
        for place in written.rglob("*"):
            if place.is_symlink() or not (place.is_file() or place.is_dir()):
                raise ModelFailed("container: its output holds a link or another special file")
        for place in list(written.iterdir()):
            place.rename(target / place.name)

    def clear(self, run: str) -> None:
        """Take a study and what is left of its run away."""
        for folder in (self.input / run, self.output / run):
            shutil.rmtree(folder, ignore_errors=True)

    def remove(self) -> None:
        """Remove both folders."""
        shutil.rmtree(self._folder, ignore_errors=True)


def lay_out(study: Path, folder: Path) -> None:
    """Link the files of a study into a folder, so that no link in it leads out of what is mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, target in _files(study):
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        _link(target, place)


def has_links(study: Path) -> bool:
    """Say whether a study holds symbolic links, which lead nowhere in a container."""
    return any(place.is_symlink() for place in study.rglob("*"))


def _files(study: Path) -> list[tuple[Path, Path]]:
    """Return the files of a study: their name in it, and where their bytes lie."""
    return [
        (place.relative_to(study), place.resolve() if place.is_symlink() else place)
        for place in sorted(study.rglob("*"))
        if place.is_file()
    ]


def _link(source: Path, place: Path) -> None:
    """Link a file, or copy it where it lies on another file system or may not be linked."""
    with contextlib.suppress(OSError):
        os.link(source, place)
        return
    shutil.copy2(source, place)  # with its time, which is part of a study's identity
