from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.things import NOW, later, server, site

from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.capacity import (
    LimitOutOfRangeError,
    RatingOutOfRangeError,
    device_limit,
    parse_limit,
    power_rating,
)
from corral.farm.domain.estate.server import ONLINE_FOR, LastReport, Server
from corral.farm.domain.estate.site import SubnetsOverlapError
from corral.farm.domain.estate.store import (
    FIRST_STORE,
    FolderId,
    StoreFolder,
    StoreId,
    StorePathMissingError,
)
from corral.farm.domain.estate.subnet import Subnet, SubnetInvalidError, parse_subnets
from corral.farm.domain.naming import some_of


def networks_of(version: Literal[4, 6], bits: int) -> st.SearchStrategy[str]:
    return st.builds(
        lambda address, length: str(ip_network((address, length), strict=False)),
        st.ip_addresses(v=version),
        st.integers(0, bits),
    )


networks = networks_of(4, 32) | networks_of(6, 128)


@pytest.mark.parametrize(
    ("text", "rating"),
    [("0.1", "0.1"), ("1", "1"), ("2.0", "2"), ("12.5", "12.5"), ("1000", "1000"), ("1e2", "100")],
)
def test_power_rating_is_read(text: str, rating: str) -> None:
    assert power_rating(text) == Decimal(rating)
    assert str(power_rating(text)) == rating


@pytest.mark.parametrize(
    "text", ["0", "0.09", "-1", "1000.1", "1001", "0.25", "1,5", "", "nan", "inf", "1e400", "two"]
)
def test_power_rating_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(RatingOutOfRangeError, match=r"0\.1 to 1000"):
        power_rating(text)


@pytest.mark.parametrize("number", [1, 1_000_000])
def test_limit_of_devices(number: int) -> None:
    assert device_limit(number) == parse_limit(str(number)) == number


@pytest.mark.parametrize("text", ["0", "1000001", "-1", "1.5", "", "many", "٣"])
def test_limit_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(LimitOutOfRangeError, match="none"):
        parse_limit(text)


@given(networks)
def test_subnet_is_read_as_it_is_written(network: str) -> None:
    assert str(Subnet.parse(network)) == network


@pytest.mark.parametrize("text", ["", "192.0.2.1", "192.0.2.0/33", "::/129", "net", "192.0.2.0/x"])
def test_what_is_no_subnet_is_refused(text: str) -> None:
    with pytest.raises(SubnetInvalidError, match="such as"):
        Subnet.parse(text)


def test_host_in_a_subnet_is_not_guessed_at() -> None:
    with pytest.raises(SubnetInvalidError, match=r"write 192\.0\.2\.0/24"):
        Subnet.parse("192.0.2.7/24")


@given(networks, networks)
def test_subnets_overlap_exactly_if_they_have_an_address_in_common(
    one: object, other: object
) -> None:
    mine, theirs = Subnet.parse(str(one)), Subnet.parse(str(other))
    # Two networks are apart, or one holds the first address of the other.
    common = str(mine.network[0]) in theirs or str(theirs.network[0]) in mine
    assert mine.overlaps(theirs) == theirs.overlaps(mine) == common


def test_addresses_are_found_in_their_subnet() -> None:
    near = Subnet.parse("192.0.2.0/24")
    assert "192.0.2.255" in near
    assert "192.0.3.0" not in near
    assert "::1" not in near
    assert ip_address("192.0.2.1") in near.network


def test_several_subnets_come_once_and_in_order() -> None:
    texts = ["2001:db8::/64", "198.51.100.0/24", "9.0.0.0/8", "198.51.100.0/24"]
    assert [str(s) for s in parse_subnets(texts)] == [
        "9.0.0.0/8",
        "198.51.100.0/24",
        "2001:db8::/64",
    ]


def test_subnets_of_two_sites_do_not_overlap_and_both_are_named() -> None:
    basel, bern = site("basel", 1, "192.0.2.0/25"), site("bern", 2, "192.0.2.0/24")
    with pytest.raises(
        SubnetsOverlapError, match=r"192\.0\.2\.0/24 overlaps 192\.0\.2\.0/25 .*basel"
    ):
        bern.refuse_overlap([basel, bern])
    bern.refuse_overlap([bern, site("other", 3, "192.0.3.0/24", "2001:db8::/64")])


