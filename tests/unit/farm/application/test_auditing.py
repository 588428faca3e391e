import inspect
from dataclasses import fields

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.adapters.memory.records import MemoryRecords
from corral.farm.adapters.memory.state import State
from corral.farm.application.auditing import effect_of
from corral.farm.application.grant_role import WantedRole
from corral.farm.application.verbs import Application
from corral.farm.domain.access.account import account_name, group_name
from corral.farm.domain.access.actor import THE_FARM, Actor, ActorKind
from corral.farm.domain.access.audit import SECRET, AuditFilter, Entry
from corral.farm.domain.access.permission import Role
from corral.farm.domain.delivery.device import MacAddress, device_name
from corral.farm.domain.delivery.errors import MacTakenError
from corral.farm.domain.errors import TakenError
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.version import VersionName

ADA = Actor(ActorKind.ACCOUNT, "ada", "192.0.2.1")


def methods() -> list[tuple[str, str]]:
    records = MemoryRecords.on(State())
    return [
        (field.name, name)
        for field in fields(records)
        for name, _ in inspect.getmembers(getattr(records, field.name), inspect.ismethod)
        if not name.startswith("_")
    ]


@pytest.mark.parametrize(("noun", "method"), methods(), ids=str)
def test_what_each_method_of_each_repository_does_is_known(noun: str, method: str) -> None:
    assert effect_of(noun, method), f"say in auditing.py whether {noun}.{method} is a change"


@pytest.fixture
def ada(farm: FarmInMemory) -> Application:
    return farm.application.acting_as(ADA)


def told(farm: FarmInMemory, wanted: AuditFilter | None = None) -> list[Entry]:
    with farm.ports.transactions.reading() as records:
        newest = records.audit.newest(wanted or AuditFilter(), 1000)
    return [one.entry for one in reversed(newest)]


def test_a_change_is_told_with_who_before_and_after(farm: FarmInMemory, ada: Application) -> None:
    farm.add_server("s1")
    ada.drain_server(server_name("s1"))
    created, *_, added, drained = told(farm)
    assert (created.what, created.actor, created.thing) == ("farm.create", THE_FARM, "home")
    assert (added.what, added.thing, added.before) == ("server.add", "s1", None)
    assert drained == Entry(
        farm.ports.clock.now(),
        ADA,
        "server.change",
        "s1",
        {"draining": False},
        {"draining": True},
    )


def test_what_changes_nothing_is_not_told(farm: FarmInMemory, ada: Application) -> None:
    farm.add_server("s1")
    ada.drain_server(server_name("s1"))
    before = told(farm)
    ada.drain_server(server_name("s1"))
    ada.list_servers()
    assert told(farm) == before


def test_what_is_refused_is_not_told(farm: FarmInMemory, ada: Application) -> None:
    farm.add_device("pc1")
    before = told(farm)
    with pytest.raises(TakenError):
        ada.register_device(device_name("pc1"), MacAddress.parse("52:54:00:00:00:99"))
    assert told(farm) == before


def test_secrets_are_never_told(farm: FarmInMemory, ada: Application) -> None:
    farm.add_server("s1")
    farm.import_disk("debian", disk(1, 2))
    registered = ada.register_device(device_name("pc1"), MacAddress.parse("52:54:00:00:00:99"))
    (entry,) = told(farm, AuditFilter(what="device"))
    assert entry.after is not None
    assert entry.after["key_digest"] == SECRET
    everything = repr(told(farm))
    key = farm.ports.secret_files.written[registered.key_file]
    for secret in (key.reveal(), key.digest().value.hex(), repr(key.digest().value)):
        assert secret not in everything


def test_the_life_of_a_version_is_told(farm: FarmInMemory, ada: Application) -> None:
    first, second = farm.add_server("s1"), farm.add_server("s2")
    version = farm.import_disk("debian", disk(1)).version
    farm.import_disk("debian", disk(2))
    farm.report(first)
    ada.replicate_version(version.name, [second.name])
    farm.report(second, holds=(version,))
    ada.delete_version(VersionName.parse("debian/1"))
    mine = told(farm, AuditFilter(name="ada"))
    assert [entry.what for entry in mine][:2] == ["replica.add", "version.change"]
    assert mine[0].thing == f"{version.root.short} on s2"
    assert mine[1].thing == "debian/1"
    assert [entry.thing for entry in told(farm, AuditFilter(what="version.publish"))] == [
        "debian/1",
        "debian/2",
    ]


def test_an_assignment_is_told_and_a_login_is_not(farm: FarmInMemory, ada: Application) -> None:
    server = farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    device = farm.add_device("pc1")
    farm.report(server, holds=(farm.version("debian/1"),))
    ada.assign_device(device.name, image_name("debian"))
    before = told(farm)
    assert before[-1].what == "device.assign"
    farm.application.log_device_in(device.id)
    farm.report(server)
    assert told(farm) == before


def test_who_claims_the_card_of_another_device_is_told_whose_it_is_and_noted(
    farm: FarmInMemory, ada: Application
) -> None:
    mac = farm.add_device("pc1").mac
    with pytest.raises(MacTakenError, match="'pc1'"):
        ada.register_device(device_name("pc2"), mac)
    refused = told(farm)[-1]
    assert refused == Entry(
        farm.ports.clock.now(), ADA, "device.mac-refused", "pc1", None, {"mac": str(mac)}
    )
    assert not told(farm, AuditFilter(thing="pc2"))


def test_whoever_is_removed_is_told_to_have_left_groups_and_lost_roles(
    farm: FarmInMemory, ada: Application
) -> None:
    bob, team = account_name("bob"), group_name("team")
    ada.add_account(bob)
    ada.add_group(team, [bob])
    ada.grant_role(WantedRole(Role.FARM_READER, bob))
    ada.grant_role(WantedRole(Role.FARM_OPERATOR, None, team))
    before = len(told(farm))

    ada.remove_account(bob)
    ada.remove_group(team)

    noted = [(one.what, one.thing) for one in told(farm)[before:]]
    assert noted == [
        ("group.change", "team"),
        ("role_grant.remove", "farm-reader of bob"),
        ("account.remove", "bob"),
        ("role_grant.remove", "farm-operator of team"),
        ("group.remove", "team"),
    ]
