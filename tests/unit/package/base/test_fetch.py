"""Files come by size and hash, from whichever mirror has them."""

import hashlib
from pathlib import Path

import pytest

from bedside.errors import ConfigError, Unavailable
from bedside.package.base.fetch import Wanted, fetch_all
from package_samples import serving_files

BODY = b"a package"
#: Nothing listens there: port 9 is "discard".
NOWHERE = "http://127.0.0.1:9"


def wanted(*addresses: str) -> Wanted:
    digest = hashlib.sha256(BODY).hexdigest()
    return Wanted(name="sample 1.0", addresses=addresses, size_bytes=len(BODY), sha256=digest)


def test_the_next_mirror_is_asked_where_one_lacks_a_file_or_is_not_there(tmp_path: Path) -> None:
    with serving_files({"/two/x.deb": BODY}) as served:
        item = wanted(f"{NOWHERE}/x.deb", f"{served.address}/one/x.deb", f"{served.address}/two/x.deb")
        (path,) = fetch_all([item], cache=tmp_path / "debs")

    assert path.read_bytes() == BODY
    assert served.asked == ["/one/x.deb", "/two/x.deb"]


def test_what_the_cache_has_is_not_asked_for_again_unless_damaged(tmp_path: Path) -> None:
    with serving_files({"/x.deb": BODY}) as served:
        item = wanted(f"{served.address}/x.deb")
        (path,) = fetch_all([item], cache=tmp_path)
        fetch_all([item], cache=tmp_path)
        assert len(served.asked) == 1

        path.write_bytes(b"b package")
        assert fetch_all([item], cache=tmp_path)[0].read_bytes() == BODY
        assert len(served.asked) == 2


def test_a_server_out_of_breath_is_asked_again(tmp_path: Path) -> None:
    with serving_files({"/x.deb": BODY}) as served:
        served.failures["/x.deb"] = 1
        (path,) = fetch_all([wanted(f"{served.address}/x.deb")], cache=tmp_path)

    assert path.read_bytes() == BODY


def test_another_file_under_the_name_is_refused_with_both_hashes(tmp_path: Path) -> None:
    with serving_files({"/x.deb": b"an attack"}) as served, pytest.raises(ConfigError) as raised:
        fetch_all([wanted(f"{served.address}/x.deb")], cache=tmp_path)

    assert hashlib.sha256(BODY).hexdigest()[:12] in raised.value.message
    assert hashlib.sha256(b"an attack").hexdigest()[:12] in raised.value.message
    assert not list(tmp_path.iterdir())


def test_where_no_mirror_has_it_each_says_why(tmp_path: Path) -> None:
    with serving_files({}) as served, pytest.raises(Unavailable) as raised:
        fetch_all([wanted(f"{served.address}/x.deb", f"{NOWHERE}/x.deb")], cache=tmp_path)

    assert "HTTP 404" in raised.value.message
    assert f"{NOWHERE}/x.deb: " in raised.value.message
