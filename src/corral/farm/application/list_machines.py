"""What runs of which image, for whom and where, beside what should: one list, from three sides.

Users see their images, images their users, computers what is on them: all are made of the same
views, so that no two sides can disagree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from corral.farm.application.computer_plans import Orderer, assigned_to_all
from corral.farm.application.listing import Columns
from corral.farm.domain.computer.plan import version_for
from corral.farm.domain.computer.state import ComputerState
from corral.farm.domain.computer.why import Difference, Why, why_differs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.computer.assignment import Granted
    from corral.farm.domain.computer.check_in import CheckIn, SeenMachine
    from corral.farm.domain.computer.computer import Computer, ComputerName
    from corral.farm.domain.computer.plan import PlannedMachine
    from corral.farm.domain.computer.user import User, UserId, UserName
    from corral.farm.domain.estate.site import SiteId
    from corral.farm.domain.image.image import Image, ImageId, ImageName
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import Version


@dataclass(frozen=True)
class MachineView:
    """What a user has of an image on one of their computers, or on none."""

    image: Image
    user: User
    granted: Granted | None
    """None if it was taken away, and the computer has not heard of that yet."""
    assigned: Version | None
    running: Version | None
    """What ran there at the last check-in, or was last running; none if it is none of ours."""
    running_root: RootHash | None
    computer: Computer | None = None
    site_id: SiteId | None = None
    ordered: Version | None = None
    """What the computer is told to have: another than is assigned where that must not be given."""
    seen: SeenMachine | None = None
    said: CheckIn | None = None
    difference: Difference | None = None
    """Why what runs is not what is assigned."""


@dataclass(frozen=True)
class ImageUserView:
    """A user beside an image: whether they have it, and what runs of it where."""

    user: User
    granted: Granted | None
    machines: tuple[MachineView, ...]
    """On each computer of theirs; on none if they have none."""

    @property
    def running(self) -> tuple[str, ...]:
        """Give the numbers of what runs, each once."""
        return _each_once(running_text(one) for one in self.machines)

    @property
    def assigned(self) -> tuple[str, ...]:
        """Give the numbers of what is assigned, each once."""
        return _each_once(
            None if one.assigned is None else str(one.assigned.number) for one in self.machines
        )

    @property
    def whys(self) -> tuple[Why, ...]:
        """Give each reason once."""
        found = (one.difference for one in self.machines)
        return tuple(dict.fromkeys(one.why for one in found if one is not None))


def running_text(view: MachineView) -> str | None:
    """Give the number of what runs; a root if it is none of the image's versions."""
    if view.running is not None:
        return str(view.running.number)
    return None if view.running_root is None else view.running_root.short


IMAGE_USERS: Final = Columns[ImageUserView](
    values={
        "name": lambda view: view.user.name,
        "full-name": lambda view: view.user.full_name,
        "assign": lambda view: view.granted is not None,
        "staged": lambda view: view.granted is not None and view.granted.is_staged,
        "running": lambda view: view.running,
        "assigned": lambda view: view.assigned,
        "why": lambda view: tuple(one.value for one in view.whys),
        "computer": lambda view: tuple(
            one.computer.name for one in view.machines if one.computer is not None
        ),
    },
    identity=lambda view: view.user.name,
)
MACHINES: Final = Columns[MachineView](
    values={
        "image": lambda view: view.image.name,
        "user": lambda view: view.user.name,
        "computer": lambda view: None if view.computer is None else view.computer.name,
        "staged": lambda view: view.granted is not None and view.granted.is_staged,
        "mode": lambda view: view.image.mode.value,
        "running": running_text,
        "assigned": lambda view: None if view.assigned is None else str(view.assigned.number),
        "why": lambda view: None if view.difference is None else view.difference.why.value,
        "state": lambda view: None if view.seen is None else view.seen.state.value,
    },
    identity=lambda view: (
        f"{view.image.name} {view.user.name} {'' if view.computer is None else view.computer.name}"
    ),
)


class ListImageUsers:
    """Gives every user beside an image."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, name: ImageName) -> tuple[ImageUserView, ...]:
        """Give them in the order of names, those without the image too.

        Raises ``ImageUnknownError``.
        """
        now = self._clock.now()
        with self._transactions.reading() as records:
            image = records.images.get(name)
            machines = MachineViews(records, now)
            by_user: dict[UserId, list[MachineView]] = {}
            for view in machines(image_id=image.id):
                by_user.setdefault(view.user.id, []).append(view)
            return tuple(
                ImageUserView(user, machines.granted(user, image), tuple(by_user.get(user.id, ())))
                for user in records.users.all()
            )


class ListUserImages:
    """Gives what a user has, on each of their computers."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, name: UserName) -> tuple[MachineView, ...]:
        """Give it in the order of images and computers; raises ``UserUnknownError``."""
        now = self._clock.now()
        with self._transactions.reading() as records:
            user = records.users.get(name)
            return tuple(MachineViews(records, now)(user_id=user.id))


