"""Disks that rot while servers stream: nobody reads the damage, and the scrub ends it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.farm.disks import damage_chunk, damage_in_packs
from tests.integration.farm.estate import Estate

# Chunks of noise, none of them damaged by other tests.
WHILE_READ, EVERYWHERE, ALONE = 33, 55, 66


@pytest.fixture
def unscrubbed(estate: Estate) -> Iterator[Estate]:
    """``s1`` runs and has never been scrubbed: a pass begins as soon as a policy says so."""
    estate.corral.ask("store", "scrub-policy", "default", "--rate", "off")
    estate.kill("s1")
    (estate.servers["s1"].store / "scrub.json").unlink(missing_ok=True)
    estate.start_stream("s1")
    estate.wait_for(lambda: scrub_of(estate).get("passes") == 0, "s1 was scrubbed all the same")
    yield estate
    estate.corral.ask("store", "scrub-policy", "default", "--rate", "8M", "--every", "14d")


def scrub_of(estate: Estate, server: str = "s1") -> dict[str, Any]:
    return estate.corral.ask("server", "show", server)["scrub"] or {}


def replica_states(estate: Estate) -> dict[str, str]:
    """Give how the copies of the estate's own version are; other tests may have published more."""
    copies = estate.corral.ask("replication", "status")
    return {one["server"]: one["state"] for one in copies if one["version"] == "golden/1"}


def begin_scrubbing(estate: Estate) -> None:
    words = ("store", "scrub-policy", "default", "--rate", "100M", "--every", "1m")
    assert estate.corral.ask(*words)["rate"] == 100 << 20


def test_rot_is_found_and_healed_while_a_device_reads(unscrubbed: Estate) -> None:
    estate = unscrubbed
    client = estate.start_client("pc1-scrubbed", estate.login(["s1"]))
    reader = client.read_forever(estate.root, rate=32 << 20)
    reader.go_on_for(1)
    damage_in_packs(estate.servers["s1"].store, estate.disk, WHILE_READ)
    begin_scrubbing(estate)
    estate.wait_for(
        lambda: scrub_of(estate).get("healed_chunks", 0) >= 1, "the scrub healed nothing"
    )
    seen = scrub_of(estate)
    assert (seen["damaged_chunks"], seen["unhealed_chunks"], seen["problem"]) == (1, 0, "")
    reader.go_on_for(1)
    assert estate.corral.ask("store", "verify", "s1")["sound"]
    assert replica_states(estate) == {"s1": "in step", "s2": "in step"}


def test_what_rots_in_every_place_comes_from_the_other_server(unscrubbed: Estate) -> None:
    estate = unscrubbed

    def sent() -> int:
        return int(estate.corral.ask("server", "show", "s2")["counters"]["chunk_sent_entries"])

    before = sent()
    damage_chunk(estate.servers["s1"].store, estate.root, estate.disk, EVERYWHERE)
    begin_scrubbing(estate)
    estate.wait_for(lambda: scrub_of(estate).get("passes", 0) >= 1, "no pass ended")
    seen = scrub_of(estate)
    assert seen["damaged_chunks"] == seen["healed_chunks"] >= 1
    assert seen["last"]["damaged_chunks"] == seen["damaged_chunks"]
    estate.wait_for(lambda: sent() > before, "nothing came from the other server")
    client = estate.start_client("pc1-healed-by-scrub", estate.login(["s1"]))
    assert client.read_once(estate.root).verdicts == ("ok",)


def test_what_nobody_else_has_is_shown_and_healed_when_somebody_has(unscrubbed: Estate) -> None:
    estate = unscrubbed
    estate.kill("s2")
    damage_chunk(estate.servers["s1"].store, estate.root, estate.disk, ALONE)
    scrubbed = estate.corral.run("store", "scrub", "s1")
    assert scrubbed.returncode == 5, scrubbed.stderr
    (report,) = json.loads(scrubbed.stdout)
    assert (report["sound"], report["affected"]) == (False, ["golden/1"])
    assert report["unhealed_chunks"] >= 1
    # The stream process goes on where the command left off, with what could not be healed.
    estate.wait_for(lambda: scrub_of(estate).get("unhealed_chunks") == 1, "s1 does not know of it")
    estate.wait_for(lambda: replica_states(estate)["s1"] == "damaged", "it is not shown")
    check = json.loads(estate.corral.run("farm", "check").stdout)
    codes = {finding["code"] for finding in check["findings"]}
    assert codes & {"replica-damaged", "replica-stuck"}, check

    estate.start_stream("s2")
    estate.wait_for(
        lambda: replica_states(estate) == {"s1": "in step", "s2": "in step"},
        "it was not healed when the other server was back",
    )
    seen = scrub_of(estate)
    assert (seen["unhealed_chunks"], seen["healed_chunks"]) == (0, seen["damaged_chunks"])
    assert estate.corral.ask("store", "scrub", "default")[0]["sound"]
