"""Give computers a kit, take it away again, and have them try again (S26 to S28)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.application.compatibility import Facts
from corral.farm.domain.computer.state import ComputerState
from corral.farm.domain.library.assignment import KitAssignment, UpgradeView, upgrade_of
from corral.farm.domain.library.errors import (
    ItemInUseError,
    ItemNotForComputersError,
    KitAssignmentUnknownError,
    KitForbiddenError,
)
from corral.farm.domain.library.release import Component
from corral.farm.domain.naming import some_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.computer.check_in import CheckIn
    from corral.farm.domain.computer.computer import Computer, ComputerName
    from corral.farm.domain.library.item import Item, ItemName
    from corral.farm.domain.library.manifest import ReleaseManifest


class AssignKit:
    """Gives computers a kit of the engine, in the place of the one that they were given before."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(
        self, name: ItemName, computers: Sequence[ComputerName]
    ) -> tuple[KitAssignment, ...]:
        """Give the assignments as they are now: all of them, or none.

        Raises ``ItemUnknownError``, ``ItemNotAvailableError`` (S25), ``ItemNotForComputersError``,
        ``ComputerUnknownError``, and ``KitForbiddenError`` with the fact.
        """
        now = self._clock.now()
        with self._transactions.writing() as records:
            item = records.library_items.get(name)
            manifest = engine_manifest(item)
            item.demand_available()
            facts = Facts(records)
            made = []
            for computer_name in dict.fromkeys(computers):
                computer = records.computers.get(computer_name)
                said = records.check_ins.find(computer.id)
                forbidden = facts.forbids_kit(manifest, said)
                if forbidden is not None:
                    raise KitForbiddenError(name, computer_name, str(forbidden))
                seen = records.kit_assignments.find(computer.id)
                if seen is None:
                    seen = KitAssignment(computer.id, item.id, now)
                    records.kit_assignments.add(seen)
                elif seen.item_id != item.id:
                    after = replace(seen, item_id=item.id, assigned_at=now, attempt=0)
                    seen = records.kit_assignments.change(seen, after)
                made.append(seen)
            return tuple(made)


class UnassignKit:
    """Takes a kit away from computers; what they run they go on running."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: ItemName, computers: Sequence[ComputerName]) -> None:
        """Take it away; raises ``KitAssignmentUnknownError``, and what naming things raises."""
        with self._transactions.writing() as records:
            item = records.library_items.get(name)
            for computer_name in dict.fromkeys(computers):
                computer = records.computers.get(computer_name)
                records.kit_assignments.remove(_given(records, computer, item).computer_id)


class RetryKit:
    """Has a computer try a kit again that failed there, or from which it went back (S74)."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: ItemName, computer_name: ComputerName) -> KitAssignment:
        """Give the assignment as it is now; raises ``KitAssignmentUnknownError``."""
        with self._transactions.writing() as records:
            item = records.library_items.get(name)
            seen = _given(records, records.computers.get(computer_name), item)
            return records.kit_assignments.change(seen, seen.retried())


@dataclass(frozen=True)
class KitComputerView:
    """A computer beside a kit: whether it was given it, and how far it is."""

    computer: Computer
    said: CheckIn | None
    assignment: KitAssignment | None
    upgrade: UpgradeView


class ListKitComputers:
    """Gives every computer beside a kit: the tab Computers of a kit (S69)."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: ItemName) -> tuple[KitComputerView, ...]:
        """Give them in the order of names, those without it too; raises ``ItemUnknownError``."""
        with self._transactions.reading() as records:
            item = records.library_items.get(name)
            said = {one.computer_id: one for one in records.check_ins.all()}
            given = {one.computer_id: one for one in records.kit_assignments.of_item(item.id)}
            facts = Facts(records)
            return tuple(
                _view(item, facts, computer, said.get(computer.id), given.get(computer.id))
                for computer in records.computers.all()
                if computer.state is ComputerState.REGISTERED
            )


@dataclass(frozen=True)
class ComputerKitView:
    """A kit beside a computer."""

    item: Item
    assignment: KitAssignment | None
    upgrade: UpgradeView


class ListComputerKits:
    """Gives every kit of the engine beside a computer: its tab Software (S28)."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: ComputerName) -> tuple[ComputerKitView, ...]:
        """Give them in the order of names; raises ``ComputerUnknownError``."""
        with self._transactions.reading() as records:
            computer = records.computers.get(name)
            said = records.check_ins.find(computer.id)
            given = records.kit_assignments.find(computer.id)
            facts = Facts(records)
            found = []
            for item in records.library_items.all():
                if item.kit is None or item.kit.manifest.component is not Component.ENGINE:
                    continue
                own = given if given is not None and given.item_id == item.id else None
                view = _view(item, facts, computer, said, own)
                found.append(ComputerKitView(item, own, view.upgrade))
            return tuple(found)


def engine_manifest(item: Item) -> ReleaseManifest:
    """Give what a kit of the engine says; raises ``ItemNotForComputersError`` for another."""
    if item.kit is None:
        raise ItemNotForComputersError(item.name, f"a {item.kind.value}")
    if item.kit.manifest.component is not Component.ENGINE:
        what = f"a kit of the {item.kit.manifest.component.value}"
        raise ItemNotForComputersError(item.name, what)
    return item.kit.manifest


def refuse_if_used(records: Records, item: Item) -> None:
    """Raise ``ItemInUseError`` if a computer or the farm itself is given it, or it is rolled out.

    An upgrade also needs the kit of the release that it could go back to.
    """
    computers = [
        str(records.computers.with_id(one.computer_id).name)
        for one in records.kit_assignments.of_item(item.id)
    ]
    rollouts = [
        f"rollout {one.name}" for one in records.rollouts.all() if one.offering.name == item.name
    ]
    upgrades = []
    upgrade = records.upgrades.find_open()
    manifest = None if item.kit is None else item.kit.manifest
    if upgrade is not None and manifest is not None and manifest.component is Component.FARM:
        needed = item.name == upgrade.kit or manifest.release in {upgrade.old, upgrade.new}
        upgrades = [f"upgrade {upgrade.number}"] if needed else []
    if computers or rollouts or upgrades:
        raise ItemInUseError(item.name, some_of([*computers, *rollouts, *upgrades]))


def _given(records: Records, computer: Computer, item: Item) -> KitAssignment:
    found = records.kit_assignments.find(computer.id)
    if found is None or found.item_id != item.id:
        raise KitAssignmentUnknownError(computer.name)
    return found


def _view(
    item: Item,
    facts: Facts,
    computer: Computer,
    said: CheckIn | None,
    given: KitAssignment | None,
) -> KitComputerView:
    if given is None or item.kit is None:
        return KitComputerView(computer, said, None, upgrade_of(None, 0, said))
    manifest = item.kit.manifest
    forbidden = facts.forbids_kit(manifest, said)
    upgrade = upgrade_of(manifest.release, given.attempt, said, forbidden)
    return KitComputerView(computer, said, given, upgrade)
