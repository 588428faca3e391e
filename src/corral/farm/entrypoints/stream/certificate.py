"""The server's certificate: its key is made here and stays here, the farm certifies it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog
from pydantic import ValidationError

from corral.farm.adapters.certificates import new_key
from corral.farm.adapters.farm_folder.private_file import write_private_file
from corral.farm.adapters.tls import server_context
from corral.farm.domain.estate.certificate import Certificate
from corral.wire.message import Message, UnixSeconds

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

    from corral.farm.application.ports.sources import Clock
    from corral.wire.server import ServerCertificate, ServerConfiguration

_NOT_AGAIN_WITHIN: Final = timedelta(hours=1)

_log = structlog.get_logger("corral.stream")


class _Kept(Message):
    """What lies beside the server's file, for its owner only."""

    private_key: str
    certificate: str
    hosts: tuple[str, ...]
    ends_at: UnixSeconds
    authority: str


class CertificateKeeper:
    """Has a certificate that is good for what the farm says that the server is reached by."""

    def __init__(self, server_file: Path, clock: Clock) -> None:
        self._path = server_file.with_name(f"{server_file.stem}.certificate.json")
        self._clock = clock
        self._kept: _Kept | None = None
        self._made_at: datetime | None = None
        self.version = 0
        """Raised by each new one."""

    @property
    def certificate(self) -> Certificate | None:
        """What is shown now."""
        kept = self._kept
        if kept is None:
            return None
        ends_at = datetime.fromtimestamp(kept.ends_at, UTC)
        return Certificate(kept.certificate, kept.hosts, ends_at)

    @property
    def private_key(self) -> str:
        """The key of it, in PEM; a secret."""
        return "" if self._kept is None else self._kept.private_key

    def load(self) -> None:
        """Go on with that of an earlier run, if there is one."""
        try:
            self._kept = _Kept.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, ValidationError) as error:
            # Not fatal: the farm makes another. `ValidationError` quotes values: the key.
            _log.warning("the kept certificate is of no use", reason=type(error).__name__)
            return
        self.version += 1

    def follow(
        self, wanted: ServerConfiguration, ask: Callable[[str], ServerCertificate | None]
    ) -> None:
        """Get a new one if it is time, or if the server or the farm is known by another name."""
        if not wanted.certificate_hosts or self._is_good(wanted):
            return
        private, public = new_key()
        made = ask(public)
        if made is None:
            return
        self._kept = _Kept(
            private_key=private,
            certificate=made.certificate,
            hosts=made.hosts,
            ends_at=made.ends_at,
            authority=wanted.certificate_authority,
        )
        self._made_at = self._clock.now()
        self.version += 1
        _log.info("new certificate", hosts=list(made.hosts), until=made.ends_at)
        try:
            write_private_file(self._path, self._kept.model_dump_json().encode())
        except OSError as error:
            _log.warning("the certificate is not kept", path=str(self._path), reason=str(error))

    def _is_good(self, wanted: ServerConfiguration) -> bool:
        kept, certificate = self._kept, self.certificate
        if (
            kept is None
            or certificate is None
            or kept.authority != wanted.certificate_authority
            or set(kept.hosts) != set(wanted.certificate_hosts)
        ):
            return False
        now = self._clock.now()
        # Where the clocks of farm and server are weeks apart, a new one is as due as the old.
        is_new = self._made_at is not None and abs(now - self._made_at) < _NOT_AGAIN_WITHIN
        return is_new or not certificate.is_due(now)


class ShownCertificate:
    """The keeper's certificate as Python's listeners show it."""

    def __init__(self, keeper: CertificateKeeper) -> None:
        self._keeper = keeper
        self._version = 0
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext | None:
        """Give what is shown now; none before there is a certificate."""
        keeper = self._keeper
        certificate, version = keeper.certificate, keeper.version
        if certificate is not None and version != self._version:
            self._context = server_context(certificate.text, keeper.private_key)
            self._version = version
        return self._context
