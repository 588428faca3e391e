"""The two slots in the state folder. Needs nothing but Python: what starts agents reads them, too.

slots/state.json     the record
slots/a/, slots/b/   a release each: site/ is what Python imports, files/ what else the kit had
slots/a/kit.json     says which kit was laid out there
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from corral.engine.adapters.files import reason_of, write_whole
from corral.engine.domain.failures import StateUnusableError
from corral.engine.domain.slots.record import GivenUpKit, Kit, Slot, Slots
from corral.engine.domain.slots.stage import KitStage
from corral.kit import place as places

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT: Final = 1
SLOT_VARIABLE: Final = "CORRAL_ENGINE_SLOT"
"""Tells an agent what it was started from: a slot, or ``PACKAGE``."""
PACKAGE: Final = "package"


class SlotsFolder:
    """Reads and writes them; who writes is the agent, or what starts agents while none runs."""

    def __init__(self, state: Path) -> None:
        self.path = state / "slots"

    @property
    def record(self) -> Path:
        """Where the record is."""
        return self.path / "state.json"

    @property
    def coming(self) -> Path:
        """Where a kit is laid out before it takes the place of what is in a slot."""
        return self.path / ".coming"

    def place(self, slot: Slot) -> Path:
        """Give the folder of a slot."""
        return self.path / slot

    @property
    def _going(self) -> Path:
        return self.path / ".going"

    def site(self, slot: Slot) -> Path:
        """Give what Python imports of the release in a slot."""
        return self.place(slot) / "site"

    def files(self, slot: Slot) -> Path:
        """Give the other files of the release in a slot."""
        return self.path / slot / "files"

    def load(self) -> Slots:
        """Give the record, a new one if there is none; raises ``StateUnusableError``."""
        document = self._document()
        if document is None:
            return Slots()
        try:
            return _slots(document["slots"])
        except (KeyError, TypeError, ValueError):
            raise StateUnusableError(str(self.record), "it cannot be read") from None

    def keep(self, slots: Slots) -> None:
        """Write the record; what a later release has put beside it stays."""
        document = self._document() or {}
        kept = document.get("slots", {})
        document.update(format=FORMAT, slots={**kept, **asdict(slots)})
        try:
            write_whole(self.record, json.dumps(document, indent=1).encode())
        except OSError as error:
            raise StateUnusableError(str(self.record), reason_of(error)) from error

    def set_aside(self) -> None:
        """Take a record that cannot be read out of the way, for somebody to look at."""
        self.record.replace(self.record.with_suffix(".unreadable"))

    def laid_out(self, slot: Slot) -> str | None:
        """Give the root of the kit that lies whole in a slot."""
        found = places.laid_out(self.place(slot))
        return None if found is None else found[1]

    def begin(self) -> Path:
        """Give an empty folder to lay a kit out in."""
        try:
            places.begin(self.coming, self._going)
            for half in self.path.glob(f".{self.record.name}.*"):  # of writers that were killed
                half.unlink()
        except OSError as error:
            raise StateUnusableError(str(self.path), reason_of(error)) from error
        return self.coming

    def put(self, slot: Slot, kit: Kit) -> None:
        """Have what was laid out take the place of what is in a slot, whole or not at all."""
        place = self.place(slot)
        try:
            places.put(self.coming, self._going, place, release=kit.release, root=kit.root)
        except OSError as error:
            raise StateUnusableError(str(place), reason_of(error)) from error

    def _document(self) -> dict[str, Any] | None:
        try:
            document = json.loads(self.record.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StateUnusableError(str(self.record), reason_of(error)) from error
        except ValueError:
            raise StateUnusableError(str(self.record), "it cannot be read") from None
        if not isinstance(document, dict):
            raise StateUnusableError(str(self.record), "it cannot be read")
        return document


def _slots(value: dict[str, Any]) -> Slots:
    """Read a record; what an earlier release did not write is as it is in a new one."""
    coming, given_up = value.get("coming"), value.get("given_up")
    new = Slots()
    return Slots(
        active=Slot(value["active"]),
        release=str(value["release"]),
        stage=KitStage(value["stage"]),
        coming=None if coming is None else Kit(**coming),
        given_up=None if given_up is None else GivenUpKit(**given_up),
        tries=int(value.get("tries", new.tries)),
        was_healthy=bool(value.get("was_healthy", new.was_healthy)),
        boot=str(value.get("boot", new.boot)),
        before=str(value.get("before", new.before)),
    )


def slot_of(environment: Mapping[str, str]) -> tuple[bool, Slot | None]:
    """Say whether an agent was started by the launcher, and from which slot.

    None stands for the package's release.
    """
    said = environment.get(SLOT_VARIABLE)
    if said is None:
        return False, None
    return True, None if said == PACKAGE else Slot(said)
