"""`bedside deploy dead` as typed: what the queues gave up on is listed, explained, and sent back."""

import contextlib
import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from bedside.adapters.aws.events import JobHint
from bedside.adapters.aws.letters import SqsDeadLetters
from bedside.cli.deploy import dead
from bedside.cli.main import main
from bedside.deploy import workspace
from bedside.deploy.runner import Held
from clinic import Typed
from clouds import REGION, Cloud
from terraform import environment

HINT = JobHint(tenant="ward-3", job="3f2a81c0", pool="default").body()

ROOT = """
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}
variable "name" { type = string }
variable "region" { type = string }
provider "aws" { region = var.region }
resource "aws_sqs_queue" "dead_letters" {
  for_each = toset(["default", "gpu"])
  name     = "${var.name}-${each.key}-dead"
}
resource "aws_sqs_queue" "pool" {
  for_each       = aws_sqs_queue.dead_letters
  name           = "${var.name}-${each.key}"
  redrive_policy = jsonencode({ deadLetterTargetArn = each.value.arn, maxReceiveCount = 1 })
}
output "bucket" { value = "clinic" }
"""


def typed(*words: str) -> Typed:
    """Type a command as in a terminal that nobody sits at."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(("deploy", "dead", *words))
    return Typed(code, out.getvalue(), err.getvalue())


def bury(cloud: Cloud, url: str, *bodies: str) -> None:
    sqs = cloud.client("sqs")
    for body in bodies:
        sqs.send_message(QueueUrl=url, MessageBody=body)
        for _ in range(2):
            sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)


def arrival(tenant: str, name: str) -> str:
    s3 = {"bucket": {"name": "clinic"}, "object": {"key": f"input/{tenant}/{name}"}}
    return json.dumps({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": s3}]})


@pytest.fixture(autouse=True)
def no_long_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator has one server, which need not be waited for."""
    monkeypatch.setitem(SqsDeadLetters.__init__.__kwdefaults__, "wait_s", 0)


