"""Certificates for others to see, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corral.farm.domain.estate.certificate import Certificate


class MemoryCertificateFiles:
    """Remembers the last ones."""

    def __init__(self) -> None:
        self.root: str | None = None
        self._api: Certificate | None = None

    def put_root(self, text: str) -> str:
        """Remember the root certificate."""
        self.root = text
        return "/farm/ca.pem"

    def put_api(self, certificate: Certificate) -> None:
        """Remember what the API shows."""
        self._api = certificate

    def of_api(self) -> Certificate | None:
        """Give it."""
        return self._api
