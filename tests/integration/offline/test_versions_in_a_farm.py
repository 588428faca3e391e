"""A version's whole life in a real farm, under fire: each kill comes where something is held.

What is held stays so for as long as a test likes: a download by its rate, a preparation and a
switch by a disk process that does not run, a proof by the time that policy asks for.
"""

from typing import TYPE_CHECKING

from corral.farm.domain.computer.check_in import MachineState
from corral.farm.domain.rollout.member import MemberState
from corral.farm.domain.rollout.state import RolloutState
from tests.engines import Engine, running
from tests.integration.engine.computer import Computer
from tests.integration.engine.conftest import Guests
from tests.integration.offline.headquarters import SERVER, Headquarters

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from corral.farm.domain.image.root import RootHash

FOREVER = "86400"


def test_versions_reach_a_computer_and_leave_it_whatever_is_killed(
    headquarters: Headquarters, computer: Computer, guests: Guests
) -> None:
    """S10-S12, S54, S58, S61, S65-S67, between the engine and the farm that are shipped."""
    hq, ask = headquarters, headquarters.corral.ask
    for user in ("rboston", "bsmith"):
        ask("user", "add", user)
    publish(hq, guests.first.path)
    ask("image", "machine", "debian", "--memory", "256", "--soak", "1", "--user-disk", "16MiB")
    ask("image", "assign", "debian", "--user", "rboston", "--user", "bsmith")
    hq.register(computer, "laptop", "rboston")
    it_starts_before_it_has_arrived_and_arrives_whatever_is_killed(hq, computer)
    it_restarts_without_a_farm(hq, computer)
    with hq.client() as api:
        desk = Engine("desk")
        desk.register(api, hq.code_for("bsmith"))
        assert told(desk, api) == "debian/1"
        computer.kill_disks()
        publish(hq, guests.second.path, "--to", "test")
        roll_out(hq, "two", "debian/2")
        assert told(desk, api) == "debian/1"
        it_is_prepared_and_taken_whatever_is_killed(hq, computer)
        # It has run for longer than the rollout asks for, and its engine may still take it back.
        assert told(desk, api) == "debian/1"
        it_is_proven_and_goes_to_all(hq, computer, desk, api)
        publish(hq, guests.broken.path, "--to", "test")
        roll_out(hq, "three", "debian/3")
        what_is_broken_goes_back_and_reaches_nobody_else(hq, computer, desk, api)


def publish(hq: Headquarters, disk: "Path", *more: str) -> None:
    hq.corral.ask("image", "import", "debian", str(disk), "--server", "s1", *more)


def roll_out(hq: Headquarters, name: str, version: str) -> None:
    waves = ("--ring", "test=laptop", "--wave", "100", "--soak", "0s")
    hq.corral.ask("rollout", "start", name, version, *waves)


def told(desk: Engine, api: "httpx.Client") -> str:
    """Give the version that another computer is told to run, which does at once what it is told."""
    (order,) = desk.check_in(api).machines
    desk.machines = (running(order),)
    return order.version


def it_starts_before_it_has_arrived_and_arrives_whatever_is_killed(
    hq: Headquarters, computer: Computer
) -> None:
    hq.corral.ask("computer", "change", "laptop", "--rate", "64K")
    computer.start()
    computer.wait_for(state="downloading")
    computer.start_disks()
    computer.run("machine", "start", "debian")
    early = computer.wait_for(power="running", is_healthy=True)
    assert (early["state"], early["stage"]) == ("downloading", "proving")
    assert early["done_bytes"] < early["total_bytes"]
    heard = hq.wait_for_word(lambda one: one.boot_milliseconds is not None, "its guest spoke")
    assert heard.state is MachineState.DOWNLOADING
    assert (heard.is_running, heard.is_healthy, heard.running) == (True, True, heard.wanted)
    (pid,) = computer.machine_pids()
    computer.kill_agent()
    computer.kill_disks()
    hq.cut()
    computer.start()
    computer.start_disks()
    alone = computer.wait_for(power="running", is_healthy=True)
    assert (alone["state"], computer.machine_pids()) == ("downloading", [pid])
    hq.start()
    hq.corral.ask("computer", "change", "laptop", "--rate", "none")
    # It retries by itself, and later the longer the farm was away; people need not wait for that.
    computer.run("check-now")
    proven = computer.wait_for(state="proven", starts=1)
    assert proven["guest_tools"] == "1.1.1.1"
    heard = hq.wait_for_word(lambda one: one.state is MachineState.PROVEN, "it is proven")
    assert heard.proven == heard.running == heard.wanted
    row = hq.row_of("debian", "rboston")
    assert (row["running_versions"], row["assigned_versions"]) == (["1"], ["1"])
    assert row["machines"][0]["difference"] is None


def it_restarts_without_a_farm(hq: Headquarters, computer: Computer) -> None:
    hq.cut()
    computer.run("machine", "restart", "debian")
    again = computer.wait_for(starts=2, is_healthy=True)
    # The system disk is as new, the user disk was counted on twice.
    assert again["guest_tools"] == "1.1.1.2"
    computer.run("check-now")
    hq.wait_for(
        lambda: bool(computer.status()["check_in"]["problem"]), "nobody says that the farm is away"
    )
    assert "does not answer" in computer.run("status")
    hq.start()
    computer.run("check-now")
    heard = hq.wait_for_word(lambda one: one.starts == 2, "it was restarted meanwhile")
    assert heard.is_running


