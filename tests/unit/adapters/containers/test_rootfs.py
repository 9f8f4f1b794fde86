"""Unpacked container images: brought once, kept while somebody uses them, and no more than a few."""

import os
import subprocess
import sys
from pathlib import Path

from bedside.adapters.containers.rootfs import RootfsCache
from bedside.oci.layout import OciLayout
from bedside.oci.open import ContainerImage, read_container_image
from map_samples import tiny_map

#: A process that brings one and waits for its end.
HOLDER = """
import sys
from pathlib import Path
from bedside.adapters.containers.rootfs import RootfsCache
cache = RootfsCache(Path(sys.argv[1]))
assert cache._use(Path(sys.argv[2]))
print("holds", flush=True)
sys.stdin.read()
"""


def image(folder: Path, number: int) -> ContainerImage:
    layout = OciLayout(folder / "layout")
    descriptor = layout.add(tiny_map(folder, model=bytes([number])), tag=str(number))
    return read_container_image(layout, descriptor)


def test_the_few_used_last_stay_and_those_that_a_process_uses(tmp_path: Path) -> None:
    folder = tmp_path / "rootfs"
    roots = [RootfsCache(folder).bring(image(tmp_path, number)) for number in range(4)]
    for age, root in enumerate(reversed(roots)):
        os.utime(root.parent, (1e9 - age, 1e9 - age))
    command = [sys.executable, "-c", HOLDER, str(folder), str(roots[0].parent)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"holds\n"
        assert RootfsCache(folder).sweep(kept=2) == 1
        assert [root.is_dir() for root in roots] == [True, False, True, True]
    assert RootfsCache(folder).sweep(kept=2) == 1
    assert [root.is_dir() for root in roots] == [False, False, True, True]
    assert sorted(place.name for place in folder.iterdir()) == sorted(r.parent.name for r in roots[2:])


def test_one_that_was_removed_is_unpacked_again(tmp_path: Path) -> None:
    folder, sample = tmp_path / "rootfs", image(tmp_path, 1)
    root = RootfsCache(folder).bring(sample)
    assert RootfsCache(folder).sweep(kept=0) == 1
    assert not root.exists()
    cache = RootfsCache(folder)
    assert cache.bring(sample) == root
    assert (root / "opt/holoscan/models/upper/model.ts").read_bytes() == b"\x01"
    assert RootfsCache(folder).sweep(kept=0) == 0, "the cache above uses it"
