"""The files of docker login and podman login, and the helpers they name."""

import base64
import json
from pathlib import Path

import pytest

from bedside.errors import ConfigError
from bedside.oci.registry import Answer, Chain, Credentials, Given, Keyring, Later
from bedside.oci.registry.keyring import files


def auth(user: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:of:{user}".encode()).decode()}


def write(path: Path, document: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def user(answer: Answer) -> str:
    return answer.credentials.username if answer.credentials else ""


def test_the_order_of_the_files() -> None:
    home = {"HOME": "/home/a", "XDG_RUNTIME_DIR": "/run/user/1"}
    last = [
        "/run/user/1/containers/auth.json",
        "/home/a/.config/containers/auth.json",
        "/home/a/.docker/config.json",
    ]
    assert [str(path) for path in files(home)] == last
    all_named = {**home, "REGISTRY_AUTH_FILE": "/x/auth.json", "DOCKER_CONFIG": "/y", "XDG_CONFIG_HOME": "/z"}
    assert [str(path) for path in files(all_named)] == [
        "/x/auth.json", "/y/config.json", last[0], "/z/containers/auth.json", last[2],
    ]  # fmt: skip
    assert str(files({})[0]).startswith("/run/containers/")


def test_the_first_file_that_has_it_wins(tmp_path) -> None:
    one = write(tmp_path / "one", {"auths": {"a.example": auth("first")}})
    two = write(tmp_path / "two", {"auths": {"a.example": auth("second"), "b.example": auth("second")}})
    keyring = Keyring([tmp_path / "missing", one, two])
    found = keyring.ask("a.example", "x")
    assert found.credentials == Credentials(username="first", password="of:first", source=str(one))
    assert user(keyring.ask("b.example", "x")) == "second"
    nothing = keyring.ask("c.example", "x")
    assert nothing.credentials is None
    assert nothing.notes == (f"{one}: no entry for c.example", f"{two}: no entry for c.example")


def test_the_longest_namespace_wins(tmp_path) -> None:
    """podman's keys may name a part of a registry."""
    entries = {"a.example": auth("host"), "a.example/team": auth("team"), "a.example/team/x": auth("x")}
    keyring = Keyring([write(tmp_path / "f", {"auths": entries})])
    asked = {"other": "host", "team/y": "team", "team/x": "x", "team/x/z": "x", "teams": "host"}
    assert {name: user(keyring.ask("a.example", name)) for name in asked} == asked


@pytest.mark.parametrize(
    "key", ["https://index.docker.io/v1/", "docker.io", "registry-1.docker.io", "index.docker.io"]
)
def test_docker_io_has_many_keys(tmp_path, key: str) -> None:
    keyring = Keyring([write(tmp_path / "f", {"auths": {key: auth("a")}})])
    assert user(keyring.ask("docker.io", "library/python")) == "a"
    assert user(keyring.ask("other.example", "library/python")) == ""


@pytest.mark.parametrize("key", ["https://a.example:5000", "https://a.example:5000/v2/", "a.example:5000/"])
def test_keys_with_schemes_and_versions(tmp_path, key: str) -> None:
    assert (
        user(Keyring([write(tmp_path / "f", {"auths": {key: auth("a")}})]).ask("a.example:5000", "x")) == "a"
    )


def test_other_forms_of_entries(tmp_path) -> None:
    entries = {
        "token.example": {**auth("a"), "identitytoken": "refresh"},
        "plain.example": {"username": "a", "password": "b"},  # pragma: allowlist secret
        "empty.example": {},
    }
    keyring = Keyring([write(tmp_path / "f", {"auths": entries})])
    token = keyring.ask("token.example", "x").credentials
    assert token is not None
    assert token.identity_token == "refresh"
    assert "refresh" not in repr(token)
    assert user(keyring.ask("plain.example", "x")) == "a"
    assert keyring.ask("empty.example", "x").credentials is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is no JSON"),
        ("[]", "holds no JSON object"),
        ('{"auths":{"a.example":{"auth":"%%"}}}', "is no base64"),
    ],
)
def test_a_broken_file_is_said(tmp_path, text: str, reason: str) -> None:
    path = write(tmp_path / "config.json", text)
    with pytest.raises(ConfigError, match=reason) as caught:
        Keyring([path]).ask("a.example", "x")
    assert str(path) in caught.value.message


