"""Have images republished that carry older guest tools than the release in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.older_tools import (
    demand_older,
    kit_with_tools,
    older_tools,
    tools_in_force,
)
from corral.farm.application.start_task import queue_task
from corral.farm.application.task_kinds import subject_of
from corral.farm.domain.errors import DomainError
from corral.farm.domain.image.version import Access
from corral.farm.domain.task.task import TaskKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.access.actor import Actor
    from corral.farm.domain.image.image import Image, ImageName
    from corral.farm.domain.image.republishing import OlderTools
    from corral.farm.domain.task.task import Argument, Task


@dataclass(frozen=True)
class ToRepublish:
    """An image that is marked "republish needed"."""

    image: Image
    older: OlderTools
    problem: DomainError | None = None
    """Why it cannot be republished now."""


@dataclass(frozen=True)
class Republished:
    """The same, with the task that republishes it."""

    marked: ToRepublish
    task: Task | None = None
    """None for one that cannot be republished now."""


class ListToRepublish:
    """Gives the images that are marked, and what keeps each from being republished."""

    def __init__(self, transactions: Transactions, release: str) -> None:
        self._transactions = transactions
        self._release = release

    def __call__(self, images: Sequence[ImageName] = ()) -> tuple[ToRepublish, ...]:
        """Give those that are named, or all that are marked, in the order of names.

        Raises of a named one what ``RepublishImages`` raises.
        """
        with self._transactions.reading() as records:
            if images:
                return _named(records, images, self._release)
            return _all_marked(records, self._release)


class RepublishImages:
    """Queues a task for each: by default for all that are marked, and for staged machines only."""

    def __init__(
        self, transactions: Transactions, clock: Clock, actor: Actor, release: str
    ) -> None:
        self._transactions = transactions
        self._clock = clock
        self._actor = actor
        self._release = release

    def __call__(
        self, images: Sequence[ImageName] = (), to: Access = Access.TEST
    ) -> tuple[Republished, ...]:
        """Give a task for each image that is named: for all, or for none.

        If none is named, those that cannot be republished now are left with the reason. Raises
        ``ImageUnknownError``, ``RepublishNeedlessError``, ``RepublishUnderWayError``,
        ``RepublishTooEarlyError``, ``MaintenanceUnderWayError``, ``GuestToolsMissingError``,
        ``VersionNotHeldError``.
        """
        now = self._clock.now()
        with self._transactions.writing() as records:
            marked = (
                _named(records, images, self._release)
                if images
                else _all_marked(records, self._release)
            )
            return tuple(
                Republished(
                    one,
                    queue_task(
                        records, TaskKind.REPUBLISH, _arguments(one.image, to), self._actor, now
                    )
                    if one.problem is None
                    else None,
                )
                for one in marked
            )


def _named(records: Records, images: Sequence[ImageName], release: str) -> tuple[ToRepublish, ...]:
    found = []
    for name in sorted(dict.fromkeys(images)):
        image = records.images.get(name)
        older = demand_older(records, image, release)
        _demand_possible(records, image, older)
        found.append(ToRepublish(image, older))
    return tuple(found)


def _all_marked(records: Records, release: str) -> tuple[ToRepublish, ...]:
    in_force = tools_in_force(records, release)
    found = []
    for image in records.images.all():
        older = older_tools(records, image, in_force)
        if older is None:
            continue
        try:
            _demand_possible(records, image, older)
        except DomainError as error:
            found.append(ToRepublish(image, older, error))
        else:
            found.append(ToRepublish(image, older))
    return tuple(found)


def _demand_possible(records: Records, image: Image, older: OlderTools) -> None:
    subject_of(TaskKind.REPUBLISH, _arguments(image, Access.TEST), records)
    kit_with_tools(records, older.newer)


def _arguments(image: Image, to: Access) -> dict[str, Argument]:
    return {"image": image.name, "to": to.value}
