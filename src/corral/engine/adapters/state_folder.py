"""The engine's state in a folder: what was written is there after a power cut, whole."""

from __future__ import annotations

import logging
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote

import structlog
from pydantic import BaseModel, ValidationError

from corral.engine.adapters.files import make_durable, make_folder, reason_of, write_whole
from corral.engine.adapters.messages import read_orders
from corral.engine.application.ports import FarmPlace, GivenOrders  # noqa: TC001 - kept below
from corral.engine.domain.failures import StateUnusableError
from corral.engine.domain.journal import Entry, Notice, Severity
from corral.engine.domain.machine.record import Machine, MachineKey  # noqa: TC001 - as above
from corral.wire.engine import SignedOrders

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FORMAT: Final = 1
_EVENTS_KEPT: Final = 256
_GOING: Final = ".going-"
_log = structlog.get_logger("corral.engine")
_LEVELS: Final = {
    Severity.INFORMATION: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.ERROR: logging.ERROR,
}
_Kept = TypeVar("_Kept", bound=BaseModel)


class _KeptMachine(BaseModel):
    format: int = FORMAT
    machine: Machine


class _KeptPlace(BaseModel):
    format: int = FORMAT
    place: FarmPlace


class _KeptEvents(BaseModel):
    format: int = FORMAT
    last_number: int = 0
    events: tuple[Entry, ...] = ()


class _KeptSettings(BaseModel):
    format: int = FORMAT
    is_pausing: bool = False


