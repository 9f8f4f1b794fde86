"""What can be said under ``[dicom]``, and what is refused with its reason."""

from pathlib import Path

import pytest

from bedside.config import load
from bedside.config.dicom import DicomSettings
from bedside.errors import ConfigError


def read(tmp_path: Path, text: str) -> DicomSettings:
    (tmp_path / "bedside.toml").write_text(text)
    return load(tmp_path / "bedside.toml", environment={}, flags={}).settings.dicom


def test_it_is_closed_unless_somebody_opens_it(tmp_path: Path) -> None:
    closed = read(tmp_path, "")
    assert (closed.port, closed.address) == (0, "127.0.0.1")
    assert closed.networks == ("127.0.0.0/8", "::1/128")


def test_files_are_relative_to_the_configuration(tmp_path: Path) -> None:
    found = read(tmp_path, '[dicom]\nport = 11112\ntls_certificate = "c.pem"\ntls_key = "k.pem"\n')
    assert found.tls_certificate == str(tmp_path / "c.pem")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            'networks = ["203.0.113.0/24", "8.0.0.0/8"]',
            "203.0.113.0/24, 8.0.0.0/8 in networks is not private",
        ),
        ('networks = ["0.0.0.0/0"]', "studies would travel unencrypted"),
        ('networks = ["10.0.0.1/8"]', "has host bits set"),
        ('tls_certificate = "c.pem"', "go together"),
        ('tls_client_ca = "ca.pem"', "means nothing without tls_certificate"),
        ('address = "localhost"', "does not appear to be an IPv4 or IPv6 address"),
        ("ae = []", "there must be one"),
        ('ae = [{title = "A"}, {title = "A"}]', "a title of its own"),
        ('ae = [{title = "SEVENTEEN LETTERS"}]', "dicom.ae.0.title"),
        ('ae = [{title = "BACK\\\\SLASH"}]', "dicom.ae.0.title"),
        ('ae = [{title = "A", calling = [""]}]', "is no AE title"),
        ('ae = [{title = "A", tenant = "../x"}]', "tenant of 4 characters"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, f"[dicom]\nport = 11112\n{text}\n")
    assert why in refused.value.message


def test_the_internet_may_send_with_tls(tmp_path: Path) -> None:
    tls = 'tls_certificate = "c.pem"\ntls_key = "k.pem"'
    found = read(tmp_path, f'[dicom]\nport = 11112\nnetworks = ["0.0.0.0/0"]\n{tls}\n')
    assert found.networks == ("0.0.0.0/0",)
