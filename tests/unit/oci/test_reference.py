"""References, and what is none."""

import pytest

from bedside.errors import UsageError
from bedside.oci.reference import Reference, is_loopback, names_host

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "host", "repository", "tag", "digest"),
    [
        ("localhost:5000/spleen:1", "localhost:5000", "spleen", "1", ""),
        ("localhost/spleen", "localhost", "spleen", "", ""),
        ("127.0.0.1:5000/a/b/c", "127.0.0.1:5000", "a/b/c", "", ""),
        ("[::1]:5000/a:x", "[::1]:5000", "a", "x", ""),
        ("ghcr.io/org/my-app:v1.2_3-rc", "ghcr.io", "org/my-app", "v1.2_3-rc", ""),
        (f"ghcr.io/org/app@{DIGEST}", "ghcr.io", "org/app", "", DIGEST),
        (f"ghcr.io/org/app:v1@{DIGEST}", "ghcr.io", "org/app", "v1", DIGEST),
        ("python:3.11", "docker.io", "library/python", "3.11", ""),
        ("projectmonai/monai", "docker.io", "projectmonai/monai", "", ""),
        ("docker.io/python", "docker.io", "library/python", "", ""),
        ("index.docker.io/a/b", "docker.io", "a/b", "", ""),
        ("docker://registry.example/a", "registry.example", "a", "", ""),
        ("Registry.Example/a", "registry.example", "a", "", ""),
        (
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/a__b:1",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "team/a__b",
            "1",
            "",
        ),
    ],
)
def test_parts(text: str, host: str, repository: str, tag: str, digest: str) -> None:
    assert Reference.parse(text) == Reference(host=host, repository=repository, tag=tag, digest=digest)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the name after the host is missing"),
        ("ghcr.io/", "the name after the host is missing"),
        ("ghcr.io/a@sha256:12", "the digest 'sha256:12'"),
        ("ghcr.io/a@", "the digest ''"),
        ("ghcr.io/a:", "the tag ''"),
        ("ghcr.io/a:b c", "the tag 'b c'"),
        ("ghcr.io/a:" + "x" * 129, "the tag"),
        ("ghcr.io/a//b", "the name 'a//b'"),
        ("ghcr.io/../b", r"the name '\.\./b'"),
        ("ghcr.io/a..b", r"the name 'a\.\.b'"),
        ("gh_cr.io/a", "is no host"),
        ("ghcr.io/" + "a" * 250, "258 characters, at most 255"),
        ("https://ghcr.io/a", "https:// does not belong here"),
    ],
)
def test_what_is_none(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        Reference.parse(text)
    assert caught.value.hint


def test_capitals_are_explained() -> None:
    with pytest.raises(UsageError) as caught:
        Reference.parse("ghcr.io/Org/App:V1")
    assert caught.value.hint == "write ghcr.io/org/app:V1"


def test_text_and_back() -> None:
    for text in ("ghcr.io/a/b:1", f"ghcr.io/a@{DIGEST}", f"localhost:5000/a:1@{DIGEST}"):
        assert str(Reference.parse(text)) == text
    reference = Reference.parse("ghcr.io/a:1")
    assert reference.pointer == "1"
    assert Reference.parse("ghcr.io/a").pointer == "latest"
    assert reference.at(DIGEST) == Reference.parse(f"ghcr.io/a@{DIGEST}")
    assert Reference.parse(f"ghcr.io/a:1@{DIGEST}").pointer == DIGEST


def test_hosts_of_this_machine() -> None:
    for host in (
        "localhost",
        "localhost:5000",
        "127.0.0.1",
        "127.8.9.1:80",
        "[::1]:5000",
        "[::1]",
        "a.localhost:1",
    ):
        assert is_loopback(host), host
    for host in ("ghcr.io", "10.0.0.1:5000", "localhost.example:5000", "[fe80::1]:5000", "128.0.0.1"):
        assert not is_loopback(host), host


def test_what_can_hardly_be_a_file() -> None:
    for text in ("ghcr.io/a", "localhost:5000/a", "localhost/a", "docker://a", "10.0.0.1:5000/a/b:1"):
        assert names_host(text), text
    for text in ("./a/b", "../a", "/a/b.tar", "out/spleen", "spleen.tar", "a", "python:3.11", "ghcr.io/"):
        assert not names_host(text), text
