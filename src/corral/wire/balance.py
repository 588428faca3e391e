"""A rebalance, as the API tells it."""

from typing import Annotated, Literal

from pydantic import Field

from corral.wire.message import Message, Name, Part

Percent = Annotated[int, Field(ge=0, le=10_000)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]


class BalanceRules(Message):
    """When the farm moves devices by itself."""

    automatic: bool
    every_seconds: Count
    over_percent: Percent
    least_devices: Count
    booting_percent: Percent
    revision: int


class BalanceEdit(Message):
    """The body of ``PATCH /v1/farm/balance``; a rule that is not there stays as it is."""

    automatic: bool | None = None
    every_seconds: Count | None = None
    over_percent: Percent | None = None
    least_devices: Count | None = None
    booting_percent: Percent | None = None


class SubnetAffinity(Message):
    """How much devices are bound to servers of their own subnet; null where nothing is said."""

    affinity: Literal["none", "best-effort", "fixed"] | None


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
