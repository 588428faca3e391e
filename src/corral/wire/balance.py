"""A rebalance, as the API tells it."""

from corral.wire.message import Message, Name, Part


class Move(Part):
    """A device that moves, or would."""

    device: Name
    origin: Name
    target: Name
    why: str


class LeftAlone(Part):
    """Why a server is not relieved; nothing is moved at all if it names none."""

    server: Name | None
    code: str
    why: str


class Rebalance(Message):
    """The answer to a rebalance."""

    ordered: bool
    """The moves are being made; else they were only planned."""
    moves: tuple[Move, ...]
    left_alone: tuple[LeftAlone, ...]
