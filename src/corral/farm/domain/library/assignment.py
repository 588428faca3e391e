"""That a computer is given a kit, and how far it is with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corral.farm.domain.computer.check_in import KitState
from corral.farm.domain.library.errors import ReleaseInvalidError
from corral.farm.domain.library.release import Release

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from corral.farm.domain.computer.check_in import CheckIn
    from corral.farm.domain.computer.computer import ComputerId
    from corral.farm.domain.library.compatibility import Forbidden
    from corral.farm.domain.library.item import ItemId


@dataclass(frozen=True)
class KitAssignment:
    """That a computer is to run the release of a kit."""

    computer_id: ComputerId
    item_id: ItemId
    assigned_at: datetime
    attempt: int = 0
    """Raised when somebody says to try again."""
    revision: int = 1

    def retried(self) -> KitAssignment:
        """Give it as it is once somebody said to try again."""
        return replace(self, attempt=self.attempt + 1)


class Upgrade(StrEnum):
    """What the column says of a computer and the kit that it was given (S69 to S74)."""

    NONE = "none"
    """It was given no kit."""
    CURRENT = "current"
    """It runs the release."""
    BLOCKED = "blocked"
    """A fact forbids it: the code says which."""
    PENDING = "pending"
    """It has not been heard of since it was given the kit."""
    SIGNALLED = "signalled"
    """It knows, and is fetching or installing."""
    INSTALLED = "installed"
    """It takes it when it is restarted."""
    WENT_BACK = "went-back"
    """It did not prove itself there, and waits for somebody to say to try again."""
    FAILED = "failed"
    """It could not be fetched or installed: the code says why."""


_OF_STATE: Final[Mapping[KitState, Upgrade]] = MappingProxyType(
    {
        KitState.NONE: Upgrade.PENDING,
        KitState.READY_TO_DOWNLOAD: Upgrade.SIGNALLED,
        KitState.DOWNLOADING: Upgrade.SIGNALLED,
        KitState.PAUSED: Upgrade.SIGNALLED,
        KitState.INSTALLING: Upgrade.SIGNALLED,
        KitState.INSTALLED: Upgrade.INSTALLED,
        KitState.PROVING: Upgrade.SIGNALLED,
        KitState.CURRENT: Upgrade.SIGNALLED,
        KitState.WENT_BACK: Upgrade.WENT_BACK,
        KitState.FAILED: Upgrade.FAILED,
    }
)


@dataclass(frozen=True)
class UpgradeView:
    """How far a computer is with a kit, and why it is no further."""

    upgrade: Upgrade
    since: datetime | None = None
    """When the computer was last heard of."""
    detail: str = ""
    """The engine's own word for what it does."""
    done_bytes: int = 0
    total_bytes: int = 0
    code: str = ""
    text: str = ""


def upgrade_of(
    release: Release | None,
    attempt: int,
    said: CheckIn | None,
    forbidden: Forbidden | None = None,
) -> UpgradeView:
    """Say how far a computer is with a release of the engine, by what it last said."""
    since = None if said is None else said.at
    if release is None:
        return UpgradeView(Upgrade.NONE, since)
    if said is not None and engine_release(said) == release and not _is_on_trial(said):
        return UpgradeView(Upgrade.CURRENT, since)
    if forbidden is not None:
        text = f"{forbidden.words}; {forbidden.way_out}"
        return UpgradeView(Upgrade.BLOCKED, since, code=forbidden.fact, text=text)
    if said is None or not _is_of(said, release, attempt):
        return UpgradeView(Upgrade.PENDING, since)
    kit = said.kit
    return UpgradeView(
        _OF_STATE[kit.state],
        since,
        kit.state.value,
        kit.done_bytes,
        kit.total_bytes,
        kit.code,
        kit.problem,
    )


def engine_release(said: CheckIn) -> Release | None:
    """Give the release that an engine says it is; none if that is none."""
    return _read(said.engine.release)


def _is_on_trial(said: CheckIn) -> bool:
    """Whether it may still go back: it runs the release, and has not proven itself there."""
    return said.kit.state is KitState.PROVING and said.kit.wanted is not None


def _is_of(said: CheckIn, release: Release, attempt: int) -> bool:
    wanted = None if said.kit.wanted is None else _read(said.kit.wanted)
    return wanted == release and said.kit.attempt >= attempt


def _read(text: str) -> Release | None:
    try:
        return Release.parse(text)
    except ReleaseInvalidError:
        return None
