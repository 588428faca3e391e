"""Certificates for the farm's processes, and a look at all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.domain.estate.certificate import hosts_of_api, hosts_of_server

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from corral.farm.application.ports.certificates import CertificateAuthority, CertificateFiles
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.estate.address import Address
    from corral.farm.domain.estate.certificate import Certificate
    from corral.farm.domain.estate.farm import Farm
    from corral.farm.domain.estate.server import ServerId, ServerName


class CertifyServer:
    """Makes a server's certificate for a key that never leaves the server."""

    def __init__(
        self, transactions: Transactions, authority: CertificateAuthority, clock: Clock
    ) -> None:
        self._transactions = transactions
        self._authority = authority
        self._clock = clock

    def __call__(self, server_id: ServerId, public_key: str) -> Certificate:
        """Give it; raises ``CertificateKeyInvalidError``."""
        with self._transactions.reading() as records:
            farm, server = records.farm.get(), records.servers.with_id(server_id)
        return self._authority.issue(
            farm, f"server {server.name}", hosts_of_server(server), public_key, self._clock.now()
        )


class CertifyApi:
    """Makes the certificate of an API process, or notes the one that it was given.

    It needs no database, so that a certificate is renewed while that is away.
    """

    def __init__(
        self, authority: CertificateAuthority, certificates: CertificateFiles, clock: Clock
    ) -> None:
        self._authority = authority
        self._certificates = certificates
        self._clock = clock

    def __call__(
        self, farm: Farm, listen: Address, also: Sequence[str], public_key: str
    ) -> Certificate:
        """Give one that is good from now on."""
        hosts = hosts_of_api(farm, listen, also)
        made = self._authority.issue(farm, "API", hosts, public_key, self._clock.now())
        self.note(made)
        return made

    def note(self, shown: Certificate) -> None:
        """Remember what the process shows, for the farm check."""
        self._certificates.put_api(shown)


@dataclass(frozen=True)
class ServerCertificate:
    """What the farm knows of a server's certificate, from its last report."""

    server: ServerName
    ends_at: datetime | None
    """None if it has not said that it has one."""
    requires_tls: bool
    hosts: tuple[str, ...]
    """What a certificate that it gets now is for."""


@dataclass(frozen=True)
class Certificates:
    """All of them."""

    root: str
    root_file: str
    """Where it lies, for devices to be given."""
    api: Certificate | None
    servers: tuple[ServerCertificate, ...]
    at: datetime


class ShowCertificates:
    """Gives the farm's root, and what is known of the others."""

    def __init__(
        self,
        transactions: Transactions,
        authority: CertificateAuthority,
        certificates: CertificateFiles,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._authority = authority
        self._certificates = certificates
        self._clock = clock

    def __call__(self) -> Certificates:
        """Look; the root is written where devices' copies are taken from."""
        with self._transactions.reading() as records:
            farm, servers = records.farm.get(), records.servers.all()
        root = self._authority.root(farm)
        return Certificates(
            root=root,
            root_file=self._certificates.put_root(root),
            api=self._certificates.of_api(),
            servers=tuple(
                ServerCertificate(
                    server.name,
                    None if server.last_report is None else server.last_report.certificate_ends_at,
                    server.requires_tls,
                    hosts_of_server(server),
                )
                for server in servers
            ),
            at=self._clock.now(),
        )
