"""What bedside writes is read by skopeo, umoci, podman and docker, and what they write by bedside."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bedside.oci.archive import write_archive
from bedside.oci.compress import Compression
from bedside.oci.layout import OciLayout
from bedside.oci.manifest import index
from bedside.oci.open import open_place, read_container_image
from engines import running_dockerd
from map_samples import TINY_FILES, tiny_map

BOTH = pytest.mark.parametrize("compression", [Compression.GZIP, Compression.ZSTD])


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


@pytest.mark.needs("skopeo")
@BOTH
def test_skopeo_reads_folder_and_tar(tmp_path: Path, compression: Compression) -> None:
    made = tiny_map(tmp_path, compression=compression)
    OciLayout(tmp_path / "layout").add(made, tag="v1")
    write_archive(made, tmp_path / "x.tar", name="tiny:v1")
    for place in (f"oci:{tmp_path}/layout:v1", f"oci-archive:{tmp_path}/x.tar"):
        said = json.loads(run("skopeo", "inspect", place))
        assert said["Digest"] == made.descriptor.digest
        assert said["Layers"] == [part.descriptor.digest for part in made.parts[1:]]
        assert said["Labels"]["org.opencontainers.image.title"] == "tiny"
    run("skopeo", "copy", f"oci:{tmp_path}/layout:v1", f"oci:{tmp_path}/copy:v1")
    assert OciLayout(tmp_path / "copy").resolve("v1").digest == made.descriptor.digest
    assert OciLayout(tmp_path / "copy").verify() == []


@pytest.mark.needs("skopeo")
def test_what_skopeo_makes_of_it_for_docker_is_read_back(tmp_path: Path) -> None:
    made = tiny_map(tmp_path)
    OciLayout(tmp_path / "layout").add(made, tag="v1")
    run("skopeo", "copy", f"oci:{tmp_path}/layout:v1", f"docker-archive:{tmp_path}/d.tar:tiny:v1")
    where, found = open_place(tmp_path / "d.tar", OciLayout(tmp_path / "back"))
    image = read_container_image(where, found)
    assert [layer.diff_id for layer in image.layers] == json.loads(made.parts[0].path.read_bytes())["rootfs"][
        "diff_ids"
    ]


@pytest.mark.needs("umoci")
def test_umoci_unpacks_what_was_packed(tmp_path: Path) -> None:
    OciLayout(tmp_path / "layout").add(tiny_map(tmp_path, model=b"m"), tag="v1")
    run("umoci", "unpack", "--rootless", "--image", f"{tmp_path}/layout:v1", tmp_path / "bundle")
    for path, content in {**TINY_FILES, "opt/holoscan/models/upper/model.ts": b"m"}.items():
        assert (tmp_path / "bundle/rootfs" / path).read_bytes() == content


@contextmanager
def podman_here() -> Iterator[tuple[list[str | Path], dict[str, str]]]:
    """Podman with everything of its own below one folder, whose name must be short."""
    with tempfile.TemporaryDirectory(prefix="bp-", dir="/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        conf = folder / "containers.conf"
        conf.write_text(
            '[containers]\ndefault_ulimits=["nofile=20000:20000","nproc=30000:30000"]\n'
            '[engine]\nruntime="runc"\ncgroup_manager="cgroupfs"\nevents_logger="file"\n'
        )
        roots = ["--root", folder / "root", "--runroot", folder / "run", "--storage-driver", "vfs"]
        yield ["podman", *roots], {"CONTAINERS_CONF": str(conf), "TMPDIR": name}


@pytest.mark.needs("podman", "runc")
@BOTH
def test_podman_loads_the_tar_under_its_name(tmp_path: Path, compression: Compression) -> None:
    made = tiny_map(tmp_path, compression=compression, model=b"m")
    write_archive(made, tmp_path / "x.tar", name="tiny:v1")
    with podman_here() as (podman, environment):
        run(*podman, "load", "-i", tmp_path / "x.tar", **environment)
        (said,) = json.loads(run(*podman, "inspect", "--type", "image", "tiny:v1", **environment))
    assert said["Digest"] == made.descriptor.digest
    assert said["Id"] == made.parts[0].descriptor.hex


@pytest.mark.needs("podman", "runc")
def test_podman_loads_an_index(tmp_path: Path) -> None:
    members = [tiny_map(tmp_path, architecture=one) for one in ("amd64", "arm64")]
    write_archive(index(members), tmp_path / "x.tar", name="tiny:v1")
    with podman_here() as (podman, environment):
        run(*podman, "load", "-i", tmp_path / "x.tar", **environment)
        (said,) = json.loads(run(*podman, "inspect", "--type", "image", "tiny:v1", **environment))
    assert said["Id"] in {member.parts[0].descriptor.hex for member in members}


@pytest.mark.needs("dockerd", "docker")
@pytest.mark.skipif(os.geteuid() != 0, reason="dockerd needs root")
def test_docker_loads_the_tar_and_what_it_saves_is_read_back(tmp_path: Path) -> None:
    made = tiny_map(tmp_path, model=b"m")
    write_archive(made, tmp_path / "x.tar", name="tiny:v1")
    both = index([tiny_map(tmp_path, model=b"n"), tiny_map(tmp_path, architecture="arm64")])
    write_archive(both, tmp_path / "index.tar", name="tiny:both")
    with (
        tempfile.TemporaryDirectory(prefix="bd-", dir="/tmp", ignore_cleanup_errors=True) as folder,
        running_dockerd(Path(folder)) as host,
    ):
        docker = ["docker", "--host", host]
        for name in ("x", "index"):
            run(*docker, "load", "-i", tmp_path / f"{name}.tar")
        (said,) = json.loads(run(*docker, "inspect", "tiny:v1"))
        (first,) = json.loads(run(*docker, "inspect", "tiny:both"))
        run(*docker, "save", "tiny:v1", "-o", tmp_path / "saved.tar")
    assert said["Id"] == made.parts[0].descriptor.digest
    assert first["Id"] == both.members[0].parts[0].descriptor.digest
    assert said["Config"]["User"] == "1000:1000"
    where, found = open_place(tmp_path / "saved.tar", OciLayout(tmp_path / "back"))
    image = read_container_image(where, found)
    assert image.config["config"]["Entrypoint"] == ["/opt/holoscan/app/run"]
    assert [layer.diff_id for layer in image.layers] == said["RootFS"]["Layers"]
