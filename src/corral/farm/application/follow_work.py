"""See how far work is that servers and devices do by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.writers import writable_of
from corral.farm.domain.delivery.move import Outcome
from corral.farm.domain.image.overlay_errors import MaintenanceUnknownError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.delivery.device import DeviceName
    from corral.farm.domain.delivery.move import OrderedMove
    from corral.farm.domain.estate.server import ServerId, ServerName
    from corral.farm.domain.image.image import ImageName
    from corral.farm.domain.image.overlay import OverlayPhase
    from corral.farm.domain.image.version import Version


@dataclass(frozen=True)
class Round:
    """The moves of devices away from some servers that were ordered in some time."""

    origins: frozenset[ServerName]
    since: datetime
    until: datetime

    def has(self, move: OrderedMove, names: Mapping[ServerId, ServerName]) -> bool:
        """Whether a move is one of them."""
        is_of_the_time = self.since <= move.ordered_at <= self.until
        return is_of_the_time and names.get(move.origin) in self.origins


@dataclass(frozen=True)
class MovesSeen:
    """How far the moves of a round are."""

    total: int
    open: int
    """Devices that are still to go."""
    stayed: tuple[tuple[DeviceName, Outcome], ...]
    """Devices that did not go where they were asked to, and what became of it."""


class FollowMoves:
    """Tells what became of devices that were asked to move."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, of: Round) -> MovesSeen:
        """Look; a device that was moved again since counts no more."""
        with self._transactions.reading() as records:
            names = {server.id: server.name for server in records.servers.all()}
            ended = [m for m in records.moves.of_time_since(of.since) if of.has(m, names)]
            is_open = sum(of.has(move, names) for move in records.moves.in_progress())
            others = [(m.device_id, m.outcome) for m in ended if m.outcome is not Outcome.DONE]
            devices = {one.id: one.name for one in records.devices.all()} if others else {}
        # One that was removed since has no name any more, and nobody misses it.
        stayed = tuple(
            (devices[device], outcome)
            for device, outcome in others
            if device in devices and outcome is not None
        )
        return MovesSeen(len(ended) + is_open, is_open, stayed)


@dataclass(frozen=True)
class Sealing:
    """How far an image's sealing is."""

    phase: OverlayPhase | None
    """Of what is to be sealed; none if there is nothing that could be."""
    problem: str
    """What its server last said of it."""
    done_bytes: int
    """Of what was written, that which its server has read."""
    total_bytes: int
    """What its server has to read; 0 while it has not begun."""
    newest: Version | None
    """The newest version that there is, whatever its access."""


class FollowSealing:
    """Tells how far an image's sealing is."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: ImageName) -> Sealing:
        """Look; raises ``ImageUnknownError``."""
        with self._transactions.reading() as records:
            image = records.images.get(name)
            versions = records.versions.of_image(image.id)
            newest = versions[-1] if versions else None
            try:
                overlay = writable_of(records, image)
            except MaintenanceUnknownError:
                return Sealing(None, "", 0, 0, newest)
        seen = overlay.seen
        if seen is None:
            return Sealing(overlay.phase, "", 0, 0, newest)
        done, total = seen.sealing_done_bytes, seen.sealing_total_bytes
        return Sealing(overlay.phase, seen.problem, done, total, newest)
