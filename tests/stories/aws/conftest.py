"""Stories on the applied deployment, whose model is a small MAP in a registry, unpacked once for all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from applied import Deployment
from aws_site import Models, Site, SiteOf
from foreign_map import APPLICATION, write_map
from registries import push_layout, run_registry
from services import PostgresServer

PIPELINE = """
[[pipeline]]
name = "count"
map = "{reference}"
max_attempts = 5

[[rule]]
name = "everything"
pipeline = "count"
"""
#: Long enough to lose power in the middle of it, on a busy machine too.
SLOW = APPLICATION.replace("try:\n", "import time\ntime.sleep(2.5)\ntry:\n", 1)
#: Gives each instance back under another UID: more than go into the archive by STOW-RS.
COPIES = f"""{APPLICATION}
(target / "dicom").mkdir()
for number, path in enumerate(sorted(source.rglob("*.dcm"))):
    content = path.read_bytes()
    at = content.index(b"\\x08\\x00\\x18\\x00UI")
    uid = content[at + 8 : at + 8 + content[at + 6]].rstrip(b"\\0")
    content = content.replace(uid, uid[:-1] + bytes([uid[-1] ^ 1]))
    (target / "dicom" / f"{{number:03d}}.dcm").write_bytes(content)
"""
#: By version.
PROGRAMS = {"1.0": APPLICATION, "2.0": APPLICATION, "slow": SLOW, "copies": COPIES}


@pytest.fixture
def aws(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """The applied deployment, this process's environment pointing at it, and its waker awake."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    for name, value in deployment.environment.items():
        monkeypatch.setenv(name, value)
    deployment.waker.fresh()
    deployment.waker.listen(monkeypatch)
    yield deployment
    assert deployment.waker.failures == []


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    folder = tmp_path_factory.mktemp("registry")
    with run_registry(folder) as registry:
        digests = {}
        for version, program in PROGRAMS.items():
            labels = {"org.opencontainers.image.version": version}
            made = write_map(folder / version, program=program, labels=labels)
            push_layout(registry, "models/count", version, made.path)
            digests[version] = made.digest
        yield Models(name=f"{registry}/models/count", digests=digests)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("unpacked")


@pytest.fixture
def site_of(
    aws: Deployment, postgres: PostgresServer, models: Models, cache: Path, tmp_path: Path
) -> Iterator[SiteOf]:
    """Begin a story whose only pipeline is one version of the MAP."""
    made: list[Site] = []

    def make(version: str, **more: object) -> Site:
        site = Site(
            folder=tmp_path / "site",
            deployment=aws,
            ledger_url=postgres.database(),
            pipelines=PIPELINE.format(reference=f"{models.name}:{version}"),
            cache=cache,
            **more,  # type: ignore[arg-type]
        )
        made.append(site)
        return site

    yield make
    for site in made:
        site.close()
