"""Bytes on a disk that are no longer what they were."""

from tests.integration.farm.disks import CHUNK, damage_chunk, has_in_flat_file
from tests.integration.farm.estate import Estate

# Chunks of noise, one for each test: what was healed lies elsewhere from then on.
HEALED_AT_READ, ALONE, HEALED_BY_COMMAND = 77, 99, 121


def damage(estate: Estate, chunk: int) -> None:
    """Turn over bytes of one chunk wherever ``s1``, which is ended for it, has that chunk."""
    store = estate.servers["s1"].store
    estate.wait_for(
        lambda: has_in_flat_file(store, estate.root, estate.disk, chunk),
        "the flat file was not filled",
    )
    estate.kill("s1")
    damage_chunk(store, estate.root, estate.disk, chunk)


def test_a_damaged_chunk_is_healed_from_the_other_server_before_it_is_served(
    estate: Estate,
) -> None:
    answer = estate.login(["s1"])
    damage(estate, HEALED_AT_READ)
    estate.start_stream("s1")
    client = estate.start_client("pc1-healed", answer)
    assert client.read_once(estate.root).verdicts == ("ok",)


def test_a_damaged_chunk_that_nobody_else_has_is_an_error_and_never_wrong(estate: Estate) -> None:
    answer = estate.login(["s1"])
    damage(estate, ALONE)
    estate.kill("s2")
    estate.start_stream("s1")
    client = estate.start_client("pc1-alone", answer, error_patience=1)
    reading = client.read_once(estate.root)
    assert reading.verdicts == ("unreadable",)
    ((offset, length, _),) = reading.errors
    assert offset <= ALONE * CHUNK < offset + length

    estate.start_stream("s2")
    estate.wait_for(
        lambda: client.read_once(estate.root).verdicts == ("ok",),
        "the chunk was not healed when the other server was back",
    )


def test_verifying_finds_damage_and_healing_repairs_it(estate: Estate) -> None:
    damage(estate, HEALED_BY_COMMAND)
    found = estate.corral.run("store", "verify", "s1")
    assert found.returncode == 5
    assert '"golden/1"' in found.stdout
    assert '"sound": false' in found.stdout
    assert replica_states(estate) == {"s1": "damaged", "s2": "complete"}

    healed = estate.corral.ask("store", "heal", "s1")
    assert healed["sound"]
    assert healed["healed_chunks"] >= 1
    verified = estate.corral.ask("store", "verify", "s1")
    assert (verified["sound"], verified["damaged_chunks"]) == (True, 0)
    assert replica_states(estate) == {"s1": "complete", "s2": "complete"}


def replica_states(estate: Estate) -> dict[str, str]:
    (version,) = estate.corral.ask("image", "show", "golden")["versions"]
    return {one["server"]: one["state"] for one in version["replicas"]}
