"""What engines say and hear, verb by verb, on a farm in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine as SqlEngine
from tests.databases import sqlite_with_tables
from tests.farm_in_memory import FarmInMemory, MemoryPorts, disk
from tests.unit.farm.application.computing import Laptop, seen

from corral.farm.adapters.sql.transactions import SqlTransactions
from corral.farm.application.add_collection import NewCollection
from corral.farm.application.add_site import NewSite
from corral.farm.application.change_computer import ComputerEdit
from corral.farm.application.change_image import ImageEdit
from corral.farm.application.change_server import ServerEdit
from corral.farm.application.promote_version import PromotionRequest
from corral.farm.application.remove_collection import RemoveCollection
from corral.farm.domain.access.actor import Actor, ActorKind
from corral.farm.domain.access.audit import SECRET, AuditFilter
from corral.farm.domain.computer.check_in import MachineState
from corral.farm.domain.computer.computer import computer_name
from corral.farm.domain.computer.errors import (
    ComputerSignatureError,
    ComputerUserUnknownError,
    UserHasComputersError,
)
from corral.farm.domain.computer.user import user_name
from corral.farm.domain.estate.collection import CollectionInUseError, collection_name
from corral.farm.domain.estate.site import site_name
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.version import Access, Version
from corral.farm.domain.image.version_errors import VersionOrderedError, VersionPinnedError
from corral.farm.domain.image.write_cache import ImageMode
from corral.farm.domain.library.release import Release

LAPTOP, ROGER, DEBIAN = computer_name("laptop"), user_name("rboston"), image_name("debian")


@pytest.fixture
def first(farm: FarmInMemory) -> Version:
    """Give version 1 of debian, which s1 has."""
    return imported(farm, 1)


def imported(farm: FarmInMemory, content: int, **wishes: object) -> Version:
    servers = {view.server.name: view.server for view in farm.application.list_servers()}
    server = next(iter(servers.values()), None) or farm.add_server("s1")
    version = farm.import_disk("debian", disk(content), **wishes).version  # type: ignore[arg-type] # as asked
    farm.replicate(version, server)
    return version


@pytest.fixture
def laptop(farm: FarmInMemory, first: Version) -> Laptop:
    made = Laptop(farm)
    made.register("rboston")
    made.assign("debian")
    return made


def test_an_order_says_which_guest_tools_are_in_a_version_if_somebody_said(
    farm: FarmInMemory, laptop: Laptop
) -> None:
    """S3, S4: by that an engine knows whether those that it brings are newer."""
    (order,) = laptop.check_in().orders.machines
    assert order.guest_tools is None
    imported(farm, 2, guest_tools=Release.parse("4.5.0"))
    (order,) = laptop.check_in().orders.machines
    assert order.guest_tools == "4.5.0"


def test_what_a_computer_was_told_is_released_stays_so(
    farm: FarmInMemory, laptop: Laptop, first: Version
) -> None:
    """A server that is told later to have it, and lacks it, must not put the computer back."""
    second = imported(farm, 2, to=Access.TEST)
    due = farm.ports.clock.now() + timedelta(hours=1)
    farm.application.promote_version(PromotionRequest(second.name, Access.PRODUCTION, due))
    assert [one.version for one in laptop.check_in().orders.machines] == [first.name]
    farm.wait(3600)
    assert [one.version for one in laptop.check_in().orders.machines] == [second.name]
    farm.application.replicate_version(second.name, [farm.add_server("s2").name])
    assert [one.version for one in laptop.check_in().orders.machines] == [second.name]


def test_a_version_that_computers_should_have_is_not_deleted_under_them(
    farm: FarmInMemory, laptop: Laptop, first: Version
) -> None:
    second = imported(farm, 2)
    farm.application.pin_version(first.name)
    with pytest.raises(VersionPinnedError):
        farm.application.delete_version(first.name)
    farm.application.unpin_image(DEBIAN)
    laptop.check_in()
    with pytest.raises(VersionOrderedError, match="what laptop should have, or run"):
        farm.application.delete_version(second.name)
    # It has not heard of the second yet, and would be told of it whenever it asks.
    farm.application.delete_version(first.name)
    farm.application.kill_computer(LAPTOP)
    laptop.check_in()
    laptop.erase()
    imported(farm, 3)
    farm.application.delete_version(second.name)


def test_a_version_that_still_arrives_where_it_runs_is_not_deleted(
    farm: FarmInMemory, laptop: Laptop, first: Version
) -> None:
    laptop.says(MachineState.DOWNLOADING, running=first.root)
    imported(farm, 2)
    with pytest.raises(VersionOrderedError):
        farm.application.delete_version(first.name)
    laptop.says(MachineState.WAITING_FOR_RESTART, running=first.root, proven=first.root)
    farm.application.delete_version(first.name)


def test_what_a_custom_machine_is_based_on_is_not_deleted(
    farm: FarmInMemory, laptop: Laptop, first: Version
) -> None:
    farm.application.change_image(DEBIAN, ImageEdit(mode=ImageMode.CUSTOM))
    laptop.says(MachineState.PROVEN)
    imported(farm, 2)
    with pytest.raises(VersionOrderedError):
        farm.application.delete_version(first.name)


def test_a_signature_of_nobody_takes_the_way_of_a_wrong_one(
    farm: FarmInMemory, laptop: Laptop
) -> None:
    stranger = Laptop(farm, "stranger")
    for somebody in (laptop.id, stranger.id):
        with pytest.raises(ComputerSignatureError):
            farm.application.recognise_computer(somebody, b"m", stranger.key.sign(b"m"))
    assert farm.application.recognise_computer(laptop.id, b"m", laptop.key.sign(b"m")).name == (
        LAPTOP
    )


def test_how_far_a_clock_is_off_is_kept_and_nothing_else_of_it(
    farm: FarmInMemory, laptop: Laptop
) -> None:
    laptop.check_in()
    said = farm.application.show_computer(LAPTOP).said
    assert said is not None
    assert (said.at, said.clock_offset_ms) == (farm.ports.clock.now(), 0)


def test_a_kill_is_in_the_audit_log_with_who_did_what(farm: FarmInMemory, laptop: Laptop) -> None:
    ada = Actor(ActorKind.ACCOUNT, "ada", "192.0.2.1")
    farm.application.acting_as(ada).kill_computer(LAPTOP)
    itself = Actor(ActorKind.COMPUTER, "laptop", "192.0.2.9")
    laptop.check_in()
    with farm.ports.transactions.reading() as records:
        newest = records.audit.newest(AuditFilter(thing="laptop"), 3)
        told, killed, added = (one.entry for one in newest)
    assert (killed.actor, killed.before, killed.after) == (
        ada,
        {"state": "registered"},
        {"state": "kill-pending"},
    )
    assert set(told.after or {}) == {"kill_told_at"}
    assert (added.after or {})["public_key"] == SECRET
    assert str(itself) == "computer laptop"


def test_who_uses_a_computer_is_changed_one_by_one(farm: FarmInMemory, laptop: Laptop) -> None:
    app = farm.application
    app.add_user(user_name("bsmith"))
    both = app.change_computer(LAPTOP, ComputerEdit(add_users=(user_name("bsmith"),)))
    assert len(both.users) == 2
    app.assign_image(DEBIAN, [user_name("bsmith")])
    assert [one.user for one in laptop.check_in().orders.machines] == ["bsmith", "rboston"]
    app.change_computer(LAPTOP, ComputerEdit(drop_users=(user_name("bsmith"),)))
    with pytest.raises(ComputerUserUnknownError):
        app.change_computer(LAPTOP, ComputerEdit(drop_users=(user_name("bsmith"),)))
    with pytest.raises(UserHasComputersError, match="laptop"):
        app.remove_user(ROGER)


def test_a_collection_with_computers_is_not_removed(farm: FarmInMemory, laptop: Laptop) -> None:
    room = farm.application.add_collection(NewCollection(collection_name("room"))).name
    farm.application.change_computer(LAPTOP, ComputerEdit(collection=room))
    with pytest.raises(CollectionInUseError, match="computer laptop"):
        RemoveCollection(farm.ports.transactions)(room)


def test_a_computer_that_is_moved_fetches_from_servers_of_its_new_site(
    farm: FarmInMemory, laptop: Laptop, first: Version
) -> None:
    app = farm.application
    far = app.add_site(NewSite(site_name("far"))).name
    there = farm.add_server("s2")
    app.change_server(there.name, ServerEdit(site=far))
    room = app.add_collection(NewCollection(collection_name("room"), far)).name
    assert [one.server for one in laptop.check_in().orders.sources] == ["s1", "s2"]
    app.change_computer(LAPTOP, ComputerEdit(collection=room))
    sources = laptop.check_in().orders.sources
    assert [(one.server, one.has) for one in sources] == [("s2", ()), ("s1", (first.root,))]
    app.change_server(there.name, ServerEdit(maintenance=True))
    assert [one.server for one in laptop.check_in().orders.sources] == ["s1"]


def test_a_machine_that_nobody_has_any_more_is_shown_until_it_is_gone(
    farm: FarmInMemory, laptop: Laptop
) -> None:
    laptop.says(MachineState.PROVEN)
    (order,) = laptop.check_in().orders.machines
    farm.application.unassign_image(DEBIAN, [ROGER])
    laptop.check_in(seen(order, MachineState.PROVEN))
    (left,) = farm.application.list_user_images(ROGER)
    assert (left.granted, left.assigned, left.difference) == (None, None, None)
    foreign = replace(seen(order, MachineState.PROVEN), image="\ufffd", user="nobody")
    laptop.check_in(foreign)
    assert farm.application.list_computer_images(LAPTOP) == ()


@contextmanager
def counted() -> Iterator[list[str]]:
    """Count the statements that a block has the database carry out."""
    statements: list[str] = []

    def note(*given: object) -> None:
        statements.append(str(given[2]))

    event.listen(SqlEngine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(SqlEngine, "before_cursor_execute", note)


def test_a_check_in_costs_the_same_however_many_others_there_are(tmp_path: Path) -> None:
    sql = SqlTransactions(sqlite_with_tables(tmp_path / "farm.db"))
    farm = FarmInMemory(MemoryPorts(transactions=sql))
    imported(farm, 1)
    one = Laptop(farm)
    one.register("rboston")
    one.assign("debian")
    one.check_in()
    with counted() as alone:
        one.check_in()
    for number in range(12):
        other = Laptop(farm, f"pc{number}")
        other.register(f"user{number}")
        other.assign("debian")
        other.check_in()
    with counted() as among_others:
        one.check_in()
    sql.close()
    assert len(among_others) == len(alone)


def test_one_look_serves_all_who_wait(tmp_path: Path) -> None:
    sql = SqlTransactions(sqlite_with_tables(tmp_path / "farm.db"))
    farm = FarmInMemory(MemoryPorts(transactions=sql))
    imported(farm, 1)
    laptops = [Laptop(farm, f"pc{number}") for number in range(8)]
    for number, one in enumerate(laptops):
        one.register(f"user{number}")
        one.check_in()
    look = farm.application.look_for_orders
    with counted() as for_two:
        look([one.id for one in laptops[:2]])
    with counted() as for_all:
        assert look([one.id for one in laptops]) == {one.id: 1 for one in laptops}
    before = look.stamp()
    laptops[0].assign("debian")
    assert look.stamp() != before
    newest = look([one.id for one in laptops])
    sql.close()
    assert len(for_all) == len(for_two)
    assert [newest[one.id] for one in laptops] == [2, *[1] * 7]
