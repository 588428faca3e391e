"""Certificates: the authority that makes them, and what the API was last seen with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from corral.farm.domain.estate.certificate import Certificate
    from corral.farm.domain.estate.farm import Farm


class CertificateAuthority(Protocol):
    """The farm as the authority for its own processes.

    It is made from the farm's key alone, so that every machine that has the key is the same
    authority, and there is nothing more to keep. Raises ``FarmKeyUnusableError``.
    """

    def root(self, farm: Farm) -> str:
        """Give the farm's root certificate in PEM: the same each time."""
        ...

    def issue(
        self, farm: Farm, name: str, hosts: Iterable[str], public_key: str, now: datetime
    ) -> Certificate:
        """Certify a public key (PEM) for ``hosts``, from now on and for ``certificate.LIFE``.

        Raises ``CertificateKeyInvalidError``.
        """
        ...


class CertificateFiles(Protocol):
    """Certificates that lie in the farm's folder for others to see; none of them is a secret.

    Raises ``DiskUnreadableError``.
    """

    def put_root(self, text: str) -> str:
        """Write the root certificate, which devices are to be given; say where it is."""
        ...

    def put_api(self, certificate: Certificate) -> None:
        """Remember what the API shows since now."""
        ...

    def of_api(self) -> Certificate | None:
        """Give what the API showed last; none if it never spoke TLS from this folder."""
        ...
