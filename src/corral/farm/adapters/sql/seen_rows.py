"""What computers say, as JSON columns. Fields are added, never renamed: other releases read it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from corral.farm.domain.computer.check_in import (
    KitState,
    MachineState,
    SeenEngine,
    SeenKit,
    SeenMachine,
)
from corral.farm.domain.computer.computer import Attempt, MachineKey
from corral.farm.domain.computer.user import UserId
from corral.farm.domain.image.image import ImageId
from corral.farm.domain.image.root import RootHash

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    Document: TypeAlias = Mapping[str, Any]


def engine(value: Document) -> SeenEngine:
    """Read what an engine is."""
    return SeenEngine(**{**value, "image_formats": tuple(value["image_formats"])})


def engine_value(of: SeenEngine) -> Document:
    """Give what an engine is."""
    return {**asdict(of), "image_formats": list(of.image_formats)}


def kit(value: Document) -> SeenKit:
    """Read how the engine's own releases stand."""
    return SeenKit(**{**value, "state": KitState(value["state"])})


def kit_value(of: SeenKit) -> Document:
    """Give how the engine's own releases stand."""
    return {**asdict(of), "state": of.state.value}


def machine(value: Document) -> SeenMachine:
    """Read how a machine is."""
    return SeenMachine(
        **{
            **value,
            "state": MachineState(value["state"]),
            **{name: _root(value[name]) for name in _ROOTS},
            **{name: _moment(value[name]) for name in _MOMENTS},
        }
    )


def machine_value(of: SeenMachine) -> Document:
    """Give how a machine is."""
    found = {name: getattr(of, name) for name in of.__dataclass_fields__}
    for name in _ROOTS:
        found[name] = None if found[name] is None else found[name].hex
    for name in _MOMENTS:
        found[name] = None if found[name] is None else found[name].isoformat()
    return {**found, "state": of.state.value}


def attempts(value: Sequence[Document]) -> tuple[Attempt, ...]:
    """Read what was tried again."""
    return tuple(
        Attempt(MachineKey(ImageId(UUID(one["image"])), UserId(UUID(one["user"]))), one["number"])
        for one in value
    )


def attempts_value(of: Sequence[Attempt]) -> list[Document]:
    """Give what was tried again."""
    return [
        {
            "image": one.machine.image_id.hex,
            "user": one.machine.user_id.hex,
            "number": one.number,
        }
        for one in of
    ]


_ROOTS = ("wanted", "running", "proven")
_MOMENTS = ("started_at", "postponed_until")


def _root(text: str | None) -> RootHash | None:
    return None if text is None else RootHash(text)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