@pytest.fixture
def queue(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A queue whose dead letters a configuration finds without being told of them."""
    url = cloud.queue(attempts=1)
    (tmp_path / "bedside.toml").write_text(
        f'[system]\ntenants = ["ward-3"]\n[store]\nurl = "s3://clinic"\n[queue]\nurl = "{url}"\n'
    )
    monkeypatch.chdir(tmp_path)
    return url


def test_no_dead_letters(queue: str) -> None:
    told = typed("list")
    assert (told.code, len(told.out.splitlines())) == (0, 1)
    assert (
        told.err.startswith("no dead letters; jobs that failed")
        and "bedside deploy run -- job list" in told.err
    )
    assert typed("list", "--json").json == {"letters": [], "total": 0}
    assert typed("redrive").err == told.err  # nobody is asked about nothing
    assert typed("redrive", "--json").json == {"sent_back": 0}
    unknown = typed("show", "3f2a")
    assert unknown.code == 2 and "no dead letter 3f2a" in unknown.err


def test_dead_letters_are_shown_without_names_and_sent_back(queue: str, cloud: Cloud) -> None:
    bury(cloud, queue, arrival("ward-3", "Curie^Marie.zip"), arrival("ward-9", "x.zip"), HINT, "Curie^Marie")
    listed = typed("list")
    assert listed.code == 0 and "about 4" in listed.err
    assert [line.split()[1:3] for line in listed.out.splitlines()[1:3]] == [["arrival", "of"]] * 2
    assert "hint of job 3f2a81c0" in listed.out and "unknown" in listed.out and "ward-9" in listed.out
    letters = typed("list", "--json").json["letters"]
    why = {(letter["kind"], *letter["tenants"]): letter["reason"] for letter in letters}
    assert why["arrival", "ward-9"].startswith("tenant ward-9 is not among system.tenants")
    assert "the intake's log lines say why" in why["arrival", "ward-3"]
    assert why["hint", "ward-3"].endswith("bedside deploy run -- job show 3f2a81c0")
    assert "sending it back changes nothing" in why["unknown",]

    ours = next(letter for letter in letters if letter["tenants"] == ["ward-3"] and letter["objects"])
    shown = typed("show", ours["message"][:8])
    assert ours["message"] in shown.out and ours["objects"][0] in shown.out
    everything = listed.out + json.dumps(letters) + shown.out + typed("show", ours["message"], "--json").out
    assert "Curie" not in everything

    refused = typed("redrive", ours["message"])
    assert refused.code == 2 and "add --yes" in refused.err
    some = typed("redrive", ours["message"][:8], "--yes", "--json")
    assert some.json == {"sent_back": 1}
    assert cloud.messages(queue)["visible"] == 1
    assert typed("redrive", "--yes").err.endswith("3 sent back\n")
    assert cloud.messages(queue)["visible"] == 4
    assert cloud.messages(f"{queue}-dead")["visible"] == 0


def test_a_queue_that_buries_nothing(queue: str, cloud: Cloud) -> None:
    cloud.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": ""})
    told = typed("list")
    assert told.code == 3 and "SQS has no dead-letter queue for it" in told.err


def test_a_named_queue_comes_beside_those_of_the_pools(queue: str, cloud: Cloud, tmp_path: Path) -> None:
    named, gpu = cloud.queue(attempts=1), cloud.queue(attempts=1)
    with (tmp_path / "bedside.toml").open("a") as file:
        file.write(f'dead_url = "{named}-dead"\npools = {{ gpu = "{gpu}" }}\n')
    for url in (queue, named, gpu):
        bury(cloud, url, HINT)
    found = {letter["queue"] for letter in typed("list", "--json").json["letters"]}
    assert found == {f"{url.rpartition('/')[2]}-dead" for url in (named, gpu)}


def test_without_a_queue_in_the_configuration_the_state_says_which(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pools = {pool: cloud.queue(attempts=1) for pool in ("default", "gpu")}
    failed = cloud.queue()  # the waker's failed calls are no messages to send back
    letters = 'module.events.aws_sqs_queue.dead_letters["{}"]'
    ids = {letters.format(pool): f"{url}-dead" for pool, url in pools.items()}
    ids |= {"module.events.aws_sqs_queue.pool": pools["gpu"], "module.workers.aws_sqs_queue.waker": failed}
    held = [Held(address=address, type="aws_sqs_queue", id=url, arn="") for address, url in ids.items()]
    state = SimpleNamespace(held=lambda: held, outputs=lambda: {"bucket": "clinic"})
    site = SimpleNamespace(reopen=lambda: state, cloud=SimpleNamespace(region=REGION))
    monkeypatch.setattr(dead, "site_of", lambda _path, _state: site)
    monkeypatch.chdir(tmp_path)
    for url in (*pools.values(), failed):
        bury(cloud, url, HINT)
    assert typed("list", "--json").json["total"] == 2
    assert typed("redrive", "--yes", "--json").json == {"sent_back": 2}
    assert [cloud.messages(url)["visible"] for url in pools.values()] == [1, 1]


@pytest.mark.slow
@pytest.mark.needs("terraform")
def test_without_a_queue_in_the_configuration_it_is_what_apply_made(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = cloud.bucket()[-15:].replace("-", "")
    (tmp_path / "bedside.toml").write_text(f'[deploy]\nname = "q{name}"\nregion = "{REGION}"\n')
    modules = tmp_path / "modules-source"
    modules.mkdir()
    (modules / "main.tf").write_text(ROOT)
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", environment(tmp_path)["TF_CLI_CONFIG_FILE"])
    monkeypatch.setattr(workspace, "MODULES", modules)
    monkeypatch.chdir(tmp_path)
    nothing = typed("list", "--state", "local")
    assert nothing.code == 2 and "bedside deploy apply" in nothing.err
    assert main(("deploy", "apply", "--yes", "--state", "local")) == 0
    sqs = cloud.client("sqs")
    for pool in ("default", "gpu"):
        bury(cloud, sqs.get_queue_url(QueueName=f"q{name}-{pool}")["QueueUrl"], HINT)
    found = typed("list", "--json").json
    assert {letter["queue"] for letter in found["letters"]} == {
        f"q{name}-default-dead", f"q{name}-gpu-dead"
    }  # fmt: skip
    assert typed("redrive", "--yes", "--json").json == {"sent_back": 2}
