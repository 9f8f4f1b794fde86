"""Uploads that are opened before there is anything to send."""

import httpx
import pytest

from bedside.errors import ConfigError
from bedside.oci.reference import Reference
from bedside.oci.registry import Registries, push, upload
from bedside.oci.registry.push import Pushing, pushing
from registries import Proxy, Say

pytestmark = pytest.mark.needs("docker-registry")


def at(host: str, name: str) -> Reference:
    return Reference(host=host, repository=name, tag="1")


def sessions(proxy: Proxy, method: str) -> list[str]:
    paths = (r.path.partition("?")[0] for r in proxy.requests if r.method == method)
    return [path for path in paths if "/blobs/uploads/" in path]


def opened(under_way: Pushing) -> None:
    under_way.connect()
    under_way.finish()


def test_the_first_blob_takes_it(proxy: Proxy, name: str, registries: Registries, make_image) -> None:
    image = make_image(layers=2)
    with pushing(at(proxy.host, name), registries) as under_way:
        opened(under_way)
        under_way.start(*image.parts)
        under_way.finish()
    assert len(sessions(proxy, "POST")) == len(sessions(proxy, "PUT")) == len(image.parts) == 3
    assert not sessions(proxy, "DELETE")


def test_what_no_blob_took_is_given_back(proxy: Proxy, name: str, registries: Registries, make_image) -> None:
    image = make_image()
    push(image, at(proxy.host, name), registries)
    with pushing(at(proxy.host, name), registries) as under_way:
        opened(under_way)
        under_way.start(*image.parts)
    (given_back,) = sessions(proxy, "DELETE")
    assert httpx.get(f"http://{proxy.host}{given_back}").status_code == httpx.codes.NOT_FOUND


def test_it_is_given_back_where_the_rest_was_never_made(
    proxy: Proxy, name: str, registries: Registries
) -> None:
    with pytest.raises(ConfigError), pushing(at(proxy.host, name), registries) as under_way:
        opened(under_way)
        raise ConfigError("the bundle does not pass")
    assert len(sessions(proxy, "DELETE")) == 1


def test_an_old_one_is_not_trusted(
    proxy: Proxy, name: str, registries: Registries, make_image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "_SPARE_S", 0.0)
    image = make_image()
    with pushing(at(proxy.host, name), registries) as under_way:
        opened(under_way)
        under_way.start(*image.parts)
    (old,) = sessions(proxy, "DELETE")
    assert old not in sessions(proxy, "PUT")


def test_a_refusal_is_said(proxy: Proxy, name: str, registries: Registries) -> None:
    body = b'{"errors":[{"code":"DENIED","message":"not yours"}]}'
    proxy.rule = lambda r: (
        Say(403, body, {"Content-Type": "application/json"}) if r.method == "POST" else None
    )
    with (
        pytest.raises(ConfigError, match="not yours"),
        pushing(at(proxy.host, name), registries) as under_way,
    ):
        opened(under_way)
