import base64
import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corral.farm.domain.access.ticket import Purpose, Ticket, replication_expiry
from corral.farm.domain.access.token import Token, TokenWrongError
from corral.farm.domain.delivery.device import MacAddress, MacInvalidError
from corral.farm.domain.estate.address import Address, AddressInvalidError
from corral.farm.domain.estate.farm import ApiUrlInvalidError, api_url
from corral.farm.domain.image.errors import VersionNameInvalidError
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.root import RootHash, RootInvalidError
from corral.farm.domain.image.version import VersionName
from corral.farm.domain.naming import NameInvalidError, checked_name


@pytest.mark.parametrize("text", ["a", "pc1", "debian-12.1", "0", "x" * 63])
def test_names_that_are_fine(text: str) -> None:
    assert checked_name("thing", text) == text


@pytest.mark.parametrize(
    "text",
    ["", "PC1", "a/b", "a;b", "-a", "a-", ".", "..", "a..b", "a b", "x" * 64, "é", "a\n", "a\0"],
)
def test_names_that_are_refused(text: str) -> None:
    with pytest.raises(NameInvalidError) as refusal:
        checked_name("thing", text)
    assert repr(text) in refusal.value.message


@given(st.text(max_size=70))
def test_a_name_is_kept_as_it_is_or_refused(text: str) -> None:
    try:
        assert checked_name("thing", text) == text
    except NameInvalidError:
        return
    assert text == text.strip().lower()
    assert "/" not in text
    assert ";" not in text


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:10809", "127.0.0.1", 10_809),
        ("[2001:DB8::1]:1", "2001:db8::1", 1),
        ("0.0.0.0:65535", "0.0.0.0", 65_535),  # noqa: S104 - the wildcard may be listened on
    ],
)
def test_address_is_read_and_written_alike(text: str, host: str, port: int) -> None:
    address = Address.parse(text)
    assert (address.host, address.port) == (host, port)
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        *("", "127.0.0.1", ":1", "host.example:1", "127.0.0.1:0", "127.0.0.1:65536", "1.2.3.4:x"),
        *("2001:db8::1:1", "[127.0.0.1]:1", "[2001:db8::1]", "1.2.3.4:-1", "1.2.3.4:１"),  # noqa: RUF001 - a digit, but not ours
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(AddressInvalidError):
        Address.parse(text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://192.0.2.1:10800", "http://192.0.2.1:10800"),
        ("https://farm.example/corral/", "https://farm.example/corral"),
        ("http://[2001:db8::1]:1", "http://[2001:db8::1]:1"),
    ],
)
def test_api_is_reached_at_a_url(text: str, url: str) -> None:
    assert api_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        *("", "192.0.2.1:10800", "ftp://a", "http://", "http://a:x", "http://a:99999"),
        *("http://u:p@a", "http://[::1", "http://a#b", "http://a?b"),
    ],
)
def test_what_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(ApiUrlInvalidError):
        api_url(text)


@pytest.mark.parametrize("text", ["52:54:00:AB:cd:ef", "52-54-00-ab-cd-ef"])
def test_mac_has_one_form(text: str) -> None:
    assert str(MacAddress.parse(text)) == "52:54:00:ab:cd:ef"


@pytest.mark.parametrize(
    "text",
    ["", "52:54:00:ab:cd", "52:54-00:ab:cd:ef", "01:00:5e:00:00:01", "00:00:00:00:00:00", "zz"],
)
def test_what_is_no_card_is_refused(text: str) -> None:
    with pytest.raises(MacInvalidError):
        MacAddress.parse(text)


@pytest.mark.parametrize("text", ["", "debian", "debian/", "debian/0", "debian/-1", "a/b/1", "/1"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises((VersionNameInvalidError, NameInvalidError)):
        VersionName.parse(text)


def test_versions_go_by_number_not_by_letters() -> None:
    names = [VersionName.parse(f"debian/{number}") for number in (10, 9, 2)]
    assert [str(name) for name in sorted(names)] == ["debian/2", "debian/9", "debian/10"]
    assert names[0].image == image_name("debian")


@pytest.mark.parametrize(
    "text", ["", "ab", "A" * 64, "g" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n"]
)
def test_what_is_no_root_is_refused(text: str) -> None:
    with pytest.raises(RootInvalidError):
        RootHash(text)


def test_root_is_shown_whole() -> None:
    root = RootHash("ab" * 32)
    assert str(root) == "ab" * 32
    assert root.digest == b"\xab" * 32


@given(st.binary(min_size=32, max_size=32))
def test_token_is_read_as_it_is_revealed_and_kept_as_its_hash(value: bytes) -> None:
    token = Token(value)
    assert Token.parse(token.reveal()).digest() == token.digest()
    assert token.digest().value == hashlib.sha256(value).digest()
    assert token.digest().matches(token)
    assert token.reveal() not in f"{token} {token!r} {token.digest()!r}"


@pytest.mark.parametrize("text", ["", "short", "é" * 43, "=" * 43, "a" * 44, "a b" * 15])
def test_what_is_no_token_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(TokenWrongError) as refusal:
        Token.parse(text)
    assert not text or text not in refusal.value.message


def test_token_is_base64url_without_padding() -> None:
    assert Token(bytes(range(224, 256))).reveal() == base64.urlsafe_b64encode(
        bytes(range(224, 256))
    ).decode().rstrip("=")


@pytest.mark.parametrize("purpose", Purpose)
def test_a_ticket_says_for_what_for_whom_and_until_when(purpose: Purpose) -> None:
    expires = datetime(2030, 1, 1, tzinfo=UTC)
    root = RootHash("ab" * 32)
    claims = Ticket(purpose, UUID(int=9), expires, root).claims()
    seconds = int(expires.timestamp()).to_bytes(8, "little")
    assert claims == bytes([1, purpose]) + root.digest + seconds + UUID(int=9).bytes
    known = {"STREAM": 1, "REPLICATE": 2, "WRITE": 3, "FETCH": 4, "TRY": 5}
    assert purpose.value == known[purpose.name]


# The calendar of Python ends with the year 9999, and so within a ticket of its last days.
@given(
    st.datetimes(datetime(2000, 1, 1), datetime(9999, 12, 1), timezones=st.just(UTC))  # noqa: DTZ001
)
def test_replication_ticket_lives_six_days_at_least_and_is_the_same_all_day(now: datetime) -> None:
    expiry = replication_expiry(now)
    assert timedelta(days=6) < expiry - now <= timedelta(days=7)
    assert expiry == replication_expiry(now.replace(hour=23, minute=59))
