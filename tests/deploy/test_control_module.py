"""The control machine: its module planned against moto, its nginx and its certificate with real programs.

nginx is Debian's, behind it the answer that `bedside serve` gives; the certificate comes from pebble, the
server that clients of Let's Encrypt are tested with, through certbot. That Amazon Linux has both, and that a
machine starts at all, is not seen here; test_terraform.py applies the module with all others.
"""

import base64
import json
import os
import shlex
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest

from bedside.adapters.dicomnet import Called, DicomReceiver, Doors, ReceiverOptions, TlsFiles, echo
from bedside.adapters.local.blobs import FolderBlobStore
from bedside.adapters.local.health import HealthServer
from bedside.config import load
from bedside.deploy.workspace import MODULES as ROOT
from bedside.ports.audit import AuditFilter
from bedside.wiring.queue import listened, takes_in
from bedside.worker.instances import InstanceKeeper
from bedside.worker.observe import Observer
from bedside.worker.pulse import Pulse
from clouds import REGION, Cloud
from conftest import find_program
from control_machine import DOMAIN, Machine, acme_server, free_port, heredoc, self_made
from portal_accounts import PASSWORD, clinic, post
from portal_serving import serving
from portal_site import SETTINGS
from serving import eventually
from terraform import Terraform, copy_of_modules, environment

MODULES = ROOT / "modules"
TLS = "/etc/bedside/tls"
#: Of senders; only its form matters to the module.
CLIENT_CA = "-----BEGIN CERTIFICATE-----\nTUlJ\n-----END CERTIFICATE-----\n"
QUEUE = {"url": "https://sqs.example/clinic-default", "arn": f"arn:aws:sqs:{REGION}:123456789012:clinic"}


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory, moto: Cloud) -> dict[str, dict[str, Any]]:
    """Make what else the module's plan does not know yet; return the values of all its resources."""
    if find_program("terraform") is None:
        pytest.skip("terraform not found in PATH")
    folder = tmp_path_factory.mktemp("control")
    ec2 = moto.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]
    group = ec2.create_security_group(
        GroupName="control-alone", Description="of a test", VpcId=subnet["VpcId"]
    )
    variables = {
        "name": "alone",
        "region": REGION,
        "domain": DOMAIN,
        "bucket": "alone-bucket",
        "bucket_arn": "arn:aws:s3:::alone-bucket",
        "queue_url": QUEUE["url"],
        "pool_queues": {"default": QUEUE, "gpu": {**QUEUE, "url": "https://sqs.example/gpu"}},
        "subnet_ids": [subnet["SubnetId"]],
        "security_group_id": group["GroupId"],
        "ledger_url_parameter_name": "/alone/ledger/url",
        "node_archive_key": "software/node.tar",
        "topic_arn": f"arn:aws:sns:{REGION}:123456789012:alone",
        "dicom_from": ["203.0.113.7/32", "10.20.0.0/16"],
        "dicom_port": 2762,
        "dicom_client_ca": CLIENT_CA,
    }
    source = {"source": f"{copy_of_modules(folder / 'all')}//modules/control"}
    provider = {"region": REGION, "skip_metadata_api_check": True}
    root = folder / "root"
    root.mkdir()
    document = {"provider": {"aws": provider}, "module": {"it": {**source, **variables}}}
    (root / "main.tf.json").write_text(json.dumps(document))
    terraform = Terraform(folder=root, environment=environment(root, moto.environment))
    terraform.run("init", "-input=false")
    first = ("aws_eip.this", "aws_iam_role_policy.this")
    targets = [f"-target=module.it.{name}" for name in first]
    terraform.run("apply", "-input=false", "-auto-approve", *targets)
    terraform.run("plan", "-input=false", "-out=all")
    planned = json.loads(terraform.run("show", "-json", "all").stdout)["planned_values"]
    found = planned["root_module"]["child_modules"][0]["resources"]
    return {item["address"].removeprefix("module.it."): item["values"] for item in found}


@pytest.fixture(scope="module")
def script(applied: dict[str, dict[str, Any]]) -> str:
    """The user data."""
    return base64.b64decode(applied["aws_launch_template.this"]["user_data"]).decode()


@pytest.mark.needs("terraform")
def test_there_is_exactly_one_machine_and_it_is_closed_and_encrypted(applied: Any) -> None:
    group = applied["aws_autoscaling_group.this"]
    assert (group["min_size"], group["desired_capacity"], group["max_size"]) == (1, 1, 1)
    template = applied["aws_launch_template.this"]
    metadata = template["metadata_options"][0]
    assert (metadata["http_tokens"], metadata["http_put_response_hop_limit"]) == ("required", 1)
    assert template["block_device_mappings"][0]["ebs"][0]["encrypted"] == "true"
    assert template["credit_specification"][0]["cpu_credits"] == "standard"
    assert not template["key_name"]
    opened = [values for address, values in applied.items() if "security_group_ingress" in address]
    found = {(rule["from_port"], rule["to_port"], rule["cidr_ipv4"]) for rule in opened}
    senders = {(2762, 2762, cidr) for cidr in ("203.0.113.7/32", "10.20.0.0/16")}
    assert found == {(80, 80, "0.0.0.0/0"), *senders}


