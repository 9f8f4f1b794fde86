"""Notices and metrics as those who look after a deployment meet them."""

import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import nothing_bundle
from bedside.cli.main import main
from clouds import Cloud
from serving import Serving
from webhook_server import Hook, run_webhook

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="  # pragma: allowlist secret
IN_A_FILE = 'webhook_secret_file = "secret"\n'  # pragma: allowlist secret

#: Fails on a study whose first instance says so, and writes one file of any other.
PROGRAM = f"""#!{sys.executable} -IS
import os, sys
source, target = sys.argv[1], sys.argv[2]
names = sorted(os.listdir(source))
if len(names) == 3:
    sys.exit(1)
os.mkdir(f"{{target}}/dicom")
with open(f"{{target}}/dicom/a.dcm", "w") as file:
    file.write("\\n".join(names))
"""


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with run_webhook() as running:
        yield running


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configure(here: Path, notify: str) -> None:
    (here / "bedside.toml").write_text(f'[deploy]\nname = "ward"\n\n[notify]\n{notify}')


def told(hook: Hook) -> list[dict[str, str]]:
    """Return every notice that came, whatever it came in."""
    return [notice for call in hook.calls for notice in json.loads(call.body)["notices"]]


def test_a_test_notice_goes_through_every_channel(
    here: Path, hook: Hook, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "secret").write_text(SECRET + "\n")
    configure(here, f'log = true\nwebhook_url = "{hook.url}"\n{IN_A_FILE}')
    assert main(["notify", "test"]) == 0
    printed = capsys.readouterr()
    rows = [line.split() for line in printed.out.splitlines()[1:]]
    assert [(row[0], row[-1]) for row in rows] == [("log", "sent"), ("webhook", "sent")]
    assert hook.path not in printed.out + printed.err
    (call,) = hook.calls
    assert json.loads(call.body)["kind"] == "test"
    assert json.loads(call.body)["deployment"] == "ward"
    assert call.headers["webhook-signature"].startswith("v1,")
    assert "action=notice " in printed.err


def test_a_channel_that_does_not_take_it_says_why(
    here: Path, hook: Hook, capsys: pytest.CaptureFixture[str]
) -> None:
    hook.status = 500
    mail = 'email_to = ["a@ward.example"]\nemail_from = "b@ward.example"\n'
    mail += 'smtp_host = "127.0.0.1"\nsmtp_port = 9\n'
    configure(here, f'webhook_url = "{hook.url}"\nwebhook_secret = "{SECRET}"\n{mail}')
    assert main(["notify", "test", "--json"]) == 5
    channels = {each["channel"]: each for each in json.loads(capsys.readouterr().out)["channels"]}
    assert channels["webhook"]["reason"] == "webhook: 127.0.0.1 answers 500"
    assert "127.0.0.1:9 was not reached" in channels["email"]["reason"]
    assert main(["notify", "test", "--channel", "webhook"]) == 5
    assert "webhook: webhook: 127.0.0.1 answers 500" in capsys.readouterr().err.replace("\n", " ")
    assert main(["notify", "test", "--channel", "topic"]) == 2
    assert "these are: webhook, email" in capsys.readouterr().err