def test_store_says_where_a_server_keeps_it() -> None:
    assert replace(FIRST_STORE, default_path=Path("/a")).path_for(None) == Path("/a")
    assert replace(FIRST_STORE, default_path=Path("/a")).path_for(Path("/b")) == Path("/b")
    with pytest.raises(StorePathMissingError, match="corral store change default"):
        FIRST_STORE.path_for(None)


@pytest.mark.parametrize("same_folder", [True, False])
@pytest.mark.parametrize("same_store", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_folder_serves_several_servers_of_one_shared_store_only(
    *, same_folder: bool, same_store: bool, shared: bool
) -> None:
    one = StoreFolder(FolderId(UUID(int=1)), Path("/a"))
    other = StoreFolder(
        one.id if same_folder else FolderId(UUID(int=2)),
        Path("/b"),
        one.belongs_to if same_store else StoreId(UUID(int=3)),
    )
    clash = same_folder and not (same_store and shared)
    assert one.clashes_with(other, shared=shared) is clash


def reported(sessions: int) -> Server:
    return replace(server("s1", 1), last_report=LastReport(NOW, sessions))


UNSAID = None
OLDER = LastReport(NOW, 0, requires_tls=True)
PLAIN = LastReport(NOW, 0)
CHUNKS_ONLY = LastReport(NOW, 0, chunks_require_tls=True)
SECURED = LastReport(NOW, 0, requires_tls=True, chunks_require_tls=True)


@pytest.mark.parametrize(
    ("host", "report", "scheme", "is_heard"),
    [
        ("127.0.0.1", UNSAID, "http", False),
        ("127.0.0.1", PLAIN, "http", False),
        ("127.0.0.1", SECURED, "https", False),
        ("192.0.2.1", UNSAID, "https", True),
        ("192.0.2.1", PLAIN, "http", True),
        ("192.0.2.1", OLDER, "http", True),
        ("192.0.2.1", CHUNKS_ONLY, "https", True),
        ("192.0.2.1", SECURED, "https", False),
    ],
)
def test_chunks_are_asked_for_as_the_server_said(
    host: str, report: LastReport | None, scheme: str, *, is_heard: bool
) -> None:
    seen = replace(
        server("s1", 1),
        advertised=(Address(host, 10_809),),
        chunks_advertised=Address(host, 10_901),
        last_report=report,
    )
    assert seen.chunk_url == f"{scheme}://{host}:10901"
    assert seen.can_be_listened_to is is_heard


def test_online_server_counts_as_present_for_safety_and_for_its_sessions() -> None:
    assert reported(0).may_be_relied_on(NOW + ONLINE_FOR)
    assert not reported(0).may_be_serving(NOW + ONLINE_FOR)
    assert reported(3).may_be_serving(NOW + ONLINE_FOR)


@pytest.mark.parametrize("sessions", [0, 3])
def test_silent_server_counts_as_lost_for_safety_and_as_present_for_danger(sessions: int) -> None:
    now = NOW + ONLINE_FOR + timedelta(microseconds=1)
    assert not reported(sessions).may_be_relied_on(now)
    assert reported(sessions).may_be_serving(now)
    assert reported(sessions).may_be_serving(later(1e8))


def test_server_that_never_reported_is_neither() -> None:
    assert not server("s1", 1).may_be_relied_on(NOW)
    assert not server("s1", 1).may_be_serving(NOW)


@pytest.mark.parametrize("draining", [True, False])
@pytest.mark.parametrize("maintenance", [True, False])
def test_server_takes_devices_unless_somebody_keeps_them_away(
    *, draining: bool, maintenance: bool
) -> None:
    one = replace(reported(0), draining=draining, maintenance=maintenance)
    assert one.takes_devices(NOW) is not (draining or maintenance)
    assert not one.takes_devices(later(60))


def test_long_lists_are_counted_rather_than_named() -> None:
    assert some_of(["a"]) == "a"
    assert some_of(list("abcde")) == "a, b, c, d, e"
    assert some_of(list("abcdefg")) == "a, b, c, d, e and 2 more"
