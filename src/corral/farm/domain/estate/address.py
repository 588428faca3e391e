"""Where a server listens and where others reach it."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from corral.farm.domain.errors import InvalidInputError

_MAX_PORT = 65_535


class AddressInvalidError(InvalidInputError):
    """An address is an IP address and a port: a device that starts has no name service."""

    code = "address-invalid"

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} is not an address: write an IP address and a port from 1 to {_MAX_PORT},"
            " such as 192.0.2.10:10809 or [2001:db8::10]:10809"
        )


class AddressUnreachableError(InvalidInputError):
    """An advertised address must be one that others can connect to; the wildcard address is not."""

    code = "address-unreachable"

    def __init__(self, address: Address) -> None:
        super().__init__(
            f"{address} listens on every interface, but nobody can connect to it by that name:"
            " say with --advertise which address devices and other servers use"
        )


@dataclass(frozen=True, order=True)
class Address:
    """An IP address and a TCP port; ``str`` gives the form that :meth:`parse` reads."""

    host: str
    port: int

    def __post_init__(self) -> None:
        try:
            canonical = str(ip_address(self.host))
        except ValueError:
            msg = f"{self.host}:{self.port}"
            raise AddressInvalidError(msg) from None
        if not 1 <= self.port <= _MAX_PORT:
            msg = f"{self.host}:{self.port}"
            raise AddressInvalidError(msg)
        object.__setattr__(self, "host", canonical)

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``192.0.2.10:10809`` or ``[2001:db8::10]:10809``."""
        host, colon, port = text.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if not colon or not (port.isascii() and port.isdecimal()) or (":" in host) != bracketed:
            raise AddressInvalidError(text)
        try:
            return cls(host[1:-1] if bracketed else host, int(port))
        except AddressInvalidError:
            raise AddressInvalidError(text) from None

    @property
    def is_wildcard(self) -> bool:
        """Whether this means every interface: fit to listen on, not to connect to."""
        return ip_address(self.host).is_unspecified

    def overlaps(self, other: Address) -> bool:
        """Whether no two can listen at both of them on one machine.

        The wildcard of IPv6 leaves IPv4 to others: listeners of IPv6 take nothing else here.
        """
        mine, theirs = ip_address(self.host), ip_address(other.host)
        is_one_host = mine == theirs or self.is_wildcard or other.is_wildcard
        return self.port == other.port and mine.version == theirs.version and is_one_host

    def reachable(self) -> Address:
        """Give the address itself, refused if nobody can connect to it."""
        if self.is_wildcard:
            raise AddressUnreachableError(self)
        return self

    def __str__(self) -> str:
        host = f"[{self.host}]" if isinstance(ip_address(self.host), IPv6Address) else self.host
        return f"{host}:{self.port}"
