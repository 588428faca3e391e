from datetime import UTC, datetime, timedelta

import pytest

from corral.farm.domain.access.attempts import Attempts, Pace, Paces, network_of
from corral.farm.domain.access.errors import SignInTooOftenError

START = datetime(2026, 1, 1, tzinfo=UTC)
PACES = Paces(
    account_from_address=Pace(3, 10.0),
    address=Pace(6, 10.0),
    account_from_strangers=Pace(10, 10.0),
)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def admitted(attempts: Attempts, account: str, address: str, times: int, seconds: float = 0) -> int:
    count = 0
    for _ in range(times):
        try:
            attempts.begin(account, address, at(seconds))
        except SignInTooOftenError:
            continue
        count += 1
    return count


def test_guessing_one_account_from_one_address_ends_soon_and_goes_on_slowly() -> None:
    attempts = Attempts(PACES)
    assert admitted(attempts, "ada", "192.0.2.1", 10) == 3
    assert admitted(attempts, "ada", "192.0.2.1", 10, seconds=10) == 1
    assert admitted(attempts, "ada", "192.0.2.1", 10, seconds=1e6) == 3


def test_trying_many_accounts_from_one_address_ends_soon() -> None:
    attempts = Attempts(PACES)
    tried = sum(admitted(attempts, f"a{number}", "192.0.2.1", 1) for number in range(100))
    assert tried == 6


def test_one_address_does_not_hold_up_another() -> None:
    attempts = Attempts(PACES)
    admitted(attempts, "ada", "192.0.2.1", 100)
    assert admitted(attempts, "ada", "192.0.2.2", 1) == 1
    assert admitted(attempts, "bob", "192.0.2.2", 1) == 1


def test_guessing_one_account_from_many_addresses_ends_but_not_for_its_owner() -> None:
    attempts = Attempts(PACES)
    attempts.begin("ada", "192.0.2.77", at(0))
    attempts.succeeded("ada", "192.0.2.77", at(0))
    strangers = sum(admitted(attempts, "ada", f"198.51.100.{n}", 1) for n in range(100))
    assert strangers == 10
    assert admitted(attempts, "ada", "192.0.2.77", 1) == 1


def test_who_signs_in_rightly_is_never_slowed_down() -> None:
    attempts = Attempts(PACES)
    for _ in range(100):
        attempts.begin("ada", "192.0.2.1", at(0))
        attempts.succeeded("ada", "192.0.2.1", at(0))


def test_how_long_to_wait_is_said() -> None:
    attempts = Attempts(PACES)
    admitted(attempts, "ada", "192.0.2.1", 3)
    with pytest.raises(SignInTooOftenError, match="in 7 s"):
        attempts.begin("ada", "192.0.2.1", at(3))


def test_a_clock_that_is_set_back_neither_locks_out_nor_lets_in() -> None:
    attempts = Attempts(PACES)
    admitted(attempts, "ada", "192.0.2.1", 10, seconds=1000)
    assert admitted(attempts, "ada", "192.0.2.1", 10, seconds=0) == 0
    assert admitted(attempts, "ada", "192.0.2.1", 10, seconds=30) == 3


def test_an_attacker_does_not_get_more_by_taking_another_address_of_a_network() -> None:
    attempts = Attempts(PACES)
    tried = sum(admitted(attempts, "ada", f"2001:db8::{n:x}", 1) for n in range(1, 100))
    assert tried == 3


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
    ],
)
def test_networks(address: str, network: str) -> None:
    assert network_of(address) == network


def test_what_is_remembered_is_bounded() -> None:
    attempts = Attempts(PACES)
    for number in range(6000):
        attempts.begin(f"a{number}", f"10.{number >> 8}.{number & 255}.1", at(0))
    buckets = (attempts._pairs, attempts._addresses, attempts._accounts)  # noqa: SLF001 - the bound
    assert all(len(one._left) <= 4096 for one in buckets)  # noqa: SLF001
