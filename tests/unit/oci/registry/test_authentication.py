"""Who we are: passwords, tokens, identity tokens, and where they must not go."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from bedside.errors import ConfigError, Unavailable
from bedside.oci.layout import OciLayout
from bedside.oci.parts import Origin
from bedside.oci.reference import Reference
from bedside.oci.registry import (
    Answer,
    Credentials,
    Given,
    Keyring,
    Nobody,
    Options,
    Policy,
    Registries,
    pull,
    push,
)
from bedside.oci.registry.challenge import Challenge, Scope, challenges, preferred
from bedside.oci.registry.tokens import Identity
from registries import Proxy, Say, run_registry
from token_server import TokenServer, self_signed

HASTY = Options(policy=Policy(first_wait_s=0.001, longest_wait_s=0.01))
ALICE = Credentials(username="alice", password="wonderland", source="the test")  # pragma: allowlist secret
#: bcrypt of alice's password, by crypt(3).
HTPASSWD = "alice:$2y$05$abcdefghijklmnopqrstuuA0vov2GDneHB3.8.cv9UF9g.RdvScIW\n"  # pragma: allowlist secret


def at(host: str, name: str) -> Reference:
    return Reference(host=host, repository=name, tag="1")


def as_user(host: str, credentials: Credentials = ALICE, options: Options = HASTY) -> Registries:
    return Registries(Given(host, credentials), options)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry that asks for a name and a password itself."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "htpasswd").write_text(HTPASSWD)
    settings = {"auth": {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}}
    with run_registry(folder, settings=settings) as host:
        yield host


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenServer]:
    rights = {
        "alice": {"*": {"pull", "push", "delete"}, "readable": {"pull"}, "hidden": set()},
        "nobody": {"public": {"pull"}},
    }
    with TokenServer(tmp_path_factory.mktemp("tokens"), rights).running() as server:
        yield server


@pytest.fixture(scope="module")
def by_token(tokens: TokenServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry that sends us to a token server."""
    with run_registry(tmp_path_factory.mktemp("by_token"), settings=tokens.settings()) as host:
        yield host


@pytest.mark.needs("docker-registry")
class TestPassword:
    def test_right(self, guarded, name, make_image, tmp_path) -> None:
        image = make_image()
        with as_user(guarded) as registries:
            push(image, at(guarded, name), registries)
            assert (
                pull(at(guarded, name), OciLayout(tmp_path / "l"), registries).digest
                == image.descriptor.digest
            )

    def test_wrong(self, guarded, name, make_image) -> None:
        wrong = replace(ALICE, password="looking glass")  # pragma: allowlist secret
        with as_user(guarded, wrong) as registries, pytest.raises(ConfigError) as caught:
            push(make_image(), at(guarded, name), registries)
        assert "refuses user 'alice' (the test), answered 401" in caught.value.message
        assert "looking glass" not in repr(caught.value) + caught.value.hint + repr(wrong)
        assert caught.value.exit_code == 3
        assert f"docker login {guarded}" in caught.value.hint

    def test_none(self, guarded, name, make_image, tmp_path) -> None:
        file = tmp_path / "config.json"
        file.write_text("{}")
        with Registries(Keyring([file]), HASTY) as registries, pytest.raises(ConfigError) as caught:
            push(make_image(), at(guarded, name), registries)
        assert f"no credentials were found (looked: {file}: no entry for {guarded})" in caught.value.message

    def test_from_the_file_of_docker_login(self, guarded, name, make_image, tmp_path) -> None:
        folder = tmp_path / "docker"
        folder.mkdir()
        auth = "YWxpY2U6d29uZGVybGFuZA=="  # pragma: allowlist secret
        (folder / "config.json").write_text(json.dumps({"auths": {guarded: {"auth": auth}}}))
        environment = {"DOCKER_CONFIG": str(folder), "HOME": str(tmp_path)}
        with Registries.of(environment, HASTY) as registries:
            push(make_image(), at(guarded, name), registries)

    def test_a_password_that_changed_is_asked_for_again(self, guarded, name) -> None:
        given = [replace(ALICE, password="old"), ALICE]  # pragma: allowlist secret

        class Changing:
            def ask(self, host: str, repository: str) -> Answer:
                return Answer(credentials=given.pop(0))

        with Registries(Changing(), HASTY) as registries:
            with pytest.raises(ConfigError):
                registries.at(at(guarded, name)).head("1")
            assert registries.at(at(guarded, name)).head("1") is None


