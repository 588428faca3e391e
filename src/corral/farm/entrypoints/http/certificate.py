"""What the API shows to whoever connects by TLS, renewed while it runs."""

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from corral.farm.adapters.certificates import new_key, read_certificate
from corral.farm.adapters.tls import server_context
from corral.farm.application.certify import CertifyApi
from corral.farm.application.ports.sources import Clock
from corral.farm.domain.errors import DomainError
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.certificate import (
    Certificate,
    CertificateUnusableError,
    hosts_of_api,
)
from corral.farm.domain.estate.farm import Farm

_AGAIN_AFTER: Final = timedelta(minutes=1)

_log = structlog.get_logger("corral.http")


@dataclass(frozen=True)
class OwnCertificate:
    """Files that an administrator keeps up to date."""

    certificate: Path
    key: Path

    def read(self) -> tuple[Certificate, ssl.SSLContext]:
        """Read them; raises ``CertificateUnusableError``."""
        try:
            certificate = read_certificate(self.certificate.read_text(encoding="utf-8"))
            context = server_context(certificate.text, self.key.read_text(encoding="utf-8"))
        except ssl.SSLError as error:
            reason = "its key is not that of the certificate, or is no key without a password"
            raise CertificateUnusableError(self.certificate, reason) from error
        except OSError as error:
            path = error.filename or self.certificate
            reason = (error.strerror or str(error)).lower()
            raise CertificateUnusableError(path, reason) from error
        except ValueError as error:
            reason = "it is not PEM"
            raise CertificateUnusableError(self.certificate, reason) from error
        return certificate, context

    def changed_at(self) -> tuple[int, int]:
        """Tell one state of the files from another; raises ``OSError``."""
        return self.certificate.stat().st_mtime_ns, self.key.stat().st_mtime_ns


@dataclass
class FarmsCertificate:
    """One of the farm's own, for a key that lives as long as it does and is kept nowhere.

    ``farm`` gives the farm as it was last seen: one that names its API by other URLs gets another
    certificate.
    """

    certify: CertifyApi
    farm: Callable[[], Farm]
    listen: Address
    also: Sequence[str]
    clock: Clock
    _certificate: Certificate | None = field(default=None, init=False)
    _hosts: tuple[str, ...] = field(default=(), init=False)
    _context: ssl.SSLContext | None = field(default=None, init=False)
    _not_before: datetime | None = field(default=None, init=False)

    def context(self) -> ssl.SSLContext:
        """Give what is shown now, renewed if it is time.

        One that cannot be renewed stays in use, and is tried again later. Raises what making one
        raises if there was none before.
        """
        now, farm = self.clock.now(), self.farm()
        hosts = hosts_of_api(farm, self.listen, self.also)
        if self._context is not None and not self._is_due(now, hosts):
            return self._context
        self._not_before = now + _AGAIN_AFTER
        private, public = new_key()
        try:
            made = self.certify(farm, self.listen, self.also, public)
        except DomainError as error:
            if self._context is None:
                raise
            _log.error("the last certificate stays", code=error.code, detail=error.message)
            return self._context
        self._context = server_context(made.text, private)
        self._certificate, self._hosts, self._not_before = made, hosts, None
        _log.info("new certificate", hosts=list(made.hosts), until=made.ends_at.isoformat())
        return self._context

    def _is_due(self, now: datetime, hosts: tuple[str, ...]) -> bool:
        if self._not_before is not None and now < self._not_before:
            return False
        is_other = hosts != self._hosts
        return self._certificate is None or is_other or self._certificate.is_due(now)


@dataclass
class GivenCertificate:
    """An administrator's, read again when its files change."""

    own: OwnCertificate
    certify: CertifyApi
    _seen: tuple[int, int] | None = field(default=None, init=False)
    _context: ssl.SSLContext | None = field(default=None, init=False)

    def context(self) -> ssl.SSLContext:
        """Give what is shown now; files that are of no use any more leave the last ones in use.

        Raises ``CertificateUnusableError`` if there were none before.
        """
        try:
            seen: tuple[int, int] | None = self.own.changed_at()
        except OSError:
            seen = self._seen
        if self._context is None or seen != self._seen:
            self._seen = seen
            try:
                certificate, context = self.own.read()
            except DomainError as error:
                if self._context is None:
                    raise
                _log.error("the last certificate stays", code=error.code, detail=error.message)
            else:
                self._context = context
                _log.info("certificate read", until=certificate.ends_at.isoformat())
                self._note(certificate)
        assert self._context is not None  # noqa: S101 - set above, or raised
        return self._context

    def _note(self, certificate: Certificate) -> None:
        try:
            self.certify.note(certificate)
        except DomainError as error:
            # The farm check goes by the one before; whoever connects sees this one all the same.
            _log.error("the certificate is not noted", code=error.code, detail=error.message)
