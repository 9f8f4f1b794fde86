"""What networks and busy, full or dishonest registries do, and that nothing half-published is left."""

import time
from collections.abc import Callable

import pytest

from bedside.errors import BedsideError, Cancelled, ConfigError, NotFound, Unavailable, UsageError
from bedside.oci.layout import OciLayout
from bedside.oci.reference import Reference
from bedside.oci.registry import Nobody, Options, Policy, Pulling, Registries, Step, pull, push
from bedside.oci.registry.download import download
from registries import Add, Cut, Proxy, Request, Rule, Say, closed_port, run_registry

pytestmark = pytest.mark.needs("docker-registry")
JSON = {"Content-Type": "application/json"}


def at(host: str, name: str) -> Reference:
    return Reference(host=host, repository=name, tag="1")


def puts_of_blobs(what: Callable[[Request], object]) -> Rule:
    """Return a rule for the second request of each upload only."""
    return lambda r: what(r) if r.method == "PUT" and "/blobs/" in r.path else None


def refusal(status: int, code: str, message: str = "", detail: str = "null", **headers: str) -> Say:
    body = f'{{"errors":[{{"code":"{code}","message":"{message}","detail":{detail}}}]}}'.encode()
    return Say(status, body, {**JSON, **headers})


class Times:
    """Answers so many times, then no more."""

    def __init__(self, times: int, answer: object) -> None:
        self.left, self.answer = times, answer

    def __call__(self, request: Request) -> object:
        self.left -= 1
        return self.answer if self.left >= 0 else None


def test_an_upload_that_is_cut_is_sent_again_whole(
    proxy: Proxy, name, registries, make_image, tmp_path
) -> None:
    image = make_image(size_bytes=3_000_000)
    proxy.rule = puts_of_blobs(Times(3, Cut(of_request=1_000_000)))
    told = []
    push(image, at(proxy.host, name), registries, told.append)
    assert sum(1 for one in told if one.step == Step.RETRYING) == 3
    # Each attempt in a session of its own.
    sessions = [r.path.partition("?")[0] for r in proxy.requests if r.method == "PUT" and "/blobs/" in r.path]
    assert len(sessions) == len(set(sessions)) == 5
    layout = OciLayout(tmp_path / "layout")
    pull(at(proxy.host, name), layout, registries)
    assert layout.verify() == []


def test_an_upload_that_is_always_cut_publishes_nothing(proxy: Proxy, name, registries, make_image) -> None:
    image = make_image(size_bytes=3_000_000)
    proxy.rule = puts_of_blobs(lambda r: Cut(of_request=1_000_000))
    with pytest.raises(Unavailable, match=r"the connection was cut: .*\(5 attempts\)") as caught:
        push(image, at(proxy.host, name), registries)
    assert any(part.descriptor.digest in caught.value.message for part in image.parts)
    assert caught.value.exit_code == 5
    assert not proxy.sent("PUT", "/manifests/")
    assert registries.at(at(proxy.host, name)).head("1") is None


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_registry_is_asked_again(proxy: Proxy, name, registries, make_image, status: int) -> None:
    rules = {
        method: Times(2, Say(status, b"busy", {"Retry-After": "0"})) for method in ("HEAD", "POST", "PUT")
    }
    proxy.rule = lambda r: rules[r.method](r) if r.method in rules else None
    image = make_image()
    push(image, at(proxy.host, name), registries)
    assert all(rule.left < 0 for rule in rules.values())
    assert registries.at(at(proxy.host, name)).head("1") == image.descriptor.digest


def test_a_registry_that_asks_for_an_hour_is_not_waited_for(
    proxy: Proxy, name, registries, make_image
) -> None:
    proxy.rule = lambda r: refusal(429, "TOOMANYREQUESTS", "rate limit exceeded", **{"Retry-After": "3600"})
    with pytest.raises(Unavailable, match="answered 429: TOOMANYREQUESTS rate limit exceeded"):
        registries.at(at(proxy.host, name)).manifest("1")
    assert proxy.sent("GET", "/manifests/") == 1


def test_a_lost_session_is_opened_again(proxy: Proxy, name, registries, make_image) -> None:
    proxy.rule = puts_of_blobs(Times(2, refusal(404, "BLOB_UPLOAD_UNKNOWN")))
    image = make_image()
    push(image, at(proxy.host, name), registries)
    assert proxy.sent("POST", "/blobs/uploads/") == 4


def test_bytes_changed_on_the_way_up_are_sent_again(proxy: Proxy, name, registries, make_image) -> None:
    proxy.rule = puts_of_blobs(Times(1, refusal(400, "DIGEST_INVALID", "provided digest did not match")))
    image = make_image()
    push(image, at(proxy.host, name), registries)
    assert registries.at(at(proxy.host, name)).head("1") == image.descriptor.digest


