"""Deployments that a story is lived on: one machine with its folders, or two as on AWS, on the emulators.

Everything runs as processes of its own, started as people start it. On AWS the machine that answers browsers
has no worker and the one that reads has no portal, as the Terraform modules start them; they have folders of
their own, so that what one needs of the other has to be in the bucket or in the database. The bucket lets in
a page of another origin only as its own rules say, and these are those that our module of Terraform writes.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import bedside.deploy
from bedside.phantom import example_bundle
from clouds import Cloud, run_moto
from services import PostgresServer

CONFIGURATION = f"""
[system]
root = "data"
tenants = []

[intake]
quiet_s = 0.2
poll_s = 0.2

[worker]
device = "cpu"
threads = 1
poll_s = 0.1
engine = "none"

[[pipeline]]
name = "spleen"
bundle = "{example_bundle()}"

[[rule]]
name = "spleen on CT"
pipeline = "spleen"
when = "Modality == 'CT'"
"""
AWS = """
[portal]
url = "{url}"

[store]
url = "s3://{bucket}"

[queue]
url = "{queue}"

[ledger]
url = "{ledger}"
"""
STARTED_S, SETTLED_S = 60, 30


@dataclass(frozen=True, kw_only=True)
class Emulated:
    """What is between the machines."""

    cloud: Cloud
    bucket: str
    queue: str


@dataclass(frozen=True, kw_only=True)
class Running:
    """A deployment that runs.

    Attributes:
        url: Of its portal.
        first: The link of the first administrator.
        takes_parts: How addresses begin to which browsers send parts.
        logs: What its processes say.
        control: Folder of the machine that answers browsers.
        emulated: Store and queue; None is one machine with its folders.
    """

    url: str
    first: str
    takes_parts: str
    logs: Sequence[Path]
    control: Path
    emulated: Emulated | None = None

    def words(self) -> str:
        """Return all that its processes said."""
        return "".join(log.read_text() for log in self.logs)

    def look_behind(self) -> None:
        """Check what a person does not see: where all of it lies, and that nothing is left to do."""
        there = self.emulated
        if there is None:
            assert list(self.control.glob("data/hospital.ct/results/**/seg.dcm"))
            return
        s3 = there.cloud.client("s3")
        keys = [one["Key"] for one in s3.list_objects_v2(Bucket=there.bucket)["Contents"]]
        assert [key for key in keys if key.startswith("results/hospital.ct/") and key.endswith("seg.dcm")]
        assert not [key for key in keys if "Rao" in key or key.startswith("input/")]
        unfinished = s3.list_multipart_uploads(Bucket=there.bucket)
        assert "Uploads" not in unfinished, "what is half-sent costs money for ever"
        assert not list(self.control.rglob("*.dcm")), "the machine that answers browsers keeps no study"
        give_up = time.monotonic() + SETTLED_S
        while any(there.cloud.messages(there.queue).values()):
            assert time.monotonic() < give_up, "nothing is left to do"
            time.sleep(0.2)


@contextmanager
def on_folders(folder: Path) -> Iterator[Running]:
    """Run one machine, which does everything."""
    port = free_port()
    with machine(folder / "all", CONFIGURATION, ["--portal", f"127.0.0.1:{port}"]) as log:
        url = f"http://127.0.0.1:{port}"
        yield Running(
            url=url,
            first=first_link(log),
            takes_parts=f"{url}/api/v1/tenants/hospital.ct/uploads/",
            logs=[log],
            control=log.parent,
        )


@contextmanager
def on_aws(folder: Path, postgres: PostgresServer) -> Iterator[Running]:
    """Run a machine that answers browsers and one that reads, around a bucket and a queue."""
    url = f"http://127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        cloud = stack.enter_context(run_moto(as_buckets_allow=True))
        bucket = cloud.bucket()
        cloud.client("s3").put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [cors_rule(url)]})
        queue = cloud.queue(announces=bucket)
        text = CONFIGURATION + AWS.format(url=url, bucket=bucket, queue=queue, ledger=postgres.database())
        listen = url.removeprefix("http://")
        control = stack.enter_context(
            machine(folder / "control", text, ["--workers", "0", "--portal", listen], cloud.environment)
        )
        first = first_link(control)
        worker = stack.enter_context(
            machine(folder / "worker", text, ["--workers", "1", "--portal", ""], cloud.environment)
        )
        yield Running(
            url=url,
            first=first,
            takes_parts=f"{cloud.url}/{bucket}/",
            logs=[control, worker],
            control=control.parent,
            emulated=Emulated(cloud=cloud, bucket=bucket, queue=queue),
        )


@contextmanager
def machine(
    folder: Path, configuration: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[Path]:
    """Run `bedside serve` in a folder of its own until the block ends; give the file of what it says."""
    folder.mkdir()
    (folder / "bedside.toml").write_text(configuration)
    log = folder / "serve.log"
    inherited = {name: v for name, v in os.environ.items() if name != "BEDSIDE_PORTAL_LISTEN"}
    with log.open("wb") as words:
        process = subprocess.Popen(
            [sys.executable, "-m", "bedside", "serve", *arguments],
            cwd=folder,
            env={**inherited, **(environment or {})},
            stdout=words,
            stderr=words,
        )
    try:
        until_said(log, "action=serve.ready", process)
        yield log
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def first_link(log: Path) -> str:
    """Wait until the portal of a machine answers; return the link that it prints."""
    until_said(log, "action=portal.ready")
    found = re.search(r"http://\S+/first/\S+", log.read_text())
    assert found, log.read_text()
    return found[0]


def until_said(log: Path, words: str, process: "subprocess.Popen[bytes] | None" = None) -> None:
    """Wait until a machine says something."""
    give_up = time.monotonic() + STARTED_S
    while words not in log.read_text():
        assert time.monotonic() < give_up and (process is None or process.poll() is None), log.read_text()
        time.sleep(0.1)


def cors_rule(origin: str) -> dict[str, list[str]]:
    """Return what our module of Terraform lets a page do in a bucket, read from the module itself."""
    assert bedside.deploy.__file__ is not None
    module = Path(bedside.deploy.__file__).with_name("terraform") / "modules/storage/main.tf"
    rule = module.read_text(encoding="utf-8").partition("cors_rule {")[2].partition("}")[0]
    written = dict(re.findall(r"(\w+)\s*=\s*\[(.*?)\]", rule))
    values = {name: re.findall(r'"([^"]*)"', text) for name, text in written.items()}
    return {
        "AllowedOrigins": [origin],
        "AllowedMethods": values["allowed_methods"],
        "AllowedHeaders": values["allowed_headers"],
        "ExposeHeaders": values["expose_headers"],
    }


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port
