from dataclasses import replace
from datetime import time
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from corral.farm.application.ports.records import Transactions
from corral.farm.domain.access.token import TokenDigest
from corral.farm.domain.computer.check_in import (
    EVENTS_KEPT,
    ComputerNews,
    GivenOrders,
    KitState,
    MachineState,
    SeenEngine,
    SeenKit,
    Severity,
)
from corral.farm.domain.computer.code import RegistrationCode, RegistrationCodeId
from corral.farm.domain.computer.computer import Computer, ComputerId, MachineKey, computer_name
from corral.farm.domain.computer.errors import (
    ComputerChangedError,
    ComputerKeyTakenError,
    ComputerNameTakenError,
    ComputerUnknownError,
    RegistrationCodeUnknownError,
)
from corral.farm.domain.computer.state import ComputerState
from corral.farm.domain.estate.collection import FIRST_COLLECTION
from corral.farm.domain.estate.replication import Bandwidth, Window
from tests.contract.things import NOW, collection, image, later, root
from tests.unit.farm.domain.computers import computer, machine, said, user

if TYPE_CHECKING:
    from collections.abc import Callable

    from corral.farm.application.ports.records import Records

NOBODY = UUID(int=9)
ROGER, BERTHA = user("rboston", 1), user("bsmith", 2)
DEBIAN = image("debian", 1)
FULL: Computer = replace(
    computer("laptop", 2, ROGER, BERTHA),
    asked_for="röger",
    description="été ✓",
    is_paused=True,
    bandwidth=Bandwidth(1 << 20, (Window(time(8), time(18, 30), 1 << 33),)),
    kill_told_at=later(1),
    killed_at=later(2),
).trying_again(MachineKey(DEBIAN.id, ROGER.id))
BARE = replace(
    computer("desk", 1), state=ComputerState.WAITING, registered_at=None, asked_at=later(5)
)


def with_users(records: "Records") -> None:
    for one in (ROGER, BERTHA):
        records.users.add(one)


def test_computers_come_back_as_they_were_added(transactions: Transactions) -> None:
    with transactions.writing() as records:
        with_users(records)
        for one in (FULL, BARE):
            records.computers.add(one)
        with pytest.raises(ComputerNameTakenError):
            records.computers.add(replace(BARE, id=ComputerId(NOBODY), public_key=b"n" * 32))
        with pytest.raises(ComputerKeyTakenError, match="desk"):
            records.computers.add(replace(BARE, id=ComputerId(NOBODY), name=computer_name("other")))
    with transactions.reading() as records:
        assert list(records.computers.all()) == [BARE, FULL]
        assert records.computers.get(FULL.name) == FULL
        assert records.computers.with_id(BARE.id) == BARE
        assert records.computers.with_key(FULL.public_key) == FULL
        assert list(records.computers.of_user(ROGER.id)) == [FULL]
        assert records.computers.count_waiting() == 1
        assert records.computers.with_key(b"n" * 32) is None
        assert records.computers.find(computer_name("nobody")) is None
        looks: list[Callable[[], object]] = [
            lambda: records.computers.get(computer_name("nobody")),
            lambda: records.computers.with_id(ComputerId(NOBODY)),
        ]
        for look in looks:
            with pytest.raises(ComputerUnknownError):
                look()


def test_second_of_two_who_change_a_computer_is_told(transactions: Transactions) -> None:
    with transactions.writing() as records:
        with_users(records)
        for one in (FULL, BARE):
            records.computers.add(one)
        after = replace(FULL, users=frozenset({BERTHA.id}), public_key=b"other" * 6 + b"ab")
        changed = records.computers.change(FULL, after)
        assert changed == replace(after, public_key=FULL.public_key, revision=2)
    with transactions.writing() as records:
        assert records.computers.get(FULL.name) == changed
        with pytest.raises(ComputerChangedError):
            records.computers.change(FULL, FULL)
        with pytest.raises(ComputerNameTakenError):
            records.computers.change(changed, replace(changed, name=BARE.name))
        gone = replace(FULL, id=ComputerId(NOBODY))
        with pytest.raises(ComputerUnknownError):
            records.computers.change(gone, gone)
        assert records.computers.get(FULL.name) == changed


def test_computers_of_a_collection_are_found(transactions: Transactions) -> None:
    room = collection("room", 1)
    there = replace(BARE, collection_id=room.id)
    with transactions.writing() as records:
        with_users(records)
        records.collections.add(room)
        for one in (FULL, there):
            records.computers.add(one)
    with transactions.reading() as records:
        assert list(records.computers.in_collection(room.id)) == [there]
        assert list(records.computers.in_collection(FIRST_COLLECTION.id)) == [FULL]


