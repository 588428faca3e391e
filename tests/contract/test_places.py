"""Sites, collections and stores; and how servers and devices are changed, moved and removed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from corral.farm.application.ports.records import Records, Transactions
from corral.farm.domain.delivery.device import DeviceType, Login, MacAddress
from corral.farm.domain.delivery.errors import (
    DeviceChangedError,
    DeviceNameTakenError,
    DeviceUnknownError,
    MacTakenError,
)
from corral.farm.domain.errors import DomainError
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.capacity import device_limit, power_rating
from corral.farm.domain.estate.collection import (
    FIRST_COLLECTION,
    CollectionChangedError,
    CollectionNameTakenError,
    CollectionUnknownError,
)
from corral.farm.domain.estate.errors import (
    ServerChangedError,
    ServerNameTakenError,
    ServerUnknownError,
    StoreTakenError,
)
from corral.farm.domain.estate.scrub import ScrubPolicy
from corral.farm.domain.estate.server import LastReport
from corral.farm.domain.estate.site import (
    FIRST_SITE,
    SiteChangedError,
    SiteNameTakenError,
    SiteUnknownError,
)
from corral.farm.domain.estate.store import (
    FIRST_STORE,
    StoreChangedError,
    StoreNameTakenError,
    StoreUnknownError,
)
from corral.farm.domain.estate.subnet import parse_subnets
from tests.contract.things import NOW, collection, device, image, later, server, site, store

NOBODY = UUID(int=9)


@dataclass(frozen=True)
class Noun:
    """What is the same for sites, collections and stores."""

    repository: Callable[[Records], Any]
    make: Callable[[str, int], Any]
    first: Any
    taken: type[DomainError]
    changed: type[DomainError]
    unknown: type[DomainError]


NOUNS = [
    pytest.param(
        Noun(
            lambda r: r.sites,
            site,
            FIRST_SITE,
            SiteNameTakenError,
            SiteChangedError,
            SiteUnknownError,
        ),
        id="site",
    ),
    pytest.param(
        Noun(
            lambda r: r.collections,
            collection,
            FIRST_COLLECTION,
            CollectionNameTakenError,
            CollectionChangedError,
            CollectionUnknownError,
        ),
        id="collection",
    ),
    pytest.param(
        Noun(
            lambda r: r.stores,
            store,
            FIRST_STORE,
            StoreNameTakenError,
            StoreChangedError,
            StoreUnknownError,
        ),
        id="store",
    ),
]
of_each = pytest.mark.parametrize("noun", NOUNS)


@of_each
def test_first_one_is_there_from_the_start(transactions: Transactions, noun: Noun) -> None:
    with transactions.reading() as records:
        assert noun.repository(records).all() == [noun.first]


@of_each
def test_found_by_name_and_id(transactions: Transactions, noun: Noun) -> None:
    one, other = noun.make("b.c", 1), noun.make("b-c", 2)
    with transactions.writing() as records:
        noun.repository(records).add(one)
        noun.repository(records).add(other)
        with pytest.raises(noun.taken, match="b-c"):
            noun.repository(records).add(noun.make("b-c", 3))
    with transactions.reading() as records:
        found = noun.repository(records)
        assert found.all() == [other, one, noun.first]
        assert found.get(one.name) == one
        assert found.with_id(other.id) == other
        with pytest.raises(noun.unknown, match="nobody"):
            found.get("nobody")
        with pytest.raises(noun.unknown):
            found.with_id(NOBODY)


@of_each
def test_of_two_people_who_change_one_thing_the_second_is_told(
    transactions: Transactions, noun: Noun
) -> None:
    seen = noun.make("b", 1)
    with transactions.writing() as records:
        noun.repository(records).add(seen)
    with transactions.writing() as records:
        first = noun.repository(records).change(seen, replace(seen, description="first"))
        assert first == replace(seen, description="first", revision=2)
    with transactions.writing() as records:
        with pytest.raises(noun.changed, match="b"):
            noun.repository(records).change(seen, replace(seen, description="second"))
        assert noun.repository(records).all() == [first, noun.first]


@of_each
def test_changed_name_stays_unique(transactions: Transactions, noun: Noun) -> None:
    one, other = noun.make("b", 1), noun.make("c", 2)
    with transactions.writing() as records:
        noun.repository(records).add(one)
        noun.repository(records).add(other)
        with pytest.raises(noun.taken, match="c"):
            noun.repository(records).change(one, replace(one, name=other.name))
        with pytest.raises(noun.unknown):
            noun.repository(records).change(replace(one, id=NOBODY), one)
    with transactions.reading() as records:
        assert noun.repository(records).all() == [one, other, noun.first]


@of_each
def test_removed_one_is_gone(transactions: Transactions, noun: Noun) -> None:
    one = noun.make("b", 1)
    with transactions.writing() as records:
        noun.repository(records).add(one)
        noun.repository(records).remove(one.id)
        noun.repository(records).remove(one.id)  # quietly
    with transactions.reading() as records:
        assert noun.repository(records).all() == [noun.first]


def test_site_and_store_keep_everything(transactions: Transactions) -> None:
    near = replace(site("b", 1, "2001:db8::/64", "192.0.2.0/24"), revision=1)
    policy = ScrubPolicy(rate=0, every=timedelta(minutes=7))
    plain = replace(store("b", 1, shared=True), default_path=None, scrub=policy)
    plain = replace(plain, copies=2, copies_set_at=later(5))
    with transactions.writing() as records:
        records.sites.add(near)
        records.stores.add(plain)
    with transactions.reading() as records:
        assert records.sites.get(near.name) == near
        assert [str(s) for s in near.subnets] == ["192.0.2.0/24", "2001:db8::/64"]
        assert records.stores.get(plain.name) == plain


def test_every_field_of_a_server_can_be_changed_but_its_report(transactions: Transactions) -> None:
    first, here, nas = server("s1", 1), site("b", 1), store("nas", 1)
    report = LastReport(later(1), 3)
    with transactions.writing() as records:
        records.sites.add(here)
        records.stores.add(nas)
        records.servers.add(first)
        records.servers.set_report(first.id, report)
        after = replace(
            first,
            site_id=here.id,
            description="é",
            management=Address("192.0.2.7", 22),
            power_rating=power_rating("12.5"),
            max_devices=device_limit(400),
            max_devices_booting=device_limit(50),
            maintenance=True,
            subnets=parse_subnets(["192.0.2.0/24"]),
            store=replace(first.store, belongs_to=nas.id),
        )
        changed = records.servers.change(first, after)
        assert changed == replace(after, last_report=report, revision=2)
    with transactions.writing() as records:
        assert records.servers.all() == [changed]
        assert records.servers.get(first.name).power_rating == Decimal("12.5")
        with pytest.raises(ServerChangedError, match="s1"):
            records.servers.change(first, replace(first, maintenance=False))
        with pytest.raises(ServerUnknownError):
            records.servers.change(server("s9", 9), first)


def test_changed_server_keeps_to_its_own_name_and_folder(transactions: Transactions) -> None:
    first, second = server("s1", 1), server("s2", 2)
    with transactions.writing() as records:
        records.servers.add(first)
        records.servers.add(second)
        with pytest.raises(ServerNameTakenError, match="s1"):
            records.servers.change(second, replace(second, name=first.name))
        with pytest.raises(StoreTakenError, match="s1"):
            records.servers.change(second, replace(second, store=first.store))
        assert records.servers.all() == [first, second]


def test_every_field_of_a_device_can_be_changed_but_its_login(transactions: Transactions) -> None:
    first, streamer, room, debian = (
        device("pc1", 1),
        server("s1", 1),
        collection("b", 1),
        image("i", 1),
    )
    login = Login(streamer.id, later(1), debian.id, "192.0.2.7")
    with transactions.writing() as records:
        records.images.add(debian)
        records.servers.add(streamer)
        records.collections.add(room)
        records.devices.add(first)
        records.devices.set_login(first.id, login)
        assert records.devices.in_collection(FIRST_COLLECTION.id) == [
            replace(first, last_login=login)
        ]
        after = replace(
            first.assigned(debian.id, NOW),
            mac=MacAddress.parse("52:54:00:00:00:99"),
            collection_id=room.id,
            type=DeviceType.MAINTENANCE,
            disabled=True,
            description="é",
        )
        changed = records.devices.change(first, after)
        assert changed == replace(after, last_login=login, revision=2)
    with transactions.writing() as records:
        assert records.devices.all() == [changed]
        assert records.devices.in_collection(room.id) == [changed]
        assert records.devices.in_collection(FIRST_COLLECTION.id) == []
        with pytest.raises(DeviceChangedError, match="pc1"):
            records.devices.change(first, first)
        with pytest.raises(DeviceUnknownError):
            records.devices.change(device("pc9", 9), first)


def test_changed_device_keeps_to_its_own_name_and_card(transactions: Transactions) -> None:
    first, second = device("pc1", 1), device("pc2", 2)
    with transactions.writing() as records:
        records.devices.add(first)
        records.devices.add(second)
        with pytest.raises(DeviceNameTakenError, match="pc1"):
            records.devices.change(second, replace(second, name=first.name))
        with pytest.raises(MacTakenError):
            records.devices.change(second, replace(second, mac=first.mac))
        third = replace(device("pc3", 3), name=second.name, mac=first.mac)
        with pytest.raises(DeviceNameTakenError):  # the name is told first
            records.devices.add(third)
        assert records.devices.all() == [first, second]


def test_assigning_and_draining_are_changes_that_others_are_told_of(
    transactions: Transactions,
) -> None:
    first, streamer, debian = device("pc1", 1), server("s1", 1), image("i", 1)
    with transactions.writing() as records:
        records.images.add(debian)
        records.servers.add(streamer)
        records.devices.add(first)
        records.devices.assign(first.id, debian.id, NOW)
        records.servers.set_draining(streamer.id, draining=True)
        with pytest.raises(DeviceChangedError):
            records.devices.change(first, first)
        with pytest.raises(ServerChangedError):
            records.servers.change(streamer, streamer)


def test_removed_device_is_gone(transactions: Transactions) -> None:
    first = device("pc1", 1)
    with transactions.writing() as records:
        records.devices.add(first)
        records.devices.remove(first.id)
        records.devices.remove(first.id)  # quietly
        assert records.devices.all() == []
        records.devices.add(first)
