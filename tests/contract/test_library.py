"""The library's records, in every kind of records."""

import json
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from corral.farm.application.ports.records import Transactions
from corral.farm.domain.image.errors import ImageNameTakenError, ImageUnknownError
from corral.farm.domain.image.image import Content, ImageName
from corral.farm.domain.image.version import VersionName
from corral.farm.domain.library.errors import (
    ItemChangedError,
    ItemTakenError,
    ItemUnknownError,
    PublisherTakenError,
    PublisherUnknownError,
)
from corral.farm.domain.library.item import Item, ItemId, ItemKind, ItemState, item_name
from corral.farm.domain.library.kit import (
    KeyId,
    Publisher,
    PublisherId,
    publisher_name,
    read_kit,
)
from corral.farm.domain.library.rules import LibraryRules, LibraryRulesChangedError
from tests.contract.things import NOW, image, later, root

TABLE = json.dumps(
    {
        "format": 1,
        "release": {
            "format": 1,
            "component": "engine",
            "release": "5.0",
            "digest": "ab" * 32,
            "released_on": "2026-11-30",
            "document": "1",
            "runs_image_formats": [1, 2],
        },
        "files": [{"name": "engine.whl", "size": 7, "sha256": "cd" * 32, "executable": True}],
    }
)


def item(name: str, number: int) -> Item:
    return Item(
        id=ItemId(UUID(int=number)),
        name=item_name(name),
        kind=ItemKind.KIT,
        path=Path(f"/import/{name}.corral-kit"),
        size_bytes=1 << 33,
        begun_at=later(number),
        by="account ada",
        kit=read_kit(TABLE),
        publisher=KeyId("ef" * 32),
    )


def publisher(name: str, number: int) -> Publisher:
    key = bytes([number]) * 32
    return Publisher(
        PublisherId(UUID(int=number)), publisher_name(name), key, KeyId(key.hex()), NOW
    )


def test_what_is_in_the_library_is_known_by_its_name(transactions: Transactions) -> None:
    five, six = item("engine-5.0", 2), item("engine-6.0", 1)
    with transactions.writing() as records:
        records.library_items.add(six)
        records.library_items.add(five)
        with pytest.raises(ItemTakenError, match="importing"):
            records.library_items.add(item("engine-5.0", 3))
        done = five.available(VersionName.parse("kit-engine/1"), root(4), later(9))
        changed = records.library_items.change(five, done)
        assert changed == replace(done, revision=2)
        records.library_items.change(six, six.failed("the disk is full"))
    with transactions.reading() as records:
        found = records.library_items.all()
        assert [(one.name, one.state) for one in found] == [
            ("engine-5.0", ItemState.AVAILABLE),
            ("engine-6.0", ItemState.FAILED),
        ]
        assert found[0] == changed
        assert found[0].kit is not None
        assert found[0].kit.text == TABLE
        assert found[1].problem == "the disk is full"
        assert records.library_items.get(five.name) == records.library_items.with_id(five.id)
        assert records.library_items.find(item_name("engine-7.0")) is None


def test_what_was_removed_or_changed_meanwhile_is_not_written(transactions: Transactions) -> None:
    five = item("engine-5.0", 1)
    with transactions.writing() as records:
        records.library_items.add(five)
        seen = records.library_items.change(five, replace(five, problem="a"))
        with pytest.raises(ItemChangedError):
            records.library_items.change(five, replace(five, problem="b"))
        records.library_items.remove(five.id)
        records.library_items.remove(five.id)
        with pytest.raises(ItemChangedError):
            records.library_items.change(seen, seen)
        with pytest.raises(ItemUnknownError):
            records.library_items.get(five.name)
        with pytest.raises(ItemUnknownError):
            records.library_items.with_id(five.id)


def test_a_publisher_has_a_name_and_a_key_of_its_own(transactions: Transactions) -> None:
    acme, zoo = publisher("acme", 1), publisher("zoo", 2)
    with transactions.writing() as records:
        records.publishers.add(zoo)
        records.publishers.add(acme)
        for other in (publisher("acme", 3), replace(publisher("other", 1), id=zoo.id)):
            with pytest.raises(PublisherTakenError, match="acme"):
                records.publishers.add(other)
    with transactions.writing() as records:
        assert records.publishers.all() == [acme, zoo]
        assert records.publishers.get(acme.name) == acme
        records.publishers.remove(acme.id)
        with pytest.raises(PublisherUnknownError):
            records.publishers.get(acme.name)
        with pytest.raises(PublisherUnknownError):
            records.publishers.with_id(acme.id)


def test_files_come_from_nowhere_until_somebody_says_where(transactions: Transactions) -> None:
    with transactions.writing() as records:
        assert records.library_rules.get() == LibraryRules()
        records.library_rules.change(LibraryRules(), LibraryRules(Path("/import")))
        with pytest.raises(LibraryRulesChangedError):
            records.library_rules.change(LibraryRules(), LibraryRules(Path("/other")))
    with transactions.reading() as records:
        assert records.library_rules.get() == LibraryRules(Path("/import"), 2)


def test_no_machine_starts_from_what_the_library_holds(transactions: Transactions) -> None:
    disk, kits = image("debian", 1), replace(image("kit-engine", 2), content=Content.KIT)
    with transactions.writing() as records:
        records.images.add(disk)
        records.images.add(kits)
        for taken in (replace(image("kit-engine", 3)), replace(image("debian", 3))):
            with pytest.raises(ImageNameTakenError):
                records.images.add(taken)
    with transactions.reading() as records:
        assert records.images.all() == [disk]
        assert records.images.find(kits.name) is None
        with pytest.raises(ImageUnknownError):
            records.images.get(kits.name)
        assert records.images.with_id(kits.id) == kits
        assert records.images.find_of_library(kits.name) == kits
        assert records.images.find_of_library(disk.name) is None
        assert records.images.find_of_library(ImageName("other")) is None