def test_what_a_computer_said_comes_back_and_replaces_what_it_said_before(
    transactions: Transactions,
) -> None:
    full = machine(
        wanted=2,
        runs=1,
        state=MachineState.WAITING_FOR_RESTART,
        done_bytes=1 << 43,
        total_bytes=1 << 43,
        rate=7,
        code="ß",
        problem="été ✓",
        is_running=True,
        started_at=later(1),
        proven=root(1),
        guest_tools="1.2",
        needs_tools_by_hand=True,
        is_healthy=False,
        starts=3,
        boot_milliseconds=900,
        postponed_until=later(7),
    )
    bare = machine(wanted=None, runs=None, user_of=BERTHA)
    first = said(by=FULL)
    second = said(
        full,
        bare,
        by=FULL,
        sequence=(1 << 63) - 1,
        at=later(70),
        epoch=1 << 40,
        generation=9,
        clock_offset_ms=-(1 << 40),
        address="2001:db8::1",
        engine=SeenEngine("2.0", "aarch64", (1, 2), "3.1", "kvm", 1 << 40, 1 << 41, 1 << 39),
        kit=SeenKit("2.0", KitState.WENT_BACK, "2.1", 2, 5, 6, "code", "été", "ab" * 32),
    )
    with transactions.writing() as records:
        with_users(records)
        for one in (FULL, BARE):
            records.computers.add(one)
        records.check_ins.put(first)
        records.check_ins.put(said(by=BARE))
        assert records.check_ins.find(FULL.id) == first
        records.check_ins.put(second)
    with transactions.reading() as records:
        assert records.check_ins.find(FULL.id) == second
        assert list(records.check_ins.all()) == [said(by=BARE), second]
        assert records.check_ins.find(ComputerId(NOBODY)) is None


def test_what_a_computer_was_told_replaces_what_it_was_told_before(
    transactions: Transactions,
) -> None:
    first = GivenOrders(BARE.id, 1, bytes(range(32)), NOW, NOW)
    second = GivenOrders(BARE.id, 2, bytes(32), later(1), later(2), frozenset({root(1), root(2)}))
    with transactions.writing() as records:
        records.computers.add(BARE)
        records.computer_orders.put(first)
        assert records.computer_orders.find(BARE.id) == first
        records.computer_orders.put(second)
    with transactions.reading() as records:
        assert records.computer_orders.find(BARE.id) == second
        assert list(records.computer_orders.all()) == [second]
        assert records.computer_orders.find(ComputerId(NOBODY)) is None


def news(number: int, text: str = "é") -> ComputerNews:
    return ComputerNews(number, later(number), Severity.WARNING, "code", text, "debian")


def test_events_are_kept_once_each_and_only_the_newest(transactions: Transactions) -> None:
    with transactions.writing() as records:
        records.computers.add(BARE)
        records.computer_events.note(BARE.id, [])
        records.computer_events.note(BARE.id, [news(1), replace(news(2), image=None)])
        records.computer_events.note(BARE.id, [news(2, "again"), news(3)])
    with transactions.writing() as records:
        assert list(records.computer_events.of_computer(BARE.id)) == [
            news(3),
            replace(news(2), image=None),
            news(1),
        ]
        records.computer_events.note(BARE.id, [news(4 + one) for one in range(EVENTS_KEPT)])
    with transactions.reading() as records:
        kept = records.computer_events.of_computer(BARE.id)
        assert [one.number for one in kept] == list(range(EVENTS_KEPT + 3, 3, -1))
        assert records.computer_events.of_computer(ComputerId(NOBODY)) in ([], ())


def test_a_computer_goes_with_all_that_it_said_and_was_told(transactions: Transactions) -> None:
    with transactions.writing() as records:
        with_users(records)
        records.computers.add(FULL)
        records.check_ins.put(said(by=FULL))
        records.computer_events.note(FULL.id, [news(1)])
        records.computer_orders.put(GivenOrders(FULL.id, 1, bytes(32), NOW, NOW))
        records.computers.remove(FULL.id)
        records.computers.remove(FULL.id)
    with transactions.writing() as records:
        assert list(records.computers.all()) == []
        assert list(records.check_ins.all()) == []
        assert list(records.computer_orders.all()) == []
        assert not records.computer_events.of_computer(FULL.id)
        records.users.remove(ROGER.id)


def code(number: int, seconds: float = 0) -> RegistrationCode:
    return RegistrationCode(
        id=RegistrationCodeId(UUID(int=100 + number)),
        digest=TokenDigest(number.to_bytes(32, "big")),
        created_at=later(seconds),
        expires_at=later(seconds + 100),
        collection_id=FIRST_COLLECTION.id,
        user_id=ROGER.id,
        uses_left=3,
    )


def test_codes_are_found_by_their_digests_and_used_up(transactions: Transactions) -> None:
    nobodys = replace(code(3, 1), user_id=None)
    with transactions.writing() as records:
        with_users(records)
        for one in (nobodys, code(2), code(1)):
            records.registration_codes.add(one)
    with transactions.writing() as records:
        codes = records.registration_codes
        assert list(codes.all()) == [code(1), code(2), nobodys]
        assert codes.with_digest(nobodys.digest) == nobodys
        assert codes.with_digest(TokenDigest(bytes(32))) is None
        codes.set_uses_left(nobodys.id, 2)
        assert codes.with_id(nobodys.id) == replace(nobodys, uses_left=2)
        codes.remove(code(2).id)
        codes.remove(code(2).id)
        codes.forget_expired(later(100.5))
        assert [one.id for one in codes.all()] == [nobodys.id]
        with pytest.raises(RegistrationCodeUnknownError):
            codes.with_id(code(1).id)