@pytest.fixture
def helper(tmp_path, monkeypatch) -> Path:
    """A credential helper that knows one registry and writes down what it is asked."""
    folder = tmp_path / "bin"
    program = write(
        folder / "docker-credential-test",
        f"""#!/bin/sh
read -r server
echo "$1 $server" >> {tmp_path}/asked
case "$server" in
  a.example) echo '{{"ServerURL":"a.example","Username":"helped","Secret":"s"}}' ;;
  t.example) echo '{{"Username":"<token>","Secret":"refresh"}}' ;; # pragma: allowlist secret
  https://index.docker.io/v1/) echo '{{"Username":"hub","Secret":"s"}}' ;;
  locked.example) echo "the key ring is locked" >&2; exit 1 ;;
  odd.example) echo "hello" ;;
  *) echo "credentials not found in native keychain"; exit 1 ;;
esac
""",
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return tmp_path / "asked"


def test_a_helper_for_all(tmp_path, helper: Path) -> None:
    keyring = Keyring([write(tmp_path / "f", {"credsStore": "test", "auths": {"b.example": auth("b")}})])
    assert user(keyring.ask("a.example", "x")) == "helped"
    assert user(keyring.ask("docker.io", "x")) == "hub"
    assert user(keyring.ask("b.example", "x")) == "b"  # an entry in the file, where the helper has none
    token = keyring.ask("t.example", "x").credentials
    assert token == Credentials(identity_token="refresh", source="docker-credential-test")
    assert helper.read_text().splitlines()[:2] == ["get a.example", "get https://index.docker.io/v1/"]


def test_a_helper_for_one(tmp_path, helper: Path) -> None:
    keyring = Keyring([write(tmp_path / "f", {"credHelpers": {"a.example": "test"}})])
    assert user(keyring.ask("a.example", "x")) == "helped"
    assert keyring.ask("t.example", "x").credentials is None
    assert helper.read_text() == "get a.example\n"


@pytest.mark.parametrize(
    ("host", "note"),
    [
        ("locked.example", "docker-credential-test: the key ring is locked"),
        ("odd.example", "docker-credential-test answered something else than credentials"),
        ("c.example", "docker-credential-test has none for c.example"),
    ],
)
def test_a_helper_that_does_not_help_is_a_note(tmp_path, helper: Path, host: str, note: str) -> None:
    path = write(tmp_path / "f", {"credsStore": "test"})
    answer = Keyring([path]).ask(host, "x")
    assert answer.credentials is None
    assert answer.notes == (f"{path}: {note}", f"{path}: no entry for {host}")


def test_a_helper_of_another_machine_is_a_note(tmp_path) -> None:
    path = write(tmp_path / "f", {"credsStore": "desktop.exe"})
    assert (
        Keyring([path]).ask("a.example", "x").notes[0]
        == f"{path}: docker-credential-desktop.exe is not in PATH"
    )


def test_one_after_the_other() -> None:
    made = []

    def make() -> Given:
        made.append(1)
        return Given("b.example", Credentials(username="later", password="p"))

    chain = Chain(
        [
            Later(lambda host: host.startswith("b."), make),
            Given("a.example", Credentials(username="given", password="p")),
        ]
    )
    assert user(chain.ask("a.example", "x")) == "given"
    assert made == []
    assert user(chain.ask("b.example", "x")) == user(chain.ask("b.example", "x")) == "later"
    assert made == [1]
    assert chain.ask("c.example", "x") == Answer()
