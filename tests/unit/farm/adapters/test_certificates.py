"""The farm's authority, looked at with the library that makes the certificates."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from corral.farm.adapters.certificates import DerivedAuthority, new_key, read_certificate
from corral.farm.adapters.memory.farm_key import MemoryFarmKey
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.certificate import (
    LIFE,
    RENEW_WITHIN,
    CertificateKeyInvalidError,
    hosts_of_api,
    is_loopback,
)
from corral.farm.domain.estate.farm import ApiUrl, Farm, FarmId, FarmName
from corral.farm.entrypoints.http.main import Speech

NOW = datetime(2026, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)
FARM = Farm(FarmId(UUID(int=7)), FarmName("home"), b"", (ApiUrl("https://192.0.2.1:1"),), NOW)


@pytest.fixture
def authority() -> DerivedAuthority:
    key = MemoryFarmKey()
    key.create()
    return DerivedAuthority(key)


def test_the_root_is_the_same_each_time(authority: DerivedAuthority) -> None:
    root = authority.root(FARM)
    assert root == authority.root(FARM)
    other = MemoryFarmKey()
    other.create()
    assert root != DerivedAuthority(other).root(FARM)
    read = x509.load_pem_x509_certificate(root.encode())
    read.verify_directly_issued_by(read)
    assert read.not_valid_before_utc < NOW
    assert read.not_valid_after_utc.year == 9999


def test_what_it_issues_names_hosts_and_dates(authority: DerivedAuthority) -> None:
    _, public = new_key()
    hosts = ("192.0.2.1", "2001:db8::1", "farm.example")
    made = authority.issue(FARM, "server s1", hosts, public, NOW)
    assert made.hosts == tuple(sorted(hosts))
    assert abs(made.ends_at - NOW - LIFE) < timedelta(seconds=1)
    assert read_certificate(made.text) == made
    read = x509.load_pem_x509_certificate(made.text.encode())
    read.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.root(FARM).encode()))
    assert read.not_valid_before_utc < NOW
    assert not read.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not made.is_due(NOW)
    assert made.is_due(made.ends_at - RENEW_WITHIN)


def test_only_keys_that_all_can_use_are_certified(authority: DerivedAuthority) -> None:
    other = Ed25519PrivateKey.generate().public_key()
    pem = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for wrong in (pem, "no key", ""):
        with pytest.raises(CertificateKeyInvalidError, match="P-256"):
            authority.issue(FARM, "server s1", ("192.0.2.1",), wrong, NOW)


def test_the_api_is_known_by_its_urls_and_by_itself() -> None:
    everywhere = hosts_of_api(FARM, Address("0.0.0.0", 1), ("farm.example",))  # noqa: S104
    assert everywhere == ("127.0.0.1", "192.0.2.1", "::1", "farm.example", "localhost")
    assert "198.51.100.1" in hosts_of_api(FARM, Address("198.51.100.1", 1))


@pytest.mark.parametrize(
    ("host", "is_secured"),
    [("127.0.0.1", False), ("::1", False), ("0.0.0.0", True), ("192.0.2.1", True), ("::", True)],  # noqa: S104
)
def test_who_can_be_heard_speaks_tls_unless_told_otherwise(host: str, *, is_secured: bool) -> None:
    listen = Address(host, 10_800)
    assert Speech(listen).is_secured is is_secured
    assert Speech(listen, tls=True).is_secured
    assert not Speech(listen, tls=False).is_secured
    assert is_loopback(host) is not is_secured


def test_names_are_loopback_only_if_they_say_so() -> None:
    assert is_loopback("localhost")
    assert not is_loopback("farm.example")


def test_the_zone_of_an_address_is_in_no_certificate(authority: DerivedAuthority) -> None:
    """Else a server would find that its certificate is for another host, and ask again, always."""
    hosts = hosts_of_api(FARM, Address("fe80::1%eth0", 1))
    assert "fe80::1" in hosts
    assert set(authority.issue(FARM, "API", hosts, new_key()[1], NOW).hosts) == set(hosts)
