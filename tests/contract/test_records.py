from dataclasses import replace
from types import MappingProxyType
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corral.farm.application.ports.records import Transactions
from corral.farm.domain.access.token import TokenDigest
from corral.farm.domain.delivery.device import Assignment, DeviceId
from corral.farm.domain.delivery.errors import (
    DeviceNameTakenError,
    DeviceUnknownError,
    MacTakenError,
)
from corral.farm.domain.errors import TakenError
from corral.farm.domain.estate.errors import (
    FarmExistsError,
    FarmUnknownError,
    ServerNameTakenError,
    ServerUnknownError,
    StoreTakenError,
)
from corral.farm.domain.estate.farm import ApiUrl, FarmChangedError, farm_name
from corral.farm.domain.estate.releases import ReleaseProblem, SeenReleases
from corral.farm.domain.estate.scrub import ScrubPass, SeenScrub
from corral.farm.domain.estate.server import LastReport, RefusedExport, ServerId, server_name
from corral.farm.domain.image.errors import (
    ImageNameTakenError,
    ImageUnknownError,
    VersionChangedError,
    VersionUnknownError,
)
from corral.farm.domain.image.image import ImageId, image_name
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.image.standing import VersionEvent
from tests.contract.things import (
    FARM,
    device,
    image,
    later,
    replica,
    root,
    server,
    session,
    store,
    version,
)

NOBODY = UUID(int=9)


def test_farm_is_changed_as_it_was_seen_and_its_generation_is_nobodys(
    transactions: Transactions,
) -> None:
    moved = replace(FARM, name=farm_name("works")).reached_at(
        (ApiUrl("http://b"), ApiUrl("http://c"))
    )
    with transactions.writing() as records:
        records.farm.set_up(FARM)
        records.farm.raise_generation()
        changed = records.farm.change(FARM, moved)
        assert changed == replace(moved, generation=FARM.generation + 1, revision=2)
        with pytest.raises(FarmChangedError):
            records.farm.change(FARM, moved)
    with transactions.reading() as records:
        assert records.farm.get() == changed
        assert changed.former_api_urls == ("http://a",)


def test_farm_is_set_up_once_and_its_generation_rises(transactions: Transactions) -> None:
    with transactions.writing() as records:
        with pytest.raises(FarmUnknownError):
            records.farm.get()
        records.farm.set_up(FARM)
        assert records.farm.get() == FARM
        records.farm.raise_generation()
        with pytest.raises(FarmExistsError):
            records.farm.set_up(FARM)
    with transactions.reading() as records:
        assert records.farm.get() == replace(FARM, generation=2)


def test_block_that_raises_leaves_nothing(transactions: Transactions) -> None:
    def fail() -> None:
        with transactions.writing() as records:
            records.farm.set_up(FARM)
            records.servers.add(server("s1", 1))
            message = "something else went wrong"
            raise RuntimeError(message)

    with pytest.raises(RuntimeError):
        fail()
    with transactions.reading() as records:
        assert records.servers.all() == []
        with pytest.raises(FarmUnknownError):
            records.farm.get()


def test_what_a_reading_block_writes_is_thrown_away(transactions: Transactions) -> None:
    with transactions.reading() as records:
        records.images.add(image("debian", 1))
    with transactions.reading() as records:
        assert records.images.all() == []


def test_reader_sees_one_moment_and_holds_nobody_up(transactions: Transactions) -> None:
    with transactions.reading() as seen:
        assert seen.images.all() == []
        with transactions.writing() as records:
            records.images.add(image("debian", 1))
        assert seen.images.all() == []
    with transactions.reading() as seen:
        assert len(seen.images.all()) == 1


def test_refused_add_does_not_spoil_the_block(transactions: Transactions) -> None:
    with transactions.writing() as records:
        records.images.add(image("debian", 1))
        with pytest.raises(ImageNameTakenError):
            records.images.add(image("debian", 2))
        records.images.add(image("fedora", 3))
    with transactions.reading() as records:
        assert [one.name for one in records.images.all()] == ["debian", "fedora"]