def test_nothing_listens(registries, make_image) -> None:
    host = f"127.0.0.1:{closed_port()}"
    begun = time.monotonic()
    with pytest.raises(Unavailable, match=rf"{host}: cannot be reached: Connection refused") as caught:
        push(make_image(), at(host, "a"), registries)
    assert time.monotonic() - begun < 20
    assert "curl" in caught.value.hint


def test_a_name_that_does_not_resolve(registries) -> None:
    with pytest.raises(
        Unavailable, match=r"registry\.invalid: .*cannot be reached: the name does not resolve"
    ):
        registries.at(at("registry.invalid", "a")).manifest("1")


def test_a_full_registry(tmp_path, registries, make_image) -> None:
    """A registry on a disk of 1 MiB, in a mount namespace of its own."""
    storage = tmp_path / "storage"
    storage.mkdir()
    words = ("unshare", "-Urm", "sh", "-c", 'mount -t tmpfs -o size=1m tmpfs "$0" && exec "$@"', str(storage))
    with run_registry(tmp_path, before=words, storage=storage) as host:
        image = make_image(size_bytes=4_000_000)
        with pytest.raises(Unavailable, match="no room, the registry answered 500") as caught:
            push(image, at(host, "a"), registries)
        assert "free space" in caught.value.hint
        assert registries.at(at(host, "a")).head("1") is None


def test_a_registry_too_full_to_begin_an_upload(proxy: Proxy, name, registries, make_image) -> None:
    """docker-registry gives the number of the error there, and no words."""
    detail = '{"Enclosed": {"Op": "write", "Path": "/x/_uploads/1/startedat", "Err": 28}}'
    full = refusal(500, "UNKNOWN", "unknown error", detail)
    proxy.rule = lambda r: full if r.method == "POST" else None
    with pytest.raises(Unavailable, match="no room, the registry answered 500"):
        push(make_image(), at(proxy.host, name), registries)
    assert proxy.sent("POST", "uploads") <= 2, "waiting would make no room"


def test_a_quota(proxy: Proxy, name, registries, make_image) -> None:
    said = (
        "adding 20.0 MiB of storage resource, which when updated to current usage will exceed the upper limit"
    )
    proxy.rule = puts_of_blobs(lambda r: refusal(403, "DENIED", said))
    with pytest.raises(Unavailable, match="no room"):
        push(make_image(), at(proxy.host, name), registries)


def test_a_repository_that_must_be_made_first(proxy: Proxy, name, registries, make_image) -> None:
    said = f"The repository with name '{name}' does not exist in the registry with id '123456789012'"
    proxy.rule = lambda r: refusal(404, "NAME_UNKNOWN", said) if r.method == "POST" else None
    with pytest.raises(NotFound, match="knows no such repository: NAME_UNKNOWN The repository") as caught:
        push(make_image(), at(proxy.host, name), registries)
    assert caught.value.hint == f"create the repository {name} first"


def test_a_tag_that_must_not_move(proxy: Proxy, name, registries, make_image) -> None:
    said = "The image tag '1' already exists and cannot be overwritten because the tag is immutable."
    proxy.rule = lambda r: refusal(400, "TAG_INVALID", said) if "/manifests/1" in r.path else None
    with pytest.raises(UsageError, match="immutable") as caught:
        push(make_image(), at(proxy.host, name), registries)
    assert caught.value.hint == "push under another tag"


def test_a_manifest_that_is_refused(proxy: Proxy, name, registries, make_image) -> None:
    proxy.rule = lambda r: refusal(400, "MANIFEST_INVALID", "no") if "/manifests/" in r.path else None
    with pytest.raises(BedsideError, match="push manifest 1: answered 400: MANIFEST_INVALID no"):
        push(make_image(), at(proxy.host, name), registries)


def test_a_registry_that_changes_manifests(proxy: Proxy, name, registries, make_image) -> None:
    other = "sha256:" + "1" * 64
    proxy.rule = lambda r: Add({"Docker-Content-Digest": other}) if "/manifests/" in r.path else None
    with pytest.raises(Unavailable, match=f"stored manifest 1 as {other}"):
        push(make_image(), at(proxy.host, name), registries)


def test_a_registry_that_says_no_digest_is_asked_for_it(proxy: Proxy, name, registries, make_image) -> None:
    image = make_image()
    proxy.rule = lambda r: Add({"Docker-Content-Digest": ""}) if "/manifests/" in r.path else None
    push(image, at(proxy.host, name), registries)
    assert proxy.sent("GET", "/manifests/1") == 1


def test_one_refusal_stops_the_other_blobs(proxy: Proxy, name, registries, make_image) -> None:
    image = make_image(layers=12)
    proxy.rule = lambda r: refusal(403, "DENIED", "not you") if r.method == "POST" else None
    with pytest.raises(ConfigError, match="DENIED not you"):
        push(image, at(proxy.host, name), registries)
    assert proxy.sent("POST", "/blobs/uploads/") < 12


