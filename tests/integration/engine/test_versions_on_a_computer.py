"""A computer gets versions, takes them, and gives back what does not work; with real guests.

They are emulated, which is slow: what takes a start of its own is shown in as few as possible.
"""

import threading

from demo.processes import wait_until

from corral.wire import engine as wire
from tests.integration.engine.computer import Computer
from tests.integration.engine.conftest import Guests
from tests.integration.engine.farm import SECONDS, SimulatedFarm

MIB = 1 << 20
POLICY = wire.MachinePolicy(memory_mib=256, soak_seconds=1, user_disk_bytes=16 * MIB)
HASTY = POLICY.model_copy(update={"prove_within_seconds": 10})


def wait_briefly(seconds: float) -> None:
    """Let something go on for a moment, so that it is killed at another one each time."""
    threading.Event().wait(seconds)


def test_versions_come_are_taken_and_go_back(
    farm: SimulatedFarm, computer: Computer, guests: Guests
) -> None:
    """S54, S58, S61, S65-S67: fetched beside, taken at the restart, and told with the reason."""
    first = it_starts_before_it_has_arrived(farm, computer, guests)
    farm.cut()
    it_needs_neither_agent_nor_disk_process_nor_line(computer, first)
    farm.mend()
    second = the_next_one_is_taken_under_fire(farm, computer, guests, first)
    what_does_not_prove_itself_goes_back(farm, computer, guests, second)
    wait_until(lambda: computer.roots() == {second}, SECONDS, "what nobody needs is still here")


def test_a_custom_machine_keeps_its_disk_and_its_base(
    farm: SimulatedFarm, computer: Computer, guests: Guests
) -> None:
    """S37, S38."""
    first = farm.publish(guests.first.path)
    farm.want(farm.order(1, first, mode=wire.MachineMode.CUSTOM))
    computer.start()
    computer.wait_for(wanted=first.root)
    computer.run("machine", "start", "debian")
    computer.wait_for(state="proven", guest_tools="1.1.1.0", is_healthy=True)
    second = farm.publish(guests.second.path)
    farm.want(farm.order(2, second, mode=wire.MachineMode.CUSTOM))
    computer.wait_for(wanted=second.root)
    computer.run("machine", "restart", "debian")
    kept = computer.wait_for(starts=2, guest_tools="1.1.2.0", is_healthy=True)
    assert kept["running"] == first.root
    assert computer.roots() == {first.root}


def it_starts_before_it_has_arrived(farm: SimulatedFarm, computer: Computer, guests: Guests) -> str:
    first = farm.publish(guests.first.path)
    farm.rate = MIB
    farm.want(farm.order(1, first, policy=POLICY))
    computer.start()
    computer.wait_for(wanted=first.root)
    computer.run("machine", "start", "debian")
    early = computer.wait_for(power="running", is_healthy=True)
    assert early["state"] == "downloading"
    assert early["done_bytes"] < early["total_bytes"]
    assert early["running"] == first.root
    farm.change(lambda one: setattr(one, "rate", None))
    proven = computer.wait_for(state="proven")
    assert proven["guest_tools"] == "1.1.1.1"
    heard = farm.wait_until(
        lambda one: bool(one.machines) and one.machines[0].proven == first.root,
        "the farm did not hear of the proof",
    )
    assert heard.machines[0].running == first.root
    return first.root


def it_needs_neither_agent_nor_disk_process_nor_line(computer: Computer, first: str) -> None:
    (pid,) = computer.machine_pids()
    computer.kill_agent()
    computer.kill_disks()
    computer.start()
    found = computer.wait_for(power="running", is_healthy=True)
    assert found["starts"] == 1
    assert computer.machine_pids() == [pid]
    # Its system disk is as new after a restart, its user disk as it was.
    computer.run("machine", "restart", "debian")
    again = computer.wait_for(starts=2, is_healthy=True)
    assert (again["guest_tools"], again["running"]) == ("1.1.1.2", first)
    # What is suspended goes on where it was, and has not been started anew.
    computer.run("machine", "suspend", "debian")
    computer.wait_for(power="off", is_suspended=True)
    computer.run("machine", "resume", "debian")
    resumed = computer.wait_for(power="running", is_healthy=True, is_suspended=False)
    assert resumed["guest_tools"] == "1.1.1.2"


def the_next_one_is_taken_under_fire(
    farm: SimulatedFarm, computer: Computer, guests: Guests, first: str
) -> str:
    before = farm.chunks.sent_bytes()
    second = farm.publish(guests.second.path)
    farm.want(farm.order(2, second, policy=POLICY))
    computer.run("check-now")
    computer.kill_agent()
    computer.start()
    computer.wait_for(state="waiting-for-restart", running=first)
    # Only what is new was sent.
    assert farm.chunks.sent_bytes() - before < 4 * MIB
    computer.run("machine", "restart", "debian")
    for pause in (0.05, 0.4, 0.8):
        wait_briefly(pause)
        computer.kill_agent()
        computer.start()
    computer.kill_disks()
    taken = computer.wait_for(state="proven", running=second.root)
    assert taken["guest_tools"] == "1.2.1.3"
    assert len(computer.machine_pids()) == 1
    return second.root


def what_does_not_prove_itself_goes_back(
    farm: SimulatedFarm, computer: Computer, guests: Guests, before: str
) -> None:
    broken = farm.publish(guests.broken.path)
    farm.want(farm.order(3, broken, policy=HASTY))
    computer.wait_for(state="waiting-for-restart", wanted=broken.root)
    computer.run("machine", "restart", "debian")
    computer.wait_for(running=broken.root)
    back = computer.wait_for(state="went-back", running=before, is_healthy=True)
    assert back["code"] == "not-healthy"
    heard = farm.wait_until(
        lambda one: one.machines[0].state is wire.MachineState.WENT_BACK,
        "the farm did not hear that it went back",
    )
    assert heard.machines[0].wanted == broken.root