class ListComputerImages:
    """Gives what a computer should have, and has."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, name: ComputerName) -> tuple[MachineView, ...]:
        """Give it in the order of images and users; raises ``ComputerUnknownError``."""
        now = self._clock.now()
        with self._transactions.reading() as records:
            computer = records.computers.get(name)
            return tuple(MachineViews(records, now).on(computer))


class MachineViews:
    """Everything that runs or should, of one moment."""

    def __init__(self, records: Records, now: datetime) -> None:
        self._records = records
        self._assigned = assigned_to_all(records, now)
        self._orderer = Orderer(records, now, self._assigned)
        self._users = self._assigned.users
        self._named = {user.name: user for user in self._users.values()}
        self._images: Mapping[str, Image] = {one.name: one for one in records.images.all()}
        self._sites = {one.id: one.site_id for one in records.collections.all()}
        self._versions: dict[ImageId, tuple[Version, ...]] = {}

    def __call__(
        self, *, image_id: ImageId | None = None, user_id: UserId | None = None
    ) -> Iterator[MachineView]:
        """Give the views of an image, or of a user."""
        found: list[MachineView] = []
        with_computer: set[UserId] = set()
        for computer in self._records.computers.all():
            if user_id is not None and user_id not in computer.users:
                continue
            if computer.state is ComputerState.REGISTERED:
                with_computer |= computer.users
            found += self.on(computer)
        for user in self._users.values():
            if user.id not in with_computer:
                found += self._without_computer(user)
        yield from sorted(
            (
                view
                for view in found
                if image_id in (None, view.image.id) and user_id in (None, view.user.id)
            ),
            key=lambda view: (
                view.image.name,
                view.user.name,
                "" if view.computer is None else view.computer.name,
            ),
        )

    def granted(self, user: User, image: Image) -> Granted | None:
        """Give what a user has of an image."""
        return self._assigned.granted(user.id).get(image.id)

    def on(self, computer: Computer) -> Iterator[MachineView]:
        """Give the views of a computer: what should be there, then what is there besides."""
        said = self._records.check_ins.find(computer.id)
        planned = self._orderer.planned(computer, said)
        for one in planned:
            yield self._planned(computer, said, one)
        known = {(one.image.name, one.user.name) for one in planned}
        for seen in () if said is None else said.machines:
            image, user = self._images.get(seen.image), self._named.get(seen.user)  # type: ignore[call-overload] # any text may be asked for
            if image is None or user is None or (image.name, user.name) in known:
                continue
            yield MachineView(
                image=image,
                user=user,
                granted=None,
                assigned=None,
                running=self._with_root(image, seen.runs),
                running_root=seen.runs,
                computer=computer,
                site_id=self._sites[computer.collection_id],
                seen=seen,
                said=said,
            )

    def _planned(
        self, computer: Computer, said: CheckIn | None, planned: PlannedMachine
    ) -> MachineView:
        seen = None if said is None else said.machine(planned.image.name, planned.user.name)
        runs = None if seen is None else seen.runs
        aim = planned.aim
        difference: Difference | None
        if aim is None:
            difference = Difference(Why.NO_VERSION, None if said is None else said.at)
        else:
            aim = replace(
                aim,
                arrives_at=self._orderer.arrival(computer, planned),
                waits_for="; ".join(
                    one.refusal for one in self._orderer.relays(computer) if one.refusal
                ),
            )
            difference = why_differs(aim, said, seen)
        return MachineView(
            image=planned.image,
            user=planned.user,
            granted=planned.granted,
            assigned=planned.assigned,
            running=self._with_root(planned.image, runs),
            running_root=runs,
            computer=computer,
            site_id=self._sites[computer.collection_id],
            ordered=planned.ordered,
            seen=seen,
            said=said,
            difference=difference,
        )

    def _without_computer(self, user: User) -> Iterator[MachineView]:
        for image_id, granted in self._assigned.granted(user.id).items():
            image = self._assigned.images[image_id]
            versions = self._assigned.versions[image_id]
            version = version_for(image, versions, is_staged=granted.is_staged)
            why = Why.NO_VERSION if version is None else Why.NO_COMPUTER
            yield MachineView(
                image=image,
                user=user,
                granted=granted,
                assigned=version,
                running=None,
                running_root=None,
                difference=Difference(why),
            )

    def _with_root(self, image: Image, root: RootHash | None) -> Version | None:
        if root is None:
            return None
        if image.id not in self._versions:
            self._versions[image.id] = tuple(self._records.versions.of_image(image.id))
        found = [one for one in self._versions[image.id] if one.root == root]
        return max(found, key=lambda one: (one.is_published, one.number), default=None)


def _each_once(texts: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text is not None))
