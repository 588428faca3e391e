"""What the engine needs of the world to change its own releases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from corral.engine.domain.slots.record import Kit, Slot, Slots


class SlotRecords(Protocol):
    """The two slots. What was written is there after a power cut, whole."""

    def load(self) -> Slots:
        """Give the record, a new one if there is none."""

    def keep(self, slots: Slots) -> None:
        """Write it."""

    def laid_out(self, slot: Slot) -> str | None:
        """Give the root of the kit that lies whole in a slot."""


class Installer(Protocol):
    """Puts kits into slots."""

    def __call__(self, kit: Kit, slot: Slot) -> None:
        """Have ``slot`` hold the kit, whole or not at all.

        Raises ``DeniedError`` and ``RefusedError`` for a kit that is not installed as it is, and
        other errors for what may be better the next time.
        """


class Health(Protocol):
    """How this agent does."""

    def does_its_work(self) -> bool:
        """Whether the disk process answers it, it saw to every machine, and shows its status."""

    def was_heard(self) -> bool:
        """Whether the farm has answered a check-in of it."""

    def is_cut_off(self) -> bool:
        """Whether no farm could be reached."""
