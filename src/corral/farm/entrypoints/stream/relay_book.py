"""What a relay remembers of each computer of its site.

The last orders that it carried, and what the computer said that the farm has not heard yet. On
disk, so that a relay that starts while its line is cut answers all the same. Not here: who asks,
and whether they may.
"""

from __future__ import annotations

import base64
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from uuid import UUID

import structlog
from pydantic import ValidationError

from corral.farm.adapters.farm_folder.farm_key import is_signed
from corral.farm.adapters.farm_folder.private_file import write_private_file
from corral.wire.engine import Orders, SignedCheckIn, SignedOrders, orders_message
from corral.wire.message import Base64, Message, UnixSeconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COMPUTERS_AT_MOST: Final = 4096
"""The one that was heard longest ago is forgotten for the next."""

_log = structlog.get_logger("corral.stream")


class Kept(Message):
    """One computer's file. Its tickets are secret until they end."""

    computer: UUID
    public_key: Base64
    """As the farm said: by it a computer is recognised while nobody can be asked."""
    sequence: int
    """Of the last check-in that was heard from it."""
    orders: SignedOrders
    epoch: int
    generation: int
    issued_at: UnixSeconds
    undelivered: SignedCheckIn | None = None
    """The newest that the farm has not heard. It says all that an earlier one said: an engine says
    what happened again until the farm has heard it."""

    @property
    def place(self) -> tuple[int, int]:
        """What never goes back."""
        return (self.epoch, self.generation)


@dataclass
class RelayBook:
    """A folder with a file for each computer; used from several threads."""

    folder: Path
    farm_public_key: bytes
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _heard: dict[UUID, bool] = field(default_factory=dict)
    """Those that there is a file of, longest not heard first; whether anything is undelivered."""

    @classmethod
    def beside(cls, server_file: Path, farm_public_key: bytes) -> RelayBook:
        """Open that of a server."""
        book = cls(server_file.with_name(f"{server_file.stem}.relay"), farm_public_key)
        book.load()
        return book

    def load(self) -> None:
        """Find what an earlier process kept."""
        with suppress(OSError):
            for path in sorted(self.folder.glob("*.json"), key=lambda one: one.stat().st_mtime_ns):
                with suppress(ValueError):
                    kept = self.find(UUID(path.stem))
                    if kept is not None:
                        self._heard[kept.computer] = kept.undelivered is not None

    @property
    def count(self) -> int:
        """How many computers it knows."""
        return len(self._heard)

    def undelivered(self) -> list[UUID]:
        """Give those that said something which the farm has not heard."""
        with self._lock:
            return [computer for computer, is_waiting in self._heard.items() if is_waiting]

    def find(self, computer: UUID) -> Kept | None:
        """Give what is known of one; none if nothing that this release can read."""
        path = self._path(computer)
        try:
            kept = Kept.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            # `ValidationError` quotes values, which may be tickets.
            _log.warning("kept orders are of no use", path=str(path), reason=type(error).__name__)
            return None
        return kept if kept.computer == computer else None

    def carried(
        self, computer: UUID, public_key: bytes, sequence: int, signed: SignedOrders
    ) -> None:
        """Remember orders that the farm gave to a check-in; never older ones than are known."""
        orders = self._believed(computer, signed)
        if orders is None:
            return

        def after(before: Kept | None) -> Kept | None:
            place = (orders.epoch, orders.generation)
            if before is not None and (
                (place, orders.issued_at) < (before.place, before.issued_at)
                or sequence < before.sequence
            ):
                # A later check-in was carried, or is kept: that one says more.
                return None
            return Kept(
                computer=computer,
                public_key=base64.b64encode(public_key).decode("ascii"),
                sequence=sequence,
                orders=signed,
                epoch=orders.epoch,
                generation=orders.generation,
                issued_at=orders.issued_at,
            )

        self._change(computer, after)

    def keep_for_later(self, computer: UUID, sequence: int, said: SignedCheckIn) -> None:
        """Remember a check-in that the farm is to hear, in the place of any earlier one."""
        self._change(
            computer,
            lambda before: (
                before
                if before is None or sequence <= before.sequence
                else before.model_copy(update={"sequence": sequence, "undelivered": said})
            ),
        )

    def delivered(self, computer: UUID, said: SignedCheckIn) -> None:
        """Forget that a check-in is to be delivered, unless a later one came meanwhile."""
        self._change(
            computer,
            lambda before: (
                before
                if before is None or before.undelivered != said
                else before.model_copy(update={"undelivered": None})
            ),
        )

    def forget(self, computer: UUID) -> None:
        """Forget a computer that the farm does not listen to any more."""
        with self._lock:
            self._heard.pop(computer, None)
            with suppress(OSError):
                self._path(computer).unlink(missing_ok=True)

    def _believed(self, computer: UUID, signed: SignedOrders) -> Orders | None:
        message, signature = orders_message(signed.orders), base64.b64decode(signed.signature)
        if not is_signed(self.farm_public_key, message, signature):
            _log.error("orders that the farm has not signed are not kept", computer=str(computer))
            return None
        try:
            orders = Orders.model_validate_json(signed.orders)
        except ValidationError:
            _log.error("orders that cannot be read are not kept", computer=str(computer))
            return None
        return orders if orders.computer == computer else None

    def _change(self, computer: UUID, change: Callable[[Kept | None], Kept | None]) -> None:
        with self._lock:
            before = self.find(computer)
            after = change(before)
            if after is None or after is before:
                return
            try:
                content = after.model_dump_json().encode()
                write_private_file(self._path(computer), content)
            except OSError as error:
                # A disk that refuses must not keep a computer from its orders.
                _log.warning("orders are not kept", path=str(self.folder), reason=str(error))
                return
            self._heard.pop(computer, None)
            self._heard[computer] = after.undelivered is not None
            while len(self._heard) > COMPUTERS_AT_MOST:
                self.forget(next(iter(self._heard)))

    def _path(self, computer: UUID) -> Path:
        return self.folder / f"{computer}.json"