@pytest.mark.needs("docker-registry")
class TestToken:
    def test_one_token_serves_a_whole_push(self, by_token, tokens, name, make_image) -> None:
        tokens.asked.clear()
        image = make_image(layers=8)
        with as_user(by_token) as registries:
            push(image, at(by_token, name), registries)
        assert tokens.asked == [("alice", [f"repository:{name}:pull,push"])]

    def test_a_mount_asks_for_both_repositories(self, by_token, tokens, name, make_image) -> None:
        base = make_image()
        origin = Origin(host=by_token, repository=f"{name}-base")
        with as_user(by_token) as registries:
            push(base, at(by_token, f"{name}-base"), registries)
            tokens.asked.clear()
            mounted = replace(base, parts=tuple(replace(p, path=None, origin=origin) for p in base.parts))
            push(mounted, at(by_token, name), registries)
        assert ("alice", [f"repository:{name}:pull,push", f"repository:{name}-base:pull"]) in tokens.asked
        assert len(tokens.asked) == 2

    def test_a_base_that_we_may_not_read_is_sent(self, by_token, name, make_image) -> None:
        origin = Origin(host=by_token, repository="hidden")
        image = make_image()
        with as_user(by_token) as registries:
            push(
                replace(image, parts=tuple(replace(p, origin=origin) for p in image.parts)),
                at(by_token, name),
                registries,
            )
            assert registries.at(at(by_token, name)).head("1") == image.descriptor.digest

    def test_an_identity_token(self, by_token, name, make_image) -> None:
        with as_user(by_token, Credentials(identity_token="refresh-me")) as registries:
            push(make_image(), at(by_token, name), registries)
        with (
            as_user(by_token, Credentials(identity_token="old", source="f")) as registries,
            pytest.raises(ConfigError, match=r"refuses the stored identity token \(f\)"),
        ):
            push(make_image(), at(by_token, name), registries)

    def test_nobody_may_pull_what_is_public(self, by_token, make_image, tmp_path) -> None:
        image = make_image()
        with as_user(by_token) as registries:
            push(image, at(by_token, "public"), registries)
        with Registries(Nobody(), HASTY) as registries:
            assert (
                pull(at(by_token, "public"), OciLayout(tmp_path / "l"), registries).digest
                == image.descriptor.digest
            )
            with pytest.raises(ConfigError, match="no credentials were found"):
                push(make_image(), at(by_token, "public"), registries)

    def test_a_token_that_allows_too_little(self, by_token, make_image) -> None:
        with as_user(by_token) as registries, pytest.raises(ConfigError, match="refuses user 'alice'"):
            push(make_image(), at(by_token, "readable"), registries)

    def test_a_wrong_password(self, by_token, name) -> None:
        wrong = replace(ALICE, password="looking glass")  # pragma: allowlist secret
        with as_user(by_token, wrong) as registries, pytest.raises(ConfigError) as caught:
            registries.at(at(by_token, name)).head("1")
        assert "refuses user 'alice' (the test), answered 401 by 127.0.0.1" in caught.value.message

    def test_an_old_token_is_replaced(self, by_token, tokens, name, monkeypatch) -> None:
        monkeypatch.setattr(tokens, "life_s", 1)
        tokens.asked.clear()
        now = [0.0]
        monkeypatch.setattr("bedside.oci.registry.tokens.time.monotonic", lambda: now[0])
        with as_user(by_token) as registries:
            for seconds in (0.0, 0.2, 5.0):
                now[0] = seconds
                assert registries.at(at(by_token, name)).head("1") is None
        assert len(tokens.asked) == 2

    def test_many_threads_ask_once(self, by_token, tokens, name) -> None:
        tokens.asked.clear()
        with as_user(by_token) as registries:
            repository = registries.at(at(by_token, name))
            threads = [threading.Thread(target=repository.head, args=("1",)) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert len(tokens.asked) == 1

    def test_a_token_server_that_is_gone(self, proxy: Proxy, name) -> None:
        realm = 'Bearer realm="http://127.0.0.1:1/token",service="s"'
        proxy.rule = lambda r: Say(401, b"", {"WWW-Authenticate": realm})
        with (
            as_user(proxy.host) as registries,
            pytest.raises(Unavailable, match="ask a token: cannot be reached"),
        ):
            registries.at(at(proxy.host, name)).head("1")


@pytest.mark.needs("docker-registry")
class TestElsewhere:
    def test_credentials_do_not_follow_a_redirect(self, guarded, name, make_image, tmp_path) -> None:
        image = make_image()
        with (
            Proxy(guarded).running() as front,
            Proxy(guarded).running() as store,
            as_user(front.host) as registries,
        ):
            push(image, at(front.host, name), registries)
            content = {part.descriptor.digest: part.path.read_bytes() for part in image.parts}
            front.rule = lambda r: (
                Say(307, b"", {"Location": f"http://localhost:{store.host.partition(':')[2]}{r.path}"})
                if "/blobs/" in r.path
                else None
            )
            store.rule = lambda r: Say(200, content[r.path.rpartition("/")[2]])
            pull(at(front.host, name), OciLayout(tmp_path / "l"), registries)
        assert len(store.requests) == 2
        assert not any("Authorization" in request.headers for request in store.requests)
        assert all("Authorization" in r.headers for r in front.requests if r.method == "PUT")

    def test_a_session_elsewhere_gets_no_credentials(self, guarded, name, make_image) -> None:
        with (
            Proxy(guarded).running() as front,
            Proxy(guarded).running() as store,
            as_user(front.host) as registries,
        ):
            port = store.host.partition(":")[2]
            front.rule = lambda r: (
                Say(202, b"", {"Location": f"http://localhost:{port}/session"})
                if r.method == "POST"
                else None
            )
            store.rule = lambda r: Say(201)
            with pytest.raises(Exception, match=r"BLOB_UNKNOWN|MANIFEST"):  # the store is no registry
                push(make_image(), at(front.host, name), registries)
        assert len(store.requests) == 2
        assert not any("Authorization" in request.headers for request in store.requests)


def test_no_password_goes_to_a_token_server_without_tls() -> None:
    def send(request: httpx.Request) -> httpx.Response:
        raise AssertionError("sent")

    identity = Identity("registry.example", Given("registry.example", ALICE), send, plain=False)
    asked = httpx.Response(401, headers={"WWW-Authenticate": 'Bearer realm="http://tokens.example/"'})
    with pytest.raises(ConfigError, match="which is not https"):
        identity.challenged(asked, (Scope(repository="a"),), sent=None)


@pytest.mark.needs("docker-registry")
class TestCertificates:
    @pytest.fixture(scope="class")
    def tls(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
        folder = tmp_path_factory.mktemp("tls")
        certificate, key = self_signed(folder)
        settings = {
            "http": {"addr": "127.0.0.1:0", "tls": {"certificate": str(certificate), "key": str(key)}}
        }
        with run_registry(folder, settings=settings) as host:
            yield host, certificate

    def test_unknown(self, tls, name) -> None:
        host, _ = tls
        with (
            Registries(Nobody(), HASTY) as registries,
            pytest.raises(ConfigError, match="is not trusted") as caught,
        ):
            registries.at(at(host, name)).head("1")
        assert caught.value.hint.endswith(f"/etc/docker/certs.d/{host}/ca.crt")

    def test_put_where_docker_looks(self, tls, name, make_image, tmp_path) -> None:
        host, certificate = tls
        (tmp_path / host).mkdir()
        (tmp_path / host / "ca.crt").write_bytes(certificate.read_bytes())
        with Registries(Nobody(), replace(HASTY, certificate_folders=(tmp_path,))) as registries:
            push(make_image(), at(host, name), registries)

    def test_a_file_that_is_none(self, tls, name, tmp_path) -> None:
        host, _ = tls
        (tmp_path / host).mkdir()
        (tmp_path / host / "ca.crt").write_text("none")
        options = replace(HASTY, certificate_folders=(tmp_path,))
        with (
            Registries(Nobody(), options) as registries,
            pytest.raises(ConfigError, match=r"ca\.crt: cannot be used"),
        ):
            registries.at(at(host, name)).head("1")

    def test_asked_not_to_look(self, tls, name, make_image) -> None:
        host, _ = tls
        with Registries(Nobody(), replace(HASTY, insecure=True)) as registries:
            push(make_image(), at(host, name), registries)


@pytest.mark.needs("docker-registry")
def test_plain_http_elsewhere_only_where_asked_for(proxy: Proxy, name, make_image, monkeypatch) -> None:
    """Another machine's name, brought to ours by a proxy as in a hospital."""
    monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.host}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    image = make_image()
    with (
        Registries(Nobody(), HASTY) as registries,
        pytest.raises(Unavailable, match=r"registry\.invalid:5000"),
    ):
        push(image, at("registry.invalid:5000", name), registries)
    assert not proxy.requests
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.host}")
    with Registries(Nobody(), replace(HASTY, insecure=True)) as registries:
        push(image, at("registry.invalid:5000", name), registries)
    assert proxy.sent("PUT", "http://registry.invalid:5000/.*/manifests/1") == 1
    assert proxy.requests[0].method == "CONNECT"  # https was tried first


def test_challenges_are_read() -> None:
    header = 'Bearer realm="https://a/token?x=1,2",service="a \\"b\\"",scope="repository:x:pull,push"'
    header += ", Basic realm=r"
    bearer, basic = challenges([header])
    assert bearer.scheme == "bearer"
    assert bearer.parameters == {
        "realm": "https://a/token?x=1,2",
        "service": 'a "b"',
        "scope": "repository:x:pull,push",
    }
    assert basic == Challenge(scheme="basic", parameters={"realm": "r"})
    assert preferred([basic, bearer]) is bearer
    assert preferred([basic]) is basic
    assert preferred(challenges(["Negotiate", "NTLM abc="])) is None
    assert challenges(["Basic"]) == [Challenge(scheme="basic")]
    assert challenges([]) == []