def test_a_machines_topic_is_named_by_its_environment(
    here: Path, cloud: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = cloud.queue()
    arn = cloud.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    sns = cloud.client("sns")
    topic = sns.create_topic(Name=queue.rpartition("/")[2])["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
    configure(here, "")
    monkeypatch.setenv("BEDSIDE_NOTIFY_TOPIC_ARN", topic)
    monkeypatch.setenv("BEDSIDE_METRICS_DEPLOYMENT", "clinic")
    assert main(["notify", "test"]) == 0
    (message,) = cloud.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    body = json.loads(message["Body"])
    assert body["Subject"] == "bedside clinic: 1 test: notices arrive here"
    assert json.loads(body["Message"])["kind"] == "test"


def test_without_a_channel_it_says_what_to_set(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(here, "")
    assert main(["notify", "test"]) == 3
    assert "nobody is told" in capsys.readouterr().err
    assert main(["config", "check"]) == 0
    assert "notices: nobody is told of dead jobs" in capsys.readouterr().out


def test_what_is_shown_hides_secrets_and_what_cannot_be_meant_fails_a_check(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEDSIDE_NOTIFY_SMTP_PASSWORD", "right-horse")
    url = "https://me:pw@hook.example/T0/private?x=1"  # pragma: allowlist secret
    configure(here, f'webhook_url = "{url}"\nwebhook_secret = "{SECRET}"\n')
    assert main(["config", "show"]) == 0
    printed = capsys.readouterr().out
    assert '"https://hook.example/***"' in printed
    assert not [word for word in ("right-horse", SECRET, "private", "pw@") if word in printed]
    assert main(["config", "check"]) == 0
    assert "notices by webhook: https://hook.example/***" in capsys.readouterr().out
    configure(here, f'webhook_url = "https://hook.example/x"\n{IN_A_FILE}')
    assert main(["config", "check"]) == 3
    assert "secret cannot be read" in capsys.readouterr().out
    configure(here, 'webhook_url = ["a"]\nkinds = ["job.died"]\n')
    assert main(["config", "check"]) == 3
    assert "'job.dead'" in capsys.readouterr().err


def test_serve_tells_of_what_needs_a_person_and_counts_all_of_it(tmp_path: Path, hook: Hook) -> None:
    program = tmp_path / "program"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    serving = Serving(tmp_path / "deployment", f'command = ["{program}", "{{input}}", "{{output}}"]')
    metrics = serving.folder / "metrics.log"
    text = (serving.folder / "bedside.toml").read_text().replace("max_attempts = 20", "max_attempts = 2")
    notify = f'[notify]\nwebhook_url = "{hook.url}"\nwebhook_secret = "{SECRET}"\n'
    counts = '[metrics]\nsink = "emf"\nfile = "metrics.log"\n[deploy]\nname = "ward"\n'
    (serving.folder / "bedside.toml").write_text(text + notify + counts)
    serving.submit("good")
    for seed in ("bad", "worse"):
        study = nothing_bundle.write_study(tmp_path / seed, seed=seed)
        with zipfile.ZipFile(serving.inbox / f"{seed}.zip", "w") as archive:
            for path in sorted(study.iterdir())[:3]:
                archive.write(path, f"Doe^Jane/{path.name}")
    (serving.inbox / "Doe^Jane.zip").write_bytes(b"no ZIP")
    serving.start("--once")
    try:
        assert serving.process is not None and serving.process.wait(60) == 0, "\n".join(serving.lines)
    finally:
        serving.close()

    notices = told(hook)
    assert sorted(notice["kind"] for notice in notices) == ["input.rejected", "job.dead", "job.dead"]
    assert {notice["job"] for notice in notices if "job" in notice} == {
        job.id for job in serving.jobs() if job.state == "dead"
    }
    documents = [json.loads(line) for line in metrics.read_text().splitlines()]
    sums = {
        name: sum(document.get(name, 0) for document in documents)
        for name in ("Arrivals", "InputsRejected", "JobsSucceeded", "JobsDead", "JobsRetried", "NoticesLost")
    }
    assert sums == {
        "Arrivals": 3,
        "InputsRejected": 1,
        "JobsSucceeded": 1,
        "JobsDead": 2,
        "JobsRetried": 2,
        "NoticesLost": 0,
    }
    assert {document["Deployment"] for document in documents} == {"ward"}
    said = metrics.read_text() + "".join(call.body.decode() for call in hook.calls)
    assert not [word for word in ("Doe", "Jane", ".zip", "1.2.") if word in said]


def test_a_promotion_is_told_and_one_that_is_not_is_said_to_whoever_promotes(
    here: Path, hook: Hook, capsys: pytest.CaptureFixture[str]
) -> None:
    bundles = [nothing_bundle.write_bundle(here / name) for name in ("one", "two")]
    metadata = bundles[1] / "configs" / "metadata.json"
    metadata.write_text(metadata.read_text().replace('"version": "', '"version": "9.'))
    assert main(["init", str(bundles[0])]) == 0
    with (here / "bedside.toml").open("a") as file:
        file.write(f'\n[notify]\nwebhook_url = "{hook.url}"\nwebhook_secret = "{SECRET}"\ndigest_s = 0\n')
    assert main(["release", "promote", str(bundles[1])]) == 0
    hook.status = 404
    assert main(["release", "rollback"]) == 0
    said = capsys.readouterr().err
    assert "nobody was told by webhook: webhook: 127.0.0.1 answers 404" in said
    kinds = [notice["kind"] for notice in told(hook)]
    assert kinds == ["release.promoted", "release.promoted", "release.rolled_back"]
