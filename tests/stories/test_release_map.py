"""MAPs as releases: from a layout, an archive, a registry; promoted under a running serve."""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedside.domain.job import JobState
from bedside.oci.layout import OciLayout
from bedside.oci.reference import Reference
from bedside.oci.registry import Registries, push
from clinic import Clinic, zipped
from foreign_map import Layout, write_map
from map_samples import TINY_FILES, tiny_map
from nothing_bundle import write_study
from registries import run_registry
from serving import Serving, eventually


@pytest.fixture
def first(tmp_path: Path) -> Layout:
    return write_map(tmp_path / "first", labels={"org.opencontainers.image.version": "1.0"})


@pytest.fixture
def second(tmp_path: Path) -> Layout:
    return write_map(tmp_path / "second", labels={"org.opencontainers.image.version": "2.0"})


@pytest.fixture
def unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run containers with this machine's kernel alone, unpacked below a folder of the test."""
    monkeypatch.setenv("BEDSIDE_WORKER_ENGINE", "none")
    monkeypatch.setenv("BEDSIDE_CACHE", str(tmp_path / "cache"))


def digest_and_source(clinic: Clinic, source: object) -> tuple[str, str]:
    (added,) = clinic.type("release", "add", source, "--json").json["releases"]
    assert added["kind"] == "map" and added["size_bytes"] > 0
    return added["digest"], added["source"]


def test_a_map_is_one_release_from_a_folder_and_an_archive(
    clinic: Clinic, first: Layout, tmp_path: Path
) -> None:
    packed = tmp_path / "map.tar"
    with tarfile.open(packed, "w") as archive:
        for path in sorted(first.path.iterdir()):
            archive.add(path, path.name)
    for source in (first.path, packed, f"{first.path}@{first.digest}"):
        assert digest_and_source(clinic, source) == (first.digest, "")
    listed = clinic.type("release", "list", "--json").json["releases"]
    assert [(r["kind"], r["name"], r["version"]) for r in listed] == [
        ("map", "foreign", "1.0"),
        ("bundle", "nothing", "1.0"),
    ]
    assert OciLayout(clinic.root / "releases" / "maps").verify() == []


@pytest.mark.needs("docker-registry")
def test_a_tag_is_a_name_looked_up_when_a_release_is_added(clinic: Clinic, tmp_path: Path) -> None:
    maps = [tiny_map(tmp_path / f"tiny{n}", model=bytes([n])) for n in (1, 2)]
    (tmp_path / "registry").mkdir()
    with run_registry(tmp_path / "registry") as registry, Registries.of({}) as registries:
        tag = f"{registry}/tiny:prod"
        found = []
        for made in maps:
            push(made, Reference.parse(tag), registries)
            found.append(digest_and_source(clinic, tag))
        assert found == [(made.descriptor.digest, tag) for made in maps]
        show = clinic.type("release", "show", tag, "--json").json
        assert show["digest"] == maps[1].descriptor.digest, "the tag moved, and was looked up again"
        assert clinic.type("release", "promote", found[0][0]).code == 0
        # what is gone from here comes back from where it was had, by digest
        layout = OciLayout(clinic.root / "releases" / "maps")
        layout.blob(maps[0].descriptor.digest).unlink()
        release = clinic.here.releases.find(maps[0].descriptor.digest)
        assert clinic.here.maps.bring(release).descriptor.digest == maps[0].descriptor.digest
        missing = clinic.type("release", "add", f"{registry}/other:1")
        assert missing.code == 2, missing.err
    unreachable = clinic.type("release", "add", tag)
    assert unreachable.code == 5, unreachable.err
    assert clinic.type("release", "show", tag).code == 0


def test_what_is_no_map_is_refused(clinic: Clinic, tmp_path: Path) -> None:
    files = {path: data for path, data in TINY_FILES.items() if "app.json" not in path}
    layout = OciLayout(tmp_path / "layout")
    layout.add(tiny_map(tmp_path / "made", files=files), tag="x")
    refused = clinic.type("release", "add", layout.root)
    assert refused.code == 3 and "is no MAP" in refused.err
    assert [r["kind"] for r in clinic.type("release", "list", "--json").json["releases"]] == ["bundle"]


@pytest.mark.usefixtures("unpacked")
def test_a_bundle_gives_way_to_a_map(clinic: Clinic, first: Layout, tmp_path: Path) -> None:
    assert clinic.type("release", "promote", first.path).code == 0
    zipped(write_study(tmp_path / "study").iterdir(), clinic.inbox() / "study.zip")
    clinic.take()
    runner = clinic.here.runner(clinic.here.scratch / "w1")
    try:
        assert clinic.work(clinic.worker(runner=runner)) == 1
    finally:
        runner.close()
    job = clinic.job()
    assert job.state is JobState.SUCCEEDED, job.failure
    document = clinic.document(job)
    assert document["release"] == {"digest": first.digest, "name": "foreign", "version": "1.0"}
    assert "count.txt" in {file["path"] for file in document["files"]}


@pytest.fixture
def serving(tmp_path: Path, first: Layout, unpacked: None) -> Iterator[Serving]:
    made = Serving(tmp_path / "deployment", f'map = "{first.path}"')
    yield made
    made.close()


def test_a_running_worker_brings_a_promoted_map_beside_the_old_one(
    serving: Serving, first: Layout, second: Layout, tmp_path: Path
) -> None:
    from bedside.cli.main import main

    serving.start()
    serving.submit("one", behaviour="takes_1")
    assert eventually(lambda: serving.said("job.leased"), within_s=60), "\n".join(serving.lines[-20:])
    assert main(["-c", str(serving.folder / "bedside.toml"), "release", "promote", str(second.path)]) == 0

    def brought() -> bool:
        return any("action=release.here" in line and second.digest in line for line in serving.lines)

    assert eventually(brought, within_s=120), "\n".join(serving.lines[-20:])
    serving.submit("two")
    assert eventually(lambda: serving.settled(2), within_s=120), "\n".join(serving.lines[-20:])
    assert serving.stop() == 0
    versions = {}
    for job in serving.jobs():
        assert job.state is JobState.SUCCEEDED, job.failure
        document = json.loads((serving.root / "default" / job.prefix / "result.json").read_text())
        versions[document["release"]["digest"]] = document["release"]["version"]
    assert versions == {first.digest: "1.0", second.digest: "2.0"}
