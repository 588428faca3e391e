"""A farm of real processes is lost with its machine, restored with one command, and streams."""

import json
import shutil

import httpx

from tests.integration.backup.lost_estate import LostEstate
from tests.integration.farm.estate import DEVICE, IMAGE, SECONDS


def test_a_farm_whose_machine_and_stores_are_lost_streams_again(lost: LostEstate) -> None:
    estate = lost.estate
    created = lost.back_up("--with-chunks")
    assert (created["has_chunks"], created["copied_versions"]) == (True, 1)
    verified = estate.corral.ask("backup", "verify", "--key", str(lost.key))
    assert (verified["versions"], verified["missing_versions"], verified["noted"]) == (1, [], True)
    for name in ("api", "s1", "s2"):
        estate.kill(name)
    shutil.rmtree(estate.corral.farm)
    for server in estate.servers.values():
        shutil.rmtree(server.store)

    done = lost.restore(created["path"])
    assert done["took_seconds"] > 0
    shutil.copytree(lost.backups / "chunks", estate.servers["s1"].store)
    estate.start_api()
    estate.start_stream("s1")
    estate.wait_for(lambda: estate.states()["s1"] == "online", "s1 did not come online")
    client = estate.start_client("pc1-restored")
    assert client.read_once(estate.root).verdicts == ("ok",)
    assert estate.corral.ask("backup", "list")["restored"]["backup"] == created["id"]


def test_streams_that_never_stopped_follow_the_restored_farm(lost: LostEstate) -> None:
    """They were told more than the backup knows, and would refuse what looks older."""
    estate, corral = lost.estate, lost.estate.corral
    created = lost.back_up()
    reader = estate.start_client("pc1-goes-on").read_forever(estate.root)
    for power in ("2", "3"):
        corral.ask("server", "change", "s2", "--power", power)
    before = estate.status()["generation"]
    reader.go_on_for(1)
    estate.kill("api")
    done = lost.restore(created["path"])
    assert done["generation"] > before
    estate.start_api()
    news = f"generation={done['generation']}"
    logs = [estate.log_of(name) for name in ("s1", "s2")]

    def have_followed() -> bool:
        logs[:] = [estate.log_of(name) for name in ("s1", "s2")]
        return all(news in log for log in logs)

    estate.wait_for(have_followed, f"not both servers have heard of {news}")
    for log in logs:
        assert "older than the one in force" not in log
    estate.wait_for(lambda: set(estate.states().values()) == {"online"}, "not all came online")
    reader.go_on_for(2)
    assert len(estate.offered_servers()) == 2


def test_what_was_published_after_the_backup_is_streamed_on_and_adopted(lost: LostEstate) -> None:
    estate = lost.estate
    created = lost.back_up()
    second = lost.publish("second")
    reader = estate.start_client("pc1-on-second").read_forever(second)
    reader.go_on_for(1)
    estate.kill("api")
    lost.restore(created["path"])
    estate.start_api()

    difference = lost.wait_until_all_were_heard()
    assert (difference["observes"], difference["waits"]) == (True, True)
    (newer,) = (one for one in difference["differences"] if one["code"] == "version-newer")
    assert (newer["object"], newer["backup"]) == (f"version {IMAGE}/2", "no such version")
    assert "in production, told s1, s2" in newer["said"]
    assert "s1 has all of it and offers it" in newer["live"]
    reader.go_on_for(1)
    for name in ("s1", "s2"):
        kept = lost.kept_by(name)
        assert kept["observes"]
        assert {one["name"] for one in kept["exports"]} == {f"{IMAGE}/1", f"{IMAGE}/2"}
        assert kept["removals"] == []
    # A device that runs it gets a new ticket, from both servers.
    answer = httpx.post(
        f"{estate.api_url}/v1/devices/{DEVICE}/login",
        headers={"Authorization": f"Bearer {estate.key_file.read_text().strip()}"},
        json={"running": second},
        timeout=SECONDS,
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["export"] == f"{IMAGE}/2"
    refusal = estate.corral.refusal("server", "drain", "s1")
    assert refusal.code == "farm-observes"
    assert "corral farm accept" in refusal.message
    checked = json.loads(estate.corral.run("farm", "check").stdout)
    assert "farm-observes" in {one["code"] for one in checked["findings"]}
    assert estate.status()["observing"]["accepted"] is False

    # One server's machine is new: it has its store, and nothing of what it was told.
    estate.kill("s2")
    estate.start_stream("s2")
    lost.running["s2"] = estate.servers["s2"]
    estate.wait_for(lambda: lost.kept_by("s2").get("followed") == 0, "s2 was told nothing")
    assert {one["name"] for one in lost.kept_by("s2")["exports"]} == {f"{IMAGE}/1"}
    reader.go_on_for(1)
    assert estate.corral.ask("farm", "difference")["seen"] == difference["seen"]

    accepted = estate.corral.ask(
        *("farm", "accept", "--because", "the disk of the API broke", "--seen", difference["seen"])
    )
    assert accepted["seen"] == difference["seen"]
    lost.wait_until_all_work_as_always()
    versions = estate.corral.ask("image", "show", IMAGE)["versions"]
    assert {one["number"]: one["root"] for one in versions} == {1: estate.root, 2: second}
    for name in ("s1", "s2"):
        exports = {one["name"]: one["root"] for one in lost.kept_by(name)["exports"]}
        assert exports == {f"{IMAGE}/1": estate.root, f"{IMAGE}/2": second}
    reader.go_on_for(2)
    assert estate.login(["s1", "s2"])["export"] == f"{IMAGE}/2"
    assert estate.start_client("pc1-again").read_once(second).verdicts == ("ok",)
    # And it publishes on from there.
    assert lost.publish("third") not in {estate.root, second}
    versions = estate.corral.ask("image", "show", IMAGE)["versions"]
    assert {one["number"] for one in versions} == {1, 2, 3}