class StateFolder:
    """Where everything of the engine lies; ``docs/reference/engine.md`` names its files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def identity(self) -> Path:
        """The computer's private key."""
        return self.path / "identity.key"

    @property
    def store(self) -> Path:
        """The chunk store."""
        return self.path / "store"

    @property
    def broken_kvm(self) -> Path:
        """Where it is written that the kernel cannot run guests."""
        return self.path / "kvm-broken"

    @property
    def sockets(self) -> Path:
        """Sockets; their names are short, because a path to one may not be long."""
        return self.path / "run"

    def machine(self, key: MachineKey) -> Path:
        """Give the folder of one machine."""
        return self.path / "machines" / quote(str(key), safe="@ +,=")

    def prepare(self) -> None:
        """Make what has to be there; raises ``StateUnusableError``."""
        try:
            for folder in (self.path, self.sockets, self.path / "machines"):
                make_folder(folder)
        except OSError as error:
            raise StateUnusableError(str(self.path), reason_of(error)) from error

    def machines(self) -> Mapping[MachineKey, Machine]:
        """Give all machines, and finish the removal of those that were going."""
        found: dict[MachineKey, Machine] = {}
        root = self.path / "machines"
        for folder in sorted(root.iterdir()) if root.is_dir() else ():
            if folder.name.startswith(_GOING):
                shutil.rmtree(folder, ignore_errors=True)
                continue
            kept = self._read(folder / "state.json", _KeptMachine)
            if kept is not None:
                found[kept.machine.key] = kept.machine
        return found

    def keep_machine(self, machine: Machine) -> None:
        """Write one."""
        self._write(self.machine(machine.key) / "state.json", _KeptMachine(machine=machine))

    def forget_machine(self, key: MachineKey) -> None:
        """Remove one; it goes out of sight at once, and its files when there is time."""
        folder = self.machine(key)
        going = folder.with_name(f"{_GOING}{folder.name}")
        try:
            shutil.rmtree(going, ignore_errors=True)
            with suppress(FileNotFoundError):
                folder.rename(going)
            make_durable(folder.parent)
        except OSError as error:
            raise StateUnusableError(str(folder), reason_of(error)) from error
        shutil.rmtree(going, ignore_errors=True)

    def place(self) -> FarmPlace | None:
        """Give the farm; None if the computer was never registered."""
        kept = self._read(self.path / "farm.json", _KeptPlace)
        return None if kept is None else kept.place

    def keep_place(self, place: FarmPlace) -> None:
        """Write it."""
        self._write(self.path / "farm.json", _KeptPlace(place=place))

    def next_sequence(self) -> int:
        """Give a number that was never given before."""
        path = self.path / "sequence"
        try:
            last = int(path.read_text("ascii"))
        except FileNotFoundError:
            last = 0
        except (OSError, ValueError) as error:
            raise StateUnusableError(str(path), str(error)) from error
        try:
            write_whole(path, str(last + 1).encode())
        except OSError as error:
            raise StateUnusableError(str(path), reason_of(error)) from error
        return last + 1

    def events(self) -> Sequence[Entry]:
        """Give the events that the farm has not heard of."""
        return self._events().events

    def note(self, notice: Notice, at: int) -> None:
        """Write an event down; of very many the oldest are lost, and their numbers show it."""
        kept = self._events()
        number = kept.last_number + 1
        level = _LEVELS[notice.severity]
        _log.log(level, notice.text, code=notice.code, image=notice.image)
        events = (*kept.events, Entry(number, at, notice))[-_EVENTS_KEPT:]
        self._write(self._journal, _KeptEvents(last_number=number, events=events))

    def forget_events(self, up_to: int) -> None:
        """Drop those that the farm has heard of."""
        kept = self._events()
        left = tuple(event for event in kept.events if event.number > up_to)
        self._write(self._journal, kept.model_copy(update={"events": left}))

    def is_pausing(self) -> bool:
        """Whether the user has paused all fetching."""
        kept = self._read(self.path / "settings.json", _KeptSettings)
        return kept is not None and kept.is_pausing

    def set_pausing(self, *, pauses: bool) -> None:
        """Keep the user's word."""
        self._write(self.path / "settings.json", _KeptSettings(is_pausing=pauses))

    def is_erasing(self) -> bool:
        """Whether the computer has begun to erase itself."""
        return (self.path / "erasing").exists()

    def begin_erasing(self) -> None:
        """Write that down before the first thing goes."""
        write_whole(self.path / "erasing", b"")

    def erase_data(self) -> None:
        """Remove machines, the store and the orders."""
        for name in ("machines", "store", "slots"):
            shutil.rmtree(self.path / name, ignore_errors=True)
        for name in ("orders.json", "disks.json", "events.json", "settings.json"):
            (self.path / name).unlink(missing_ok=True)

    def erase_identity(self) -> None:
        """Remove the key and everything else that is left."""
        for name in ("identity.key", "farm.json", "sequence", "erasing"):
            (self.path / name).unlink(missing_ok=True)

    def read(self, place: FarmPlace) -> GivenOrders | None:
        """Give the orders in force; None if there are none that can be read."""
        signed = self._read(self.path / "orders.json", SignedOrders)
        if signed is None:
            return None
        try:
            return read_orders(signed, place.farm_public_key)
        except ValidationError:
            return None

    def keep(self, given: GivenOrders) -> None:
        """Write orders as they came."""
        signed = SignedOrders(orders=given.text, signature=given.signature)
        self._write(self.path / "orders.json", signed)

    @property
    def _journal(self) -> Path:
        return self.path / "events.json"

    def _events(self) -> _KeptEvents:
        return self._read(self._journal, _KeptEvents) or _KeptEvents()

    def _read(self, path: Path, kind: type[_Kept]) -> _Kept | None:
        try:
            return kind.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StateUnusableError(str(path), reason_of(error)) from error
        except ValidationError as error:
            where = ", ".join(
                "/".join(map(str, one["loc"])) for one in error.errors(include_input=False)
            )
            reason = f"it cannot be read at {where or 'its beginning'}"
            raise StateUnusableError(str(path), reason) from None

    def _write(self, path: Path, value: BaseModel) -> None:
        try:
            write_whole(path, value.model_dump_json(indent=1).encode())
        except OSError as error:
            raise StateUnusableError(str(path), reason_of(error)) from error