def test_servers_are_found_by_name_id_and_token(transactions: Transactions) -> None:
    second, first = server("s2", 2), server("s1", 1)
    with transactions.writing() as records:
        records.servers.add(second)
        records.servers.add(first)
    with transactions.reading() as records:
        assert records.servers.all() == [first, second]
        assert records.servers.get(server_name("s1")) == first
        assert records.servers.with_id(second.id) == second
        assert records.servers.with_token(second.token_digest) == second
        assert records.servers.with_token(TokenDigest(b"?" * 32)) is None
        with pytest.raises(ServerUnknownError, match="s3"):
            records.servers.get(server_name("s3"))
        with pytest.raises(ServerUnknownError):
            records.servers.with_id(ServerId(NOBODY))


def test_names_come_in_the_order_of_their_characters(transactions: Transactions) -> None:
    names = ["a-c", "a.c", "a2", "ab", "ab-1", "b"]  # a dictionary would leave the marks out
    with transactions.writing() as records:
        for number, name in enumerate(reversed(names)):
            records.images.add(image(name, number))
            records.servers.add(server(name, number))
            records.devices.add(device(name, number))
    with transactions.reading() as records:
        assert [one.name for one in records.images.all()] == names
        assert [one.name for one in records.servers.all()] == names
        assert [one.name for one in records.devices.all()] == names


def test_server_needs_a_name_and_a_store_of_its_own(transactions: Transactions) -> None:
    first = server("s1", 1)
    with transactions.writing() as records:
        records.servers.add(first)
        with pytest.raises(ServerNameTakenError, match="s1"):
            records.servers.add(server("s1", 2))
        with pytest.raises(StoreTakenError, match="s1"):
            records.servers.add(replace(server("s3", 3), store=first.store))
    with transactions.reading() as records:
        assert records.servers.all() == [first]


def test_folder_is_known_by_its_id_as_another_machine_may_have_the_same_path(
    transactions: Transactions,
) -> None:
    with transactions.writing() as records:
        records.servers.add(server("s1", 1, path="/srv/chunks"))
        records.servers.add(server("s2", 2, path="/srv/chunks"))
    with transactions.reading() as records:
        assert len(records.servers.all()) == 2


def test_two_servers_share_a_folder_in_one_shared_store_only(transactions: Transactions) -> None:
    first, second = server("s1", 1), server("s2", 2)
    shared = store("nas", 1, shared=True)
    with transactions.writing() as records:
        records.stores.add(shared)
        records.servers.add(replace(first, store=replace(first.store, belongs_to=shared.id)))
        with pytest.raises(StoreTakenError, match="s1"):
            records.servers.add(replace(second, store=first.store))
        together = replace(second, store=replace(first.store, belongs_to=shared.id))
        records.servers.add(together)
    with transactions.reading() as records:
        assert records.servers.get(second.name) == together


def test_server_remembers_draining_and_its_last_report(transactions: Transactions) -> None:
    first = server("s1", 1)
    refused = (RefusedExport("debian/1", "flat-file", "no space left"),)
    reads = MappingProxyType({"reads": 1 << 60})
    report = LastReport(later(5), 3, 1 << 50, reads, refused=refused)
    with transactions.writing() as records:
        records.servers.add(first)
        records.servers.set_draining(first.id, draining=True)
        records.servers.set_report(first.id, report)
    with transactions.writing() as records:
        seen = records.servers.get(first.name)
        assert seen.draining
        assert seen.revision == 2
        assert seen.last_report == report
        records.servers.set_report(first.id, LastReport(later(6), 0))
        records.servers.set_draining(first.id, draining=False)
    with transactions.writing() as records:
        assert records.servers.get(first.name).last_report == LastReport(later(6), 0)
        secured = LastReport(later(7), 0, requires_tls=True, chunks_require_tls=True)
        records.servers.set_report(first.id, secured)
        assert records.servers.get(first.name).last_report == secured
        assert not records.servers.get(first.name).draining
        with pytest.raises(ServerUnknownError):
            records.servers.set_report(ServerId(NOBODY), report)


