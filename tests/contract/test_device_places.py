"""Places of devices, and the sessions by which they are followed."""

from dataclasses import replace
from datetime import timedelta

from corral.farm.application.ports.records import Transactions
from corral.farm.domain.delivery.place import BOOT_BYTES, BOOTS_FOR, Place
from corral.farm.domain.delivery.ranking import Affinity, Load
from tests.contract.things import NOW, device, later, root, server, session

PC1, PC2, PC3 = device("pc1", 1), device("pc2", 2), device("pc3", 3)
S1, S2 = server("s1", 1), server("s2", 2)


def place(of: object, on: object = S1, **facts: object) -> Place:
    plain = Place(of.id, on.id, NOW, root(1))  # type: ignore[attr-defined] # a device and a server
    return replace(plain, **facts)  # type: ignore[arg-type] # each test names fields of Place


def test_a_device_has_one_place(transactions: Transactions) -> None:
    known = place(PC1, started_at=later(1), read_bytes=1 << 40, address="2001:db8::7")
    with transactions.writing() as records:
        records.places.put(place(PC1, S2))
        records.places.put(known)
        records.places.put(place(PC2, S2))
    with transactions.reading() as records:
        assert records.places.find(PC1.id) == known
        assert records.places.find(PC3.id) is None
        assert records.places.of_server(S2.id) == [place(PC2, S2)]
        assert records.places.of_devices({PC1.id, PC3.id}) == [known]
        assert records.places.of_devices([]) == []
        assert records.places.all() == [known, place(PC2, S2)]


def test_a_place_is_forgotten(transactions: Transactions) -> None:
    with transactions.writing() as records:
        records.places.put(place(PC1))
        records.places.remove(PC1.id)
        records.places.remove(PC1.id)
        assert records.places.all() == []


def test_loads_count_devices_and_those_that_start_as_the_domain_does(
    transactions: Transactions,
) -> None:
    now = later(0) + BOOTS_FOR
    moment = timedelta(microseconds=1)
    places = [
        place(PC1, started_at=now - BOOTS_FOR),
        place(PC2, started_at=now - BOOTS_FOR + moment, read_bytes=BOOT_BYTES - 1),
        place(PC3, started_at=now, read_bytes=BOOT_BYTES),
        place(device("pc4", 4)),
        place(device("pc5", 5), S2, started_at=now),
    ]
    with transactions.writing() as records:
        assert records.places.loads(now) == {}
        for one in places:
            records.places.put(one)
        loads = records.places.loads(now)
    assert loads == {S1.id: Load(4, 1), S2.id: Load(1, 1)}
    assert [one.is_booting(now) for one in places] == [False, True, False, False, True]


def test_sessions_remember_when_they_read_and_are_found_by_server_and_device(
    transactions: Transactions,
) -> None:
    read = replace(session(S1, PC1, 1), read_at=later(5))
    with transactions.writing() as records:
        for one in (S1, S2):
            records.servers.add(one)
        records.sessions.replace(S2.id, [session(S2, PC1), session(S2, None)])
        records.sessions.replace(S1.id, [session(S1, PC2, 2), read])
    with transactions.reading() as records:
        assert records.sessions.of_server(S1.id) == [read, session(S1, PC2, 2)]
        assert records.sessions.of_devices([PC1.id]) == [read, session(S2, PC1)]
        assert records.sessions.of_devices([]) == []


def test_images_and_collections_say_an_affinity_or_nothing(transactions: Transactions) -> None:
    thing, other = PC1.id, PC2.id  # any ids
    with transactions.writing() as records:
        records.affinities.set_affinity(thing, Affinity.FIXED)
        records.affinities.set_affinity(other, Affinity.NONE)
        records.affinities.set_affinity(thing, Affinity.BEST_EFFORT)
    with transactions.reading() as records:
        assert records.affinities.all() == {thing: Affinity.BEST_EFFORT, other: Affinity.NONE}
        assert records.affinities.with_id(thing).affinity is Affinity.BEST_EFFORT
    with transactions.writing() as records:
        records.affinities.set_affinity(thing, None)
        assert records.affinities.with_id(thing).affinity is None
