"""Subnets: which network is near to what."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, TypeAlias

from corral.farm.domain.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable

_Network: TypeAlias = IPv4Network | IPv6Network


class SubnetInvalidError(InvalidInputError):
    """A subnet is an IP network in CIDR form, whose host bits are zero."""

    code = "subnet-invalid"

    def __init__(self, text: str, meant: str = "") -> None:
        instead = f"write {meant}" if meant else "write one such as 192.0.2.0/24 or 2001:db8::/64"
        super().__init__(f"{text!r} is no subnet: {instead}")


@dataclass(frozen=True)
class Subnet:
    """An IPv4 or IPv6 network; ``str`` gives the form that :meth:`parse` reads."""

    network: _Network

    @classmethod
    def parse(cls, text: str) -> Subnet:
        """Read ``192.0.2.0/24`` or ``2001:db8::/64``; an address of a host is never guessed at."""
        if "/" not in text:
            raise SubnetInvalidError(text)
        try:
            return cls(ip_network(text))
        except ValueError:
            raise SubnetInvalidError(text, _meant(text)) from None

    def overlaps(self, other: Subnet) -> bool:
        """Say whether an address can be in both."""
        mine, theirs = self.network, other.network
        if isinstance(mine, IPv4Network) and isinstance(theirs, IPv4Network):
            return mine.overlaps(theirs)
        if isinstance(mine, IPv6Network) and isinstance(theirs, IPv6Network):
            return mine.overlaps(theirs)
        return False

    def __contains__(self, address: str) -> bool:
        """Say whether the IP address ``address`` is in it."""
        return ip_address(address) in self.network

    def __str__(self) -> str:
        return str(self.network)


def parse_subnets(texts: Iterable[str]) -> tuple[Subnet, ...]:
    """Read several, in the order of their addresses, each once."""
    found = {Subnet.parse(text) for text in texts}
    return tuple(sorted(found, key=_place))


def _place(subnet: Subnet) -> tuple[int, int, int]:
    network = subnet.network
    return network.version, int(network.network_address), network.prefixlen


def _meant(text: str) -> str:
    """Give the network that an address with host bits lies in, if it is that."""
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return ""