def test_server_remembers_what_it_said_of_its_scrub(transactions: Transactions) -> None:
    first = server("s1", 1)
    ended = ScrubPass(later(1), later(2), 1 << 50, 1 << 51, 3, 2)
    under_way = ScrubPass(later(3), None, 7, 0, 0, 0)
    for scrub in (
        SeenScrub(),
        SeenScrub(under_way, ended, 4, 1 << 60, 5, 6, 7, "é"),
        SeenScrub(last=ended),
        None,
    ):
        report = LastReport(later(5), 0, scrub=scrub)
        with transactions.writing() as records:
            if not records.servers.all():
                records.servers.add(first)
            records.servers.set_report(first.id, report)
        with transactions.reading() as records:
            assert records.servers.get(first.name).last_report == report


def test_server_remembers_what_it_said_of_its_releases(transactions: Transactions) -> None:
    first = server("s1", 1)
    problem = ReleaseProblem(1 << 40, "kit-damaged", "é")
    whole = SeenReleases(
        running="1.0",
        installed=("1.0", "2.0"),
        order=1 << 40,
        is_ready=True,
        is_supervised=True,
        is_resting=True,
        problem=problem,
    )
    for seen, generation in (
        (SeenReleases("1.0"), 7),
        (whole, 1 << 40),
        (SeenReleases("1.0", is_supervised=True), 0),
        (None, 3),
    ):
        report = LastReport(later(5), 0, releases=seen, generation=generation)
        with transactions.writing() as records:
            if not records.servers.all():
                records.servers.add(first)
            records.servers.set_report(first.id, report)
        with transactions.reading() as records:
            assert records.servers.get(first.name).last_report == report


def test_images_are_found_by_name_and_id(transactions: Transactions) -> None:
    debian = image("debian", 1)
    with transactions.writing() as records:
        records.images.add(debian)
    with transactions.reading() as records:
        assert records.images.get(debian.name) == debian
        assert records.images.find(debian.name) == debian
        assert records.images.with_id(debian.id) == debian
        assert records.images.find(image_name("fedora")) is None
        with pytest.raises(ImageUnknownError, match="fedora"):
            records.images.get(image_name("fedora"))
        with pytest.raises(ImageUnknownError):
            records.images.with_id(ImageId(NOBODY))


def test_versions_come_by_number_not_by_letters(transactions: Transactions) -> None:
    debian = image("debian", 1)
    published = [version(debian, number, number) for number in range(1, 12)]
    with transactions.writing() as records:
        records.images.add(debian)
        for one in published:
            records.versions.publish(one)
    with transactions.reading() as records:
        assert records.versions.of_image(debian.id) == published
        assert records.versions.get(published[9].name) == published[9]
        assert records.images.get(debian.name).last_number == 11


def test_version_must_be_the_next_of_its_image(transactions: Transactions) -> None:
    debian = image("debian", 1)
    with transactions.writing() as records:
        records.images.add(debian)
        records.versions.publish(version(debian, 1, 1))
        for wrong in (1, 3):
            with pytest.raises(VersionChangedError):
                records.versions.publish(version(debian, wrong, 2))
        with pytest.raises(VersionChangedError):
            records.versions.publish(version(image("fedora", 2), 1, 1))


def test_versions_are_found_by_root_over_all_images(transactions: Transactions) -> None:
    debian, fedora = image("debian", 1), image("fedora", 2)
    with transactions.writing() as records:
        for one in (fedora, debian):
            records.images.add(one)
            records.versions.publish(version(one, 1, 7))
        records.versions.publish(version(debian, 2, 8))
    with transactions.reading() as records:
        names = [str(one.name) for one in records.versions.with_root(root(7))]
        assert names == ["debian/1", "fedora/1"]
        assert len(records.versions.all()) == 3
        with pytest.raises(VersionUnknownError, match="debian/9"):
            records.versions.get(replace(version(debian, 9, 1).name))


def test_of_two_who_move_a_version_one_is_refused(transactions: Transactions) -> None:
    debian = image("debian", 1)
    seen = version(debian, 1, 1)
    with transactions.writing() as records:
        records.images.add(debian)
        records.versions.publish(seen)
    with transactions.writing() as records:
        records.versions.move(seen, seen.after(VersionEvent.DELETE))
    with transactions.writing() as records, pytest.raises(VersionChangedError):
        records.versions.move(seen, seen.after(VersionEvent.DELETE))


