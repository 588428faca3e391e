"""Certificates by which the farm's processes are known on the network: for whom, and how long.

The farm is its own authority: whoever knows its root certificate knows all its processes. What is
reached only on the machine itself needs none.

Not here: how a certificate is made and shown, which is the adapters' business.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from corral.farm.domain.errors import EnvironmentFaultError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from corral.farm.domain.estate.address import Address
    from corral.farm.domain.estate.farm import Farm
    from corral.farm.domain.estate.server import Server

LIFE: Final = timedelta(days=90)
RENEW_WITHIN: Final = timedelta(days=30)
"""Renewed when no more than this is left: a process that is away for weeks loses nothing."""
WARN_WITHIN: Final = timedelta(days=14)
"""By then it should have been renewed long ago."""
BACKDATED: Final = timedelta(days=1)
"""Valid for so long before it is made, for whoever's clock is slow."""

_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class CertificateUnusableError(EnvironmentFaultError):
    """A certificate that an administrator gives is PEM, with its private key, and in date."""

    code = "certificate-unusable"

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(
            f"the certificate in {path} cannot be used: {reason}. Give --certificate a PEM file"
            " with the certificate first and its issuers behind it, and --key its private key, or"
            " neither for one of the farm's own"
        )


class CertificateKeyInvalidError(InvalidInputError):
    """A server's certificate is made for a key of its own, on the curve P-256."""

    code = "certificate-key-invalid"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"no certificate can be made for this key: {reason}. Send a public key of the curve"
            " P-256 in PEM"
        )


@dataclass(frozen=True)
class Certificate:
    """What a process shows to whoever connects."""

    text: str
    """PEM: the certificate, and behind it those that vouch for it, without the root."""
    hosts: tuple[str, ...]
    """The addresses and names that it is good for."""
    ends_at: datetime

    def is_due(self, now: datetime) -> bool:
        """Whether it is to be renewed: it ends soon, or a clock was far ahead when it was made."""
        return not RENEW_WITHIN < self.ends_at - now <= LIFE + BACKDATED


def hosts_of_server(server: Server) -> tuple[str, ...]:
    """Give every host under which others reach a server."""
    return _hosts(
        (
            *server.listen,
            *server.advertised,
            server.chunks_listen,
            server.chunks_advertised,
            *(() if server.management is None else (server.management,)),
        )
    )


def hosts_of_api(farm: Farm, listen: Address, also: Iterable[str] = ()) -> tuple[str, ...]:
    """Give every host under which others reach the API, or did, the machine itself among them."""
    urls = (*farm.api_urls, *farm.former_api_urls)
    named = (urlsplit(url).hostname or "" for url in urls)
    return tuple(sorted({*_hosts((listen,)), *_LOOPBACK, *named, *also} - {""}))


def is_loopback(host: str) -> bool:
    """Whether only the machine itself reaches this host."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _hosts(addresses: Iterable[Address]) -> tuple[str, ...]:
    # A certificate has no room for the zone of an IPv6 address, such as eth0 in fe80::1%eth0.
    hosts = (one.host.partition("%")[0] for one in addresses if not one.is_wildcard)
    return tuple(sorted(set(hosts)))
