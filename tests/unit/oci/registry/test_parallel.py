"""Several blobs at once, and what one failure does to the others."""

import threading
from dataclasses import replace

import pytest

from bedside.errors import Cancelled, ConfigError, Unavailable
from bedside.oci.registry import Nobody, Options, Registries
from bedside.oci.registry.parallel import Parallel, for_each_part


def test_an_error_stops_what_is_under_way(make_image) -> None:
    image = make_image(layers=9)
    stop, begun, seen = threading.Event(), threading.Barrier(2), []

    def action(part) -> None:
        seen.append(part)
        first = part.descriptor.digest == longest
        if len(seen) > 2:
            stop.wait(30)
            return
        begun.wait(30)
        if first:
            raise ConfigError("refused")
        if not stop.wait(30):
            raise AssertionError("never stopped")
        raise Cancelled("stopped")

    longest = max(image.parts, key=lambda part: part.descriptor.size_bytes).descriptor.digest
    with Registries(Nobody(), Options(parallel=2)) as registries, pytest.raises(ConfigError, match="refused"):
        for_each_part(image, registries, action, stop)
    assert stop.is_set()
    assert len(seen) < len(image.parts)


def test_each_blob_once_though_members_share_it(make_image) -> None:
    image = make_image(layers=3)
    index = replace(image, parts=(), members=(image, image))
    seen = []
    with Registries(Nobody()) as registries:
        for_each_part(index, registries, seen.append, threading.Event())
    assert len(seen) == len(image.parts)
    sizes = [part.descriptor.size_bytes for part in seen]
    assert sizes[-1] == min(sizes)


def test_an_error_in_the_end_is_raised_too(make_image) -> None:
    def action(part) -> None:
        raise Unavailable("gone")

    with Registries(Nobody(), Options(parallel=1)) as registries, pytest.raises(Unavailable, match="gone"):
        for_each_part(make_image(), registries, action, threading.Event())


def test_an_error_stops_the_rest_though_nobody_asks_yet(make_image) -> None:
    first, second, third, fourth = make_image(layers=3).parts
    failed, seen = threading.Event(), []

    def action(part) -> None:
        seen.append(part)
        failed.wait(30)
        raise ConfigError("refused")

    stop = threading.Event()
    with (
        Registries(Nobody(), Options(parallel=1)) as registries,
        pytest.raises(ConfigError, match="refused"),
        Parallel(registries, action, stop) as parallel,
    ):
        parallel.start(first, first)
        parallel.start(second, third)
        failed.set()
        assert stop.wait(30)
        parallel.start(fourth)
        raise AssertionError("began with one more")
    assert seen == [first]
