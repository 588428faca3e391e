"""How often somebody may try to sign in.

Three buckets, each of which refills with time. One for an account from an address: guessing ends
there. One for an address: trying many accounts ends there. One for an account from all addresses
that it was never signed in from: guessing from many places ends there, while its owner, at the
usual place, is not locked out by it. Whoever signs in rightly gets the attempt back.

What is remembered is bounded; what was not used for longest is forgotten first.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import TYPE_CHECKING, Final

from corral.farm.domain.access.errors import SignInTooOftenError

if TYPE_CHECKING:
    from datetime import datetime

_REMEMBERED: Final = 4096
_V6_NETWORK_BITS: Final = 64


@dataclass(frozen=True)
class Pace:
    """How many at once, and how many seconds until there is one more."""

    burst: int
    seconds_each: float


@dataclass(frozen=True)
class Paces:
    """The bounds of one process."""

    account_from_address: Pace = Pace(5, 30.0)
    address: Pace = Pace(20, 5.0)
    account_from_strangers: Pace = Pace(30, 10.0)


def network_of(address: str) -> str:
    """Give what a caller cannot change at will: an IPv4 address, the network of an IPv6 one."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    host_bits = parsed.max_prefixlen - _V6_NETWORK_BITS
    return f"{IPv6Address(int(parsed) >> host_bits << host_bits)}/{_V6_NETWORK_BITS}"


class _Buckets:
    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._left: OrderedDict[tuple[str, ...], tuple[float, datetime]] = OrderedDict()

    def wait(self, key: tuple[str, ...], now: datetime) -> float:
        """Give how many seconds it is until there is one to take."""
        left = self._level(key, now)
        return 0.0 if left >= 1.0 else (1.0 - left) * self._pace.seconds_each

    def take(self, key: tuple[str, ...], now: datetime) -> None:
        self._put(key, self._level(key, now) - 1.0, now)

    def give_back(self, key: tuple[str, ...], now: datetime) -> None:
        self._put(key, min(float(self._pace.burst), self._level(key, now) + 1.0), now)

    def fill(self, key: tuple[str, ...]) -> None:
        self._left.pop(key, None)

    def _level(self, key: tuple[str, ...], now: datetime) -> float:
        burst = float(self._pace.burst)
        left, at = self._left.get(key, (burst, now))
        if now < at:
            # The clock was set back: that gives nothing, and time counts from here on.
            self._left[key] = (left, now)
            return left
        return min(burst, left + (now - at).total_seconds() / self._pace.seconds_each)

    def _put(self, key: tuple[str, ...], left: float, now: datetime) -> None:
        self._left.pop(key, None)
        self._left[key] = (left, now)
        if len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)


class Attempts:
    """The attempts of one process; not for several threads at once."""

    def __init__(self, paces: Paces | None = None) -> None:
        chosen = paces or Paces()
        self._pairs = _Buckets(chosen.account_from_address)
        self._addresses = _Buckets(chosen.address)
        self._accounts = _Buckets(chosen.account_from_strangers)
        self._usual: OrderedDict[tuple[str, str], None] = OrderedDict()

    def begin(self, account: str, address: str, now: datetime) -> None:
        """Count an attempt before it is looked at; raises ``SignInTooOftenError``."""
        network = network_of(address)
        taken = self._taken(account, network)
        wait = max(buckets.wait(key, now) for buckets, key in taken)
        if wait > 0.0:
            raise SignInTooOftenError(ceil(wait))
        for buckets, key in taken:
            buckets.take(key, now)

    def succeeded(self, account: str, address: str, now: datetime) -> None:
        """Give the attempt back, and remember where the account is at home."""
        network = network_of(address)
        for buckets, key in self._taken(account, network):
            buckets.give_back(key, now)
        self._pairs.fill((account, network))
        self._usual.pop((account, network), None)
        self._usual[account, network] = None
        if len(self._usual) > _REMEMBERED:
            self._usual.popitem(last=False)

    def _taken(self, account: str, network: str) -> list[tuple[_Buckets, tuple[str, ...]]]:
        taken: list[tuple[_Buckets, tuple[str, ...]]] = [
            (self._pairs, (account, network)),
            (self._addresses, (network,)),
        ]
        if (account, network) not in self._usual:
            taken.append((self._accounts, (account,)))
        return taken