def test_replica_is_one_for_each_server_and_root(transactions: Transactions) -> None:
    first, second = server("s1", 1), server("s2", 2)
    with transactions.writing() as records:
        records.servers.add(second)
        records.servers.add(first)
        for one in (replica(second, 7), replica(first, 8), replica(first, 7)):
            records.replicas.put(one)
        done = replace(
            replica(first, 7),
            state=ReplicaState.COMPLETE,
            done_bytes=1 << 43,
            fetched_bytes=5,
            problem="-",
            reported_at=later(3),
            completed_at=later(2),
            by_hand=True,
        )
        records.replicas.put(done)
    with transactions.writing() as records:
        assert records.replicas.all() == [done, replica(first, 8), replica(second, 7)]
        assert records.replicas.of_server(first.id) == [done, replica(first, 8)]
        assert records.replicas.of_root(root(7)) == [done, replica(second, 7)]
        assert records.replicas.find(first.id, root(7)) == done
        assert records.replicas.find(second.id, root(8)) is None
        records.replicas.remove(first.id, root(7))
        records.replicas.remove(first.id, root(7))
        assert records.replicas.all() == [replica(first, 8), replica(second, 7)]


def test_devices_are_found_by_name_id_and_image(transactions: Transactions) -> None:
    debian = image("debian", 1)
    second, first = device("pc2", 2), device("pc1", 1)
    with transactions.writing() as records:
        records.images.add(debian)
        records.devices.add(second)
        records.devices.add(first)
        records.devices.assign(first.id, debian.id, later(1))
    first = replace(first, assignment=Assignment(debian.id, later(1)), revision=2)
    with transactions.reading() as records:
        assert records.devices.all() == [first, second]
        assert records.devices.get(first.name) == first
        assert records.devices.with_id(second.id) == second
        assert records.devices.with_image(debian.id) == [first]
        assert records.devices.find(device("pc3", 3).name) is None
        with pytest.raises(DeviceUnknownError, match="pc3"):
            records.devices.get(device("pc3", 3).name)
        with pytest.raises(DeviceUnknownError):
            records.devices.with_id(DeviceId(NOBODY))


def test_device_is_found_by_the_digest_of_its_key(transactions: Transactions) -> None:
    one, two = device("pc1", 1), device("pc2", 2)
    with transactions.writing() as records:
        records.devices.add(one)
        records.devices.add(two)
    with transactions.reading() as records:
        assert records.devices.with_key(two.key_digest) == two
        assert records.devices.with_key(TokenDigest(bytes(32))) is None


def test_device_needs_a_name_and_a_card_of_its_own(transactions: Transactions) -> None:
    first = device("pc1", 1)
    with transactions.writing() as records:
        records.devices.add(first)
        with pytest.raises(DeviceNameTakenError, match="pc1"):
            records.devices.add(device("pc1", 2))
        with pytest.raises(MacTakenError, match=str(first.mac)):
            records.devices.add(replace(device("pc2", 2), mac=first.mac))


def test_sessions_are_replaced_as_a_whole(transactions: Transactions) -> None:
    first, second = server("s1", 1), server("s2", 2)
    pc1 = device("pc1", 1)
    with transactions.writing() as records:
        records.servers.add(second)
        records.servers.add(first)
        records.sessions.replace(second.id, [session(second, pc1)])
        records.sessions.replace(first.id, [session(first, pc1, 9), session(first, None, 4)])
    with transactions.writing() as records:
        assert records.sessions.all() == [
            session(first, None, 4),
            session(first, pc1, 9),
            session(second, pc1),
        ]
        records.sessions.replace(first.id, [])
        assert records.sessions.all() == [session(second, pc1)]


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=min(500, settings().max_examples),  # each asks a database some twenty times
)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 4)), max_size=8))
def test_names_and_cards_stay_unique_whatever_is_added(
    transactions: Transactions, wishes: list[tuple[str, int]]
) -> None:
    with transactions.reading() as records:  # thrown away at the end of each example
        kept: list[tuple[str, int]] = []
        for place, (name, card) in enumerate(wishes):
            wish = replace(device(name, card), id=DeviceId(UUID(int=1000 + place)))
            is_free = all(name != other and card != used for other, used in kept)
            if is_free:
                records.devices.add(wish)
                kept.append((name, card))
            else:
                with pytest.raises(TakenError):
                    records.devices.add(wish)
        assert [one.name for one in records.devices.all()] == sorted(name for name, _ in kept)
