"""Logins that go on while the database is away: a signed snapshot is kept, and answered from."""

from __future__ import annotations

import base64
import hashlib
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from corral.farm.domain.delivery.errors import LoginsUnusableError
from corral.farm.domain.errors import DomainError
from corral.farm.domain.estate.errors import (
    FarmDatabaseBusyError,
    FarmDatabaseError,
    FarmDatabaseLostError,
    FarmDatabaseUnreachableError,
)
from corral.wire.listing import Health
from corral.wire.login import CacheFallback, LoginAnswer, RankedServer, WriteCache
from corral.wire.logins import KnownDevice, LoginSnapshot, SignedLogins, signed_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corral.farm.adapters.farm_folder.login_snapshot import KeptLogins
    from corral.farm.application import log_device_in, take_login_snapshot
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.sources import Clock
    from corral.farm.application.show_farm import ShowFarm
    from corral.farm.application.take_login_snapshot import TakeLoginSnapshot
    from corral.farm.domain.access.token import Token
    from corral.farm.domain.estate.farm import Farm

DATABASE_AWAY: Final = (
    FarmDatabaseBusyError,
    FarmDatabaseError,
    FarmDatabaseLostError,
    FarmDatabaseUnreachableError,
)
"""What says that the database is away, and nothing about the request."""

_LASTS_SECONDS: Final = 5.0
_LASTS_TIMES: Final = 30
"""Servers come and go without a new generation, so that a snapshot is also taken anew by age: the
sooner, the less it costs."""

_REFRESH_SECONDS: Final = 2.0

_log = structlog.get_logger("corral.http")


def in_wire(answer: log_device_in.LoginAnswer) -> LoginAnswer:
    """Give a login's answer as it is sent."""
    return LoginAnswer(
        device=answer.device.name,
        export=answer.export,
        root=answer.version.root.hex,
        size_bytes=answer.version.size_bytes,
        ticket=answer.ticket,
        expires_at=int(answer.expires_at.timestamp()),
        write_cache=WriteCache(answer.write_cache.value),
        cache_limit_bytes=answer.setting.limit_bytes,
        cache_fallback=(
            CacheFallback(answer.setting.fallback.value) if answer.setting.kind.needs_disk else None
        ),
        servers=tuple(
            RankedServer(
                name=server.name,
                addresses=tuple(str(address) for address in server.advertised),
                tls=server.requires_tls,
            )
            for server in answer.servers
        ),
        writable=answer.overlay is not None,
        certificate_authority=answer.authority,
    )


def signed(snapshot: take_login_snapshot.LoginSnapshot, key: FarmKey) -> SignedLogins:
    """Give a snapshot as it is sent and kept."""
    text = LoginSnapshot(
        farm=snapshot.farm.id,
        generation=snapshot.farm.generation,
        taken_at=int(snapshot.taken_at.timestamp()),
        devices=tuple(
            KnownDevice(
                name=answer.device.name,
                key_digest=base64.b64encode(answer.device.key_digest.value).decode(),
                answer=in_wire(answer),
            )
            for answer in snapshot.answers
        ),
        certificate_authority=snapshot.authority,
    ).model_dump_json()
    signature = base64.b64encode(key.sign(signed_message(text))).decode()
    return SignedLogins(snapshot=text, signature=signature)


@dataclass(frozen=True)
class TakenLogins:
    """A signed snapshot as bytes, and the tag by which an unchanged one is known."""

    body: bytes
    tag: str


@dataclass
class Logins:
    """The snapshot of one API process. Used from every thread that answers requests."""

    take: TakeLoginSnapshot
    show_farm: ShowFarm
    key: FarmKey
    kept: KeptLogins
    farm: Farm
    """As it was last seen."""
    clock: Clock
    monotonic: Callable[[], float]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _taken: TakenLogins | None = None
    _fresh_until: float = 0.0
    _is_away: bool = False
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to take snapshots in the background, and read that of an earlier run."""
        try:
            self.kept.load()
        except DomainError as error:
            _log.warning("no snapshot of logins", code=error.code, detail=error.message)
        self._thread = threading.Thread(target=self._run, name="logins", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the work in the background."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def is_database_away(self) -> bool:
        """Whether the last one to ask the database found nobody.

        From then on only the thread in the background asks, so that logins do not wait in vain.
        """
        return self._is_away

    def current(self) -> TakenLogins:
        """Give the newest snapshot, taken now unless nothing has changed since the last one.

        Raises what reading the records raises.
        """
        with self._lock:
            is_fresh = (
                self._taken is not None
                and self.monotonic() < self._fresh_until
                and self._look().generation == self.kept.generation
            )
            if self._taken is None or not is_fresh:
                began_at = self.monotonic()
                snapshot = self.take()
                self.farm = snapshot.farm
                message = signed(snapshot, self.key)
                body = message.model_dump_json().encode()
                self._keep(message)
                self._taken = TakenLogins(body, f'"{hashlib.sha256(body).hexdigest()}"')
                took = self.monotonic() - began_at
                self._fresh_until = began_at + max(_LASTS_SECONDS, took * _LASTS_TIMES)
            return self._taken

    def _look(self) -> Farm:
        self.farm = self.show_farm().farm
        return self.farm

    def _keep(self, message: SignedLogins) -> None:
        try:
            self.kept.keep(message)
        except LoginsUnusableError as error:
            # A disk that is full here must not take the snapshot away from the servers.
            _log.warning("the snapshot is not kept", code=error.code, detail=error.message)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note whether the database answers in the block; what it raises is raised on."""
        try:
            yield
        except DATABASE_AWAY as error:
            if not self._is_away:
                _log.warning("the database is away", code=error.code, detail=error.message)
            self._is_away = True
            raise
        if self._is_away:
            self._is_away = False
            _log.info("the database answers again")

    def health(self, release: str) -> Health:
        """Say what can be said without a database."""
        taken_at = self.kept.taken_at
        return Health(
            release=release,
            farm=self.farm.id,
            generation=self.kept.generation or 0,
            is_database_away=True,
            logins_taken_at=None if taken_at is None else int(taken_at.timestamp()),
            logins_age_seconds=self.kept.age_seconds(self.clock.now()),
        )

    def answer_without_database(self, device: str, key: Token, running: str | None) -> LoginAnswer:
        """Answer from the snapshot; raises what :meth:`KeptLogins.answer` raises."""
        answer = self.kept.answer(device, key, running, self.clock.now())
        _log.info("login from the snapshot", device=device, taken_at=answer.answered_from)
        return answer

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self.watching():
                    self.current()
            except DATABASE_AWAY:
                pass
            except DomainError as error:
                _log.warning("no new snapshot of logins", code=error.code, detail=error.message)
            except Exception:  # noqa: BLE001 - see below
                # A thread that ends in silence would leave the farm with an ever older snapshot.
                _log.exception("taking the snapshot of logins failed")
            self._stopping.wait(_REFRESH_SECONDS)
