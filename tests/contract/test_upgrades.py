"""Upgrades of the farm, their steps and what was accepted, in every kind of records."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from corral.farm.application.ports.records import Transactions
from corral.farm.domain.estate.releases import OrderedKit, OrderedSwitch, ReleaseOrder
from corral.farm.domain.estate.server import ServerId, server_name
from corral.farm.domain.image.root import RootHash
from corral.farm.domain.library.item import item_name
from corral.farm.domain.library.release import Release
from corral.farm.domain.upgrade.acceptance import Acceptance, AcceptanceId
from corral.farm.domain.upgrade.blueprint import Blueprint, Step, StepKind, UpgradeNumber
from corral.farm.domain.upgrade.errors import (
    AcceptanceUnknownError,
    BlueprintSupersededError,
    UpgradeChangedError,
    UpgradeUnderWayError,
    UpgradeUnknownError,
)
from corral.farm.domain.upgrade.inventory import Canary, SeenConsole
from corral.farm.domain.upgrade.state import UpgradeEvent, UpgradeState
from corral.farm.domain.upgrade.upgrade import Upgrade, UpgradeId
from tests.contract.things import FARM, later, server

OLD, NEW = Release.parse("2.0"), Release.parse("2.1.0")


def upgrade(number: int, state: UpgradeState = UpgradeState.RUNNING) -> Upgrade:
    return Upgrade(
        id=UpgradeId(UUID(int=number)),
        number=UpgradeNumber(number),
        kit=item_name("farm-2.1.0"),
        old=OLD,
        new=NEW,
        state=state,
        started_at=later(number),
        started_by="account ada",
        changed_at=later(number),
        soak=timedelta(minutes=5),
        first=(server_name("s2"), server_name("s1")),
        why="because",
        epoch=1 << 40,
        forgiven=7,
        schema_problem="no room",
        schema_problem_of=6,
    )


def step(generation: int, of: int, kind: StepKind = StepKind.EXPAND) -> Blueprint:
    on_a_server = kind is StepKind.SWITCH
    return Blueprint(
        upgrade=UpgradeNumber(of),
        parent=generation - 1,
        generation=generation,
        epoch=2,
        step=Step(
            kind,
            ServerId(UUID(int=5)) if on_a_server else None,
            NEW if on_a_server else None,
            OLD if on_a_server else None,
        ),
        adopted_at=later(generation),
        farm_generation=1 << 50,
        by="worker w1",
        evidence="debian/1 is whole on s2, and s3",
    )


def test_one_upgrade_is_open_at_a_time(transactions: Transactions) -> None:
    first = upgrade(1, UpgradeState.ROLLED_BACK)
    second = upgrade(2)
    with transactions.writing() as records:
        assert records.upgrades.find_open() is None
        records.upgrades.add(second)
        records.upgrades.add(first)
        with pytest.raises(UpgradeUnderWayError, match=r"2\.1\.0 is running"):
            records.upgrades.add(replace(upgrade(2), id=UpgradeId(UUID(int=9))))
    with transactions.reading() as records:
        assert records.upgrades.all() == [first, second]
        assert records.upgrades.find_open() == records.upgrades.with_id(second.id) == second
        with pytest.raises(UpgradeUnknownError):
            records.upgrades.with_id(UpgradeId(UUID(int=9)))


def test_an_upgrade_moves_once_for_each_look(transactions: Transactions) -> None:
    seen = upgrade(1)
    paused = seen.moved(UpgradeEvent.PAUSE, later(20), "dinner")
    with transactions.writing() as records:
        records.upgrades.add(seen)
        changed = records.upgrades.change(seen, paused)
        assert changed == replace(paused, revision=2)
        with pytest.raises(UpgradeChangedError):
            records.upgrades.change(seen, seen.moved(UpgradeEvent.ROLL_BACK, later(21)))
    with transactions.reading() as records:
        assert records.upgrades.find_open() == changed
        assert changed.state is UpgradeState.PAUSED


def test_a_step_is_adopted_once_for_each_generation(transactions: Transactions) -> None:
    steps = [step(1, 1), step(2, 1, StepKind.SWITCH), step(3, 2)]
    with transactions.writing() as records:
        assert records.blueprints.newest() is None
        for number in (1, 2):
            records.upgrades.add(upgrade(number))
        for one in steps:
            records.blueprints.add(one)
        with pytest.raises(BlueprintSupersededError):
            records.blueprints.add(step(2, 2))
    with transactions.reading() as records:
        assert records.blueprints.of_upgrade(UpgradeNumber(1)) == steps[:2]
        assert records.blueprints.of_upgrade(UpgradeNumber(3)) == []
        assert records.blueprints.newest() == steps[2]


def test_orders_and_canaries_are_their_servers(transactions: Transactions) -> None:
    mine = server("s1", 1)
    kit = OrderedKit("2.1.0", RootHash("ab" * 32), 1 << 33, "farm-2.1.0/1")
    first = ReleaseOrder(7, install=kit)
    second = replace(first, number=9, run=OrderedSwitch("2.1.0", "2.0"), rest=True)
    seen = Canary(mine.id, NEW, 9, later(3))
    with transactions.writing() as records:
        records.farm.set_up(FARM)
        records.servers.add(mine)
        assert records.release_orders.find(mine.id) is None
        records.release_orders.put(mine.id, first)
        assert records.release_orders.find(mine.id) == first
        records.release_orders.put(mine.id, second)
        records.canaries.put(replace(seen, problem="chunk 7 was wrong"))
        records.canaries.put(seen)
    with transactions.writing() as records:
        assert records.release_orders.find(mine.id) == second
        assert records.canaries.all() == [seen]
        records.servers.remove(mine.id, later(9))
        assert records.release_orders.find(mine.id) is None
        assert records.canaries.all() == []


def test_each_console_is_known_by_what_it_was_last(transactions: Transactions) -> None:
    ann = SeenConsole("ann@desk", OLD, later(0))
    bob = SeenConsole("bob@desk", NEW, later(5))
    with transactions.writing() as records:
        for one in (bob, ann, replace(ann, release=NEW, seen_at=later(9))):
            records.consoles.put(one)
    with transactions.writing() as records:
        assert records.consoles.all() == [replace(ann, release=NEW, seen_at=later(9)), bob]
        assert records.consoles.find("bob@desk") == bob
        assert records.consoles.find("eve@desk") is None
        records.consoles.forget(later(9))
        assert [one.who for one in records.consoles.all()] == ["ann@desk"]


def test_what_was_accepted_is_kept_until_it_is_taken_back(transactions: Transactions) -> None:
    one, other = (
        Acceptance(
            id=AcceptanceId(UUID(int=number)),
            risk=f"computers-behind computer c{number}",
            by="account ada",
            until=later(100),
            because="it is in the cellar",
            accepted_at=later(-number),
        )
        for number in (1, 2)
    )
    with transactions.writing() as records:
        records.acceptances.add(one)
        records.acceptances.add(other)
    with transactions.writing() as records:
        assert records.acceptances.all() == [other, one]
        records.acceptances.remove(other.id)
        records.acceptances.remove(other.id)
        assert records.acceptances.with_id(one.id) == one
        with pytest.raises(AcceptanceUnknownError):
            records.acceptances.with_id(other.id)