def test_a_registry_that_cannot_delete(proxy: Proxy, name, registries) -> None:
    proxy.rule = lambda r: refusal(405, "UNSUPPORTED", "The operation is unsupported.")
    with pytest.raises(UsageError, match="the registry does not do that"):
        registries.at(at(proxy.host, name)).delete("sha256:" + "0" * 64)


def blobs(what: Callable[[Request], object]) -> Rule:
    return lambda r: what(r) if r.method == "GET" and "/blobs/" in r.path else None


@pytest.fixture
def pushed(proxy: Proxy, name, registries, make_image):
    image = make_image(size_bytes=3_000_000)
    push(image, at(proxy.host, name), registries)
    return image


def test_a_download_goes_on_where_it_was_cut(proxy: Proxy, name, registries, pushed, tmp_path) -> None:
    layer = pushed.parts[1].descriptor
    proxy.rule = lambda r: Cut(of_answer=1_000_000) if layer.digest in r.path and r.seen < 2 else None
    layout = OciLayout(tmp_path / "layout")
    pull(at(proxy.host, name), layout, registries)
    assert layout.verify() == []
    ranges = [r.headers.get("Range") for r in proxy.requests if r.method == "GET" and layer.digest in r.path]
    assert ranges[0] is None and len(ranges) == 3
    starts = [int(one.removeprefix("bytes=").removesuffix("-")) for one in ranges[1:]]
    assert 0 < starts[0] <= 1_000_000 < starts[1]


def test_a_later_pull_goes_on_where_an_earlier_one_gave_up(proxy: Proxy, name, pushed, tmp_path) -> None:
    layer = pushed.parts[1].descriptor
    layout = OciLayout(tmp_path / "layout")
    proxy.rule = lambda r: Cut(of_answer=2_000_000) if layer.digest in r.path else None
    with Registries(Nobody(), Options(policy=Policy(attempts=1))) as once, pytest.raises(Unavailable):
        pull(at(proxy.host, name), layout, once, Pulling(tag="1"))
    assert layout.tags() == {}
    proxy.rule = lambda r: None
    with Registries(Nobody()) as again:
        pull(at(proxy.host, name), layout, again, Pulling(tag="1"))
    assert layout.verify() == []
    assert proxy.requests[-1].headers.get("Range", "").startswith("bytes=")
    assert not list(layout.root.rglob(".writing*"))


def test_a_registry_without_ranges(proxy: Proxy, name, registries, pushed, tmp_path) -> None:
    layer = pushed.parts[1]
    path = tmp_path / "blob"
    path.write_bytes(layer.path.read_bytes()[:1000])
    proxy.rule = blobs(lambda r: Say(200, layer.path.read_bytes()))
    download(registries.at(at(proxy.host, name)), layer.descriptor, path)
    assert path.read_bytes() == layer.path.read_bytes()


def test_wrong_bytes_are_asked_for_once_more(proxy: Proxy, name, registries, pushed, tmp_path) -> None:
    proxy.rule = blobs(lambda r: Add(flip=True) if r.seen == 0 else None)
    layout = OciLayout(tmp_path / "layout")
    pull(at(proxy.host, name), layout, registries)
    assert layout.verify() == []


def test_wrong_bytes_never_get_into_a_layout(proxy: Proxy, name, registries, pushed, tmp_path) -> None:
    layer = pushed.parts[1].descriptor
    proxy.rule = lambda r: Add(flip=True) if layer.digest in r.path else None
    layout = OciLayout(tmp_path / "layout")
    with pytest.raises(Unavailable, match=rf"other bytes \(digest .*\) for blob {layer.digest}"):
        pull(at(proxy.host, name), layout, registries, Pulling(tag="1"))
    assert proxy.sent("GET", layer.digest) == 2
    assert not layout.blob(layer.digest).exists()
    assert layout.tags() == {}


def test_a_manifest_with_another_digest(proxy: Proxy, name, registries, pushed) -> None:
    proxy.rule = lambda r: Add(flip=True) if "/manifests/" in r.path else None
    with pytest.raises(Unavailable, match="asked for"):
        registries.at(at(proxy.host, name)).manifest(pushed.descriptor.digest)


def test_whoever_waits_gives_up_when_all_is_closed(proxy: Proxy, name) -> None:
    slow = Registries(Nobody(), Options(policy=Policy(first_wait_s=3600, longest_wait_s=3600)))

    def close(request: Request) -> Say:
        import threading

        threading.Timer(0.2, slow.close).start()
        return Say(503)

    proxy.rule = close
    with pytest.raises(Cancelled):
        slow.at(at(proxy.host, name)).manifest("1")