def it_is_prepared_and_taken_whatever_is_killed(hq: Headquarters, computer: Computer) -> None:
    """From here on nobody offers disks: preparation and switch wait for that."""
    hq.corral.ask("image", "machine", "debian", "--soak", FOREVER)
    before = running_root(hq)
    computer.wait_for(state="preparing")
    heard = hq.wait_for_word(lambda one: one.state is MachineState.PREPARING, "it is prepared")
    assert (heard.is_running, heard.running) == (True, before)
    assert why(hq) == "preparing"
    # The server stays dead through preparation and switch: all that they need is here.
    hq.kill(SERVER)
    computer.kill_agent()
    computer.start()
    computer.start_disks()
    computer.wait_for(state="waiting-for-restart", running=before.hex, is_healthy=True)
    hq.wait_for_word(lambda one: one.state is MachineState.WAITING_FOR_RESTART, "it waits")
    assert why(hq) == "waiting-for-vm-restart"
    assert hq.row_of("debian", "rboston")["running_versions"] == ["1"]
    computer.kill_disks()
    computer.run("machine", "restart", "debian")
    computer.wait_for(power="off", stage="proving", waiting_for="disk-process")
    heard = hq.wait_for_word(lambda one: not one.is_running, "it is off")
    assert heard.running is None
    computer.kill_agent()
    hq.kill("api")
    computer.start()
    computer.wait_for(power="off", stage="proving", waiting_for="disk-process")
    computer.start_disks()
    new = computer.wait_for(power="running", is_healthy=True, version="debian/2")
    assert (new["state"], new["guest_tools"]) == ("proving", "1.2.1.3")
    (pid,) = computer.machine_pids()
    computer.kill_agent()
    computer.kill_disks()
    hq.start()
    computer.start()
    computer.start_disks()
    still = computer.wait_for(power="running", is_healthy=True)
    assert (still["state"], computer.machine_pids()) == ("proving", [pid])
    heard = hq.wait_for_word(lambda one: one.running not in {None, before}, "the new one runs")
    assert (heard.state, heard.running) == (MachineState.PROVING, heard.wanted)
    assert hq.row_of("debian", "rboston")["running_versions"] == ["2"]


def it_is_proven_and_goes_to_all(
    hq: Headquarters, computer: Computer, desk: Engine, api: "httpx.Client"
) -> None:
    hq.corral.ask("image", "machine", "debian", "--soak", "1")
    computer.wait_for(state="proven", version="debian/2", starts=3)
    hq.wait_for(
        lambda: member(hq, "two", "laptop") is MemberState.PROVEN, "the rollout saw no proof"
    )
    assert told(desk, api) == "debian/2"
    told(desk, api)
    told(desk, api)
    hq.wait_for(
        lambda: hq.rollout("two").view.rollout.state is RolloutState.COMPLETE,
        "the rollout is not complete",
    )
    hq.corral.ask("image", "promote", "debian/2", "--to", "production")
    hq.corral.ask("rollout", "remove", "two")


def what_is_broken_goes_back_and_reaches_nobody_else(
    hq: Headquarters, computer: Computer, desk: Engine, api: "httpx.Client"
) -> None:
    before = running_root(hq)
    # Only what does not work at all is held to this: whatever works would be too slow at times.
    hq.corral.ask("image", "machine", "debian", "--prove-within", "10")
    computer.wait_for(state="waiting-for-restart", next_version="debian/3")
    computer.run("machine", "restart", "debian")
    back = computer.wait_for(state="went-back", running=before.hex, is_healthy=True)
    assert back["code"] == "not-healthy"
    heard = hq.wait_for_word(lambda one: one.state is MachineState.WENT_BACK, "it went back")
    assert (heard.running, heard.is_running) == (before, True)
    shown = hq.corral.ask("rollout", "show", "three")
    assert shown["state"] == "halted", shown
    row = hq.row_of("debian", "rboston")
    assert (row["running_versions"], row["assigned_versions"]) == (["2"], ["3"])
    difference = row["machines"][0]["difference"]
    assert (difference["why"], difference["code"]) == ("went-back", "not-healthy")
    assert told(desk, api) == "debian/2"
    assert member(hq, "three", "desk") is MemberState.WAITING
    events = hq.corral.ask("computer", "events", "laptop")
    assert "went-back" in {one["code"] for one in events}, events


def running_root(hq: Headquarters) -> "RootHash":
    machine = hq.machine()
    assert machine is not None
    assert machine.running is not None
    return machine.running


def why(hq: Headquarters) -> str:
    """Give why what rboston runs is not what is assigned, as a person is shown it."""
    return str(hq.row_of("debian", "rboston")["machines"][0]["difference"]["why"])


def member(hq: Headquarters, rollout: str, computer: str) -> MemberState:
    (found,) = (one for one in hq.rollout(rollout).members if one.computer == computer)
    return found.member.state