@pytest.mark.needs("terraform")
def test_its_role_has_the_certificates_area_its_own_address_and_nothing_of_others(applied: Any) -> None:
    policy = json.loads(applied["aws_iam_role_policy.this"]["policy"])
    statements = {statement["Sid"]: statement for statement in policy["Statement"]}
    everywhere = {sid for sid, statement in statements.items() if statement["Resource"] == "*"}
    assert everywhere == {"RegistryToken", "Metrics", "Commands"}
    sessions = {"ssmmessages:CreateDataChannel", "ssmmessages:OpenDataChannel"}
    assert not sessions & set(statements["Commands"]["Action"])
    assert statements["Metrics"]["Condition"] == {"StringEquals": {"cloudwatch:namespace": "bedside"}}
    assert statements["Certificate"]["Resource"] == "arn:aws:s3:::alone-bucket/control/*"
    assert statements["Address"]["Resource"] == applied["aws_eip.this"]["arn"]
    assert statements["AddressOfWhom"]["Condition"] == {
        "StringEquals": {"aws:ResourceTag/bedside:deployment": "alone"}
    }
    assert statements["Replace"]["Resource"].endswith(":autoScalingGroupName/alone-control")
    actions = {
        action
        for statement in policy["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert not [action for action in actions if "*" in action or action.startswith(("iam:", "ecr:Put"))]


@pytest.mark.needs("terraform")
def test_what_it_counts_is_written_where_the_agent_reads(script: str) -> None:
    metrics = "/var/log/bedside/metrics.log"
    assert f"\nBEDSIDE_METRICS_FILE='{metrics}'\n" in script
    assert "\nBEDSIDE_METRICS_SINK='emf'\n" in script
    assert f'"file_path": "{metrics}"' in script
    assert f"install --owner bedside --group bedside --mode 0640 /dev/null {metrics}\n" in script
    unit = heredoc(script, "/etc/systemd/system/bedside-serve.service")
    assert f"ReadWritePaths=/var/lib/bedside {metrics}\n" in unit  # the rest is read-only


@pytest.mark.needs("terraform", "bash")
def test_the_user_data_parses_and_fits(script: str, tmp_path: Path) -> None:
    assert len(script.encode()) < 16_384  # AWS's limit
    files = {"node.sh": script}
    for name in ("certificate", "watch"):
        files[f"{name}.sh"] = heredoc(script, f"/usr/local/sbin/bedside-{name}")
    for name, text in files.items():
        path = tmp_path / name
        path.write_text(text)
        subprocess.run(["bash", "-n", path], check=True)
        if shellcheck := shutil.which("shellcheck"):
            subprocess.run([shellcheck, path], check=True)
    assert "/alone/ledger/url" in script and "postgresql" not in script  # the password is fetched


@pytest.mark.needs("terraform")
def test_what_the_machine_is_told_makes_it_take_in_and_hint_to_every_pool(
    script: str, tmp_path: Path
) -> None:
    told = script.split("cat > /etc/bedside/environment <<END\n", 1)[1].split("\nEND\n", 1)[0]
    environment = dict(shlex.split(line)[0].split("=", 1) for line in told.splitlines() if "BEDSIDE_" in line)
    (tmp_path / "bedside.toml").write_text('[worker]\npools = ["gpu"]\ncount = 2\n')
    environment.pop("BEDSIDE_LEDGER_URL")  # fetched when the machine starts
    settings = load(tmp_path / "bedside.toml", environment=environment, flags={}).settings
    assert (settings.worker.count, settings.serve.health) == (0, "127.0.0.1:8081")
    assert (settings.portal.listen, settings.portal.address) == ("127.0.0.1:8080", f"https://{DOMAIN}")
    assert settings.portal.is_secure
    assert takes_in(settings) and listened(settings) == [QUEUE["url"]]
    assert settings.queue.pools == {"default": QUEUE["url"], "gpu": "https://sqs.example/gpu"}
    assert settings.notify.topic_arn.endswith(":alone")
    assert settings.store.url == "s3://alone-bucket"
    dicom = settings.dicom
    assert (dicom.port, dicom.address, dicom.networks) == (
        2762,
        "0.0.0.0",
        ("203.0.113.7/32", "10.20.0.0/16"),
    )
    assert (dicom.tls_certificate, dicom.tls_key) == (f"{TLS}/fullchain.pem", f"{TLS}/privkey.pem")
    assert heredoc(script, dicom.tls_client_ca) == CLIENT_CA
    assert [ae.title for ae in dicom.ae] == ["BEDSIDE"]
    assert "key_reader='bedside'" in heredoc(script, "/etc/bedside/control")


@pytest.mark.needs("terraform")
def test_an_alarm_tells_when_nothing_is_taken_in_or_nobody_is_there(applied: Any, script: str) -> None:
    alarm = applied["aws_cloudwatch_metric_alarm.healthy"]
    assert (alarm["threshold"], alarm["comparison_operator"]) == (1, "LessThanThreshold")
    assert (alarm["treat_missing_data"], alarm["dimensions"]) == ("breaching", {"Deployment": "alone"})
    watch = heredoc(script, "/usr/local/sbin/bedside-watch")
    assert f"--metric-name {alarm['metric_name']}" in watch


@pytest.fixture
def pulse() -> Pulse:
    return Pulse(lambda: 1.0)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody may look into: pytest's own are closed to nginx, which works as nobody."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def machine(script: str, place: Path, pulse: Pulse) -> Iterator[Machine]:
    """A machine behind whose nginx the answer of `bedside serve` is given."""
    server = HealthServer("127.0.0.1:0", pulse.look)
    yield Machine(script, place, server.port)
    server.close()


@pytest.mark.needs("terraform", "nginx", "openssl")
def test_https_shows_how_it_is_and_pretends_nothing(machine: Machine, pulse: Pulse) -> None:
    self_made(machine.folder / "tls", f"DNS:{DOMAIN}")
    (machine.folder / "acme" / ".well-known" / "acme-challenge").mkdir(parents=True)
    (machine.folder / "acme" / ".well-known" / "acme-challenge" / "token").write_text("proof")
    plain = f"http://127.0.0.1:{machine.http}"
    with machine.serving():
        assert (machine.get("/health").status_code, machine.get("/health").json()["status"]) == (
            503,
            "starting",
        )
        pulse.beat()
        well = machine.get("/health")
        assert (well.status_code, well.json()["status"]) == (200, "ok")
        assert well.headers["strict-transport-security"] == "max-age=31536000"
        resting = machine.get("/patients/Doe%5EJane")
        assert (resting.status_code, resting.headers["retry-after"]) == (503, "30")
        assert resting.headers["strict-transport-security"] and "Try again" in resting.text
        # Another name gets no certificate, and plain HTTP nothing but the proof and the way here.
        with pytest.raises(httpx.ConnectError, match=r"(?i)unrecognized name"):
            machine.get("/health", name="other.example")
        assert httpx.get(f"{plain}/.well-known/acme-challenge/token").text == "proof"
        moved = httpx.get(f"{plain}/health?x=1")
        assert (moved.status_code, moved.headers["location"]) == (301, f"https://{DOMAIN}/health?x=1")
    logged = "".join(path.read_text() for path in (machine.folder / "log").iterdir())
    assert " GET 200 " in logged and "Doe" not in logged


@pytest.mark.needs("terraform", "nginx", "openssl")
def test_the_portal_answers_behind_https(script: str, place: Path, tmp_path: Path) -> None:
    settings = SETTINGS.replace('listen = ""', f'listen = ""\nurl = "https://{DOMAIN}"')
    with clinic(tmp_path, settings) as people, serving(people.app) as address:
        people.account("rao", post("clinician", "default"))
        machine = Machine(script, place, free_port(), int(address.rpartition(":")[2]))
        self_made(machine.folder / "tls", f"DNS:{DOMAIN}")
        with machine.serving():
            page = machine.get("/sign-in")
            assert page.status_code == 200 and "default-src 'none'" in page.headers["content-security-policy"]
            assert page.headers.get_list("strict-transport-security") == ["max-age=31536000"]
            assert page.headers.get_list("referrer-policy") == ["same-origin"]
            given = {"email": "rao@ward.example", "password": PASSWORD}
            entered = machine.post("/sign-in", given)
            assert entered.status_code == 303, entered.text
            cookie = entered.headers["set-cookie"]
            assert cookie.startswith("__Host-") and "Secure" in cookie and "HttpOnly" in cookie
            session = {"Cookie": cookie.partition(";")[0]}
            assert "default" in machine.get("/", headers=session).text
            big = machine.post("/sign-in", {"email": "x" * 3_000_000})
            assert big.status_code != 413, "parts of studies are larger than nginx's own limit"
    (record,) = people.deployment.records.audit.records(AuditFilter(action="session.begun"))
    assert record.deed.address.startswith("127."), "who asks is whom nginx saw"


@pytest.mark.needs("terraform", "nginx", "openssl")
def test_a_serve_that_is_down_is_said_to_be_down(script: str, place: Path) -> None:
    machine = Machine(script, place, free_port())
    self_made(machine.folder / "tls", f"DNS:{DOMAIN}")
    with machine.serving():
        answer = machine.get("/health")
        assert (answer.status_code, answer.json()) == (503, {"status": "down"})


@pytest.mark.needs("terraform", "nginx", "openssl", "certbot", "pebble", "pebble-challtestsrv")
def test_the_certificate_comes_by_acme_and_outlives_the_machine(
    machine: Machine, script: str, applied: Any, pulse: Pulse, tmp_path_factory: pytest.TempPathFactory
) -> None:
    address = applied["aws_eip.this"]["public_ip"]
    pulse.beat()
    with acme_server(tmp_path_factory.mktemp("pebble"), machine.http) as (directory, trusted, management):
        control = (machine.folder / "control").read_text()
        assert f"address='{address}'" in control and "https://acme-v02.api.letsencrypt.org/dir" in control
        told = control.replace("https://acme-v02.api.letsencrypt.org/directory", directory)
        (machine.folder / "control").write_text(told)
        machine.certify("--first")
        with machine.serving():
            with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
                machine.get("/health")
            waits = machine.certify(trusting=trusted)
            assert waits == f"certificate: {DOMAIN} points to 203.0.113.9 , and must to {address}\n"
            assert machine.certify(trusting=trusted, points=address).startswith("certificate: new, until ")
            root = tmp_path_factory.mktemp("authority") / "root.pem"
            root.write_text(
                httpx.get(
                    f"https://127.0.0.1:{management}/roots/0",
                    verify=ssl.create_default_context(cafile=str(trusted)),
                ).text
            )
            assert eventually(lambda: _reaches(machine, root), within_s=10), "nginx has not the new one"
            assert machine.certify(trusting=trusted, points=address) == "", "asked for twice"
    # pebble is gone: the next machine has what this one kept.
    other = Machine(script, tmp_path_factory.mktemp("next"), free_port())
    shutil.copytree(machine.folder / "kept", other.folder / "kept", dirs_exist_ok=True)
    other.certify("--first")
    for name in ("fullchain.pem", "privkey.pem"):
        assert (other.folder / "tls" / name).read_bytes() == (machine.folder / "tls" / name).read_bytes()
    assert (other.folder / "tls" / "privkey.pem").stat().st_mode & 0o777 == 0o640


@pytest.mark.needs("terraform", "openssl")
def test_the_receiver_reads_the_certificate_that_nginx_has(machine: Machine, tmp_path: Path) -> None:
    machine.certify("--first")
    key = machine.folder / "tls" / "privkey.pem"
    assert (key.stat().st_mode & 0o777, key.stat().st_gid) == (0o640, os.getegid())
    files = TlsFiles(certificate=machine.folder / "tls" / "fullchain.pem", key=key)
    root = tmp_path / "root"
    keeper = InstanceKeeper(blobs=FolderBlobStore(root), scratch=root / ".work")
    doors = Doors(
        called={"BEDSIDE": Called(tenant="ward")},
        networks=[ip_network("127.0.0.0/8")],
        serves=lambda _: True,
    )
    receiver = DicomReceiver(ReceiverOptions(tls=files), doors, keeper.keep, observer=Observer())
    try:
        assert echo("127.0.0.1", receiver.port, "BEDSIDE", trusted=files.certificate)
    finally:
        receiver.close()


@pytest.mark.needs("terraform")
@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"dicom_from": ["203.0.113.7/32"], "dicom_tls": False}, "is not private"),
        ({"dicom_from": ["10.0.0.0/7"], "dicom_tls": False}, "is not private"),
        ({"dicom_from": ["10.20.0.0/16", "100.64.8.0/24"], "dicom_tls": False}, ""),
        ({"dicom_from": ["10.20.0.1/16"]}, "networks of IPv4"),
        ({"dicom_from": ["10.20.0.0/16"], "dicom_port": 104}, "1024 to 65535"),
        ({"dicom_from": ["10.20.0.0/16"], "dicom_client_ca": "secret"}, "certificates in PEM form"),
    ],
)
def test_studies_do_not_cross_the_internet_in_the_clear(
    tmp_path: Path, variables: dict[str, Any], why: str
) -> None:
    """The module's own variables, in a module that has nothing else: no provider is asked."""
    text = (MODULES / "control" / "variables.tf").read_text()
    (tmp_path / "variables.tf").write_text(text[text.index('variable "dicom_from"') :])
    (tmp_path / "terraform.tfvars.json").write_text(json.dumps(variables))
    done = subprocess.run(
        [str(find_program("terraform")), f"-chdir={tmp_path}", "plan", "-input=false", "-no-color"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == (1 if why else 0), done.stderr
    assert why in " ".join(done.stderr.split())


def _reaches(machine: Machine, root: Path) -> bool:
    try:
        return machine.get("/health", authority=root).status_code == 200
    except httpx.ConnectError:
        return False
