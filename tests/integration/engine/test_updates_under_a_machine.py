"""A machine goes on while the engine under it is exchanged, and gets what the new one brings."""

import corral_native as native

from corral.wire import engine as wire
from tests.integration.engine.computer import Computer
from tests.integration.engine.conftest import Guests
from tests.integration.engine.farm import SimulatedFarm
from tests.integration.engine.kits import LaunchedComputer, Publisher, order

POLICY = wire.MachinePolicy(memory_mib=256, soak_seconds=1)


def test_a_machine_goes_on_while_its_engine_is_updated_and_gets_its_tools(
    farm: SimulatedFarm, launched: LaunchedComputer, publisher: Publisher, guests: Guests
) -> None:
    """S3, S4, S37, S55, S57, S58, S69 to S74."""
    computer = launched.computer
    first = farm.publish(guests.first.path)
    farm.want(farm.order(1, first, policy=POLICY, guest_tools="1.0"))
    launched.start()
    computer.wait_for(wanted=first.root)
    computer.run("machine", "start", "debian")
    plain = computer.wait_for(state="proven", is_healthy=True)
    assert plain["guest_tools"] == "1.1.1.0"
    pids = computer.machine_pids(), computer.disks_pid()
    second = a_new_release_takes_over(farm, launched, publisher)
    a_broken_one_goes_back(farm, launched, publisher, second)
    # All the while, the same process of the same machine, over the same disk process.
    found = computer.wait_for(power="running", is_healthy=True)
    assert (found["starts"], found["guest_tools"]) == (1, "1.1.1.0")
    assert (computer.machine_pids(), computer.disks_pid()) == pids
    older_tools_are_updated_at_a_start(farm, computer)
    tools_that_do_not_work_are_put_back(farm, launched, publisher, first)


def a_new_release_takes_over(
    farm: SimulatedFarm, launched: LaunchedComputer, publisher: Publisher
) -> str:
    package = launched.kit()["release"]
    ordered = order(farm, "2.0", publisher.brings("2.0", publisher.tools("2.0")))
    heard = farm.wait_until(
        lambda one: one.kit.state is wire.KitState.CURRENT, "the farm did not hear of the update"
    )
    assert (heard.kit.running, heard.kit.release) == (ordered.root, "2.0")
    assert (heard.engine.release, heard.engine.guest_tools) == ("2.0", "2.0")
    assert package != "2.0"
    return ordered.root


def a_broken_one_goes_back(
    farm: SimulatedFarm, launched: LaunchedComputer, publisher: Publisher, before: str
) -> None:
    broken = order(farm, "3.0", publisher.dies("3.0"))
    back = farm.wait_until(
        lambda one: one.kit.state is wire.KitState.WENT_BACK, "the farm did not hear that it failed"
    )
    assert (back.kit.wanted, back.kit.running) == ("3.0", before)
    assert back.kit.code == "does-not-start"
    slots = launched.slots()
    assert slots.given_up is not None
    assert slots.given_up.root == broken.root


def older_tools_are_updated_at_a_start(farm: SimulatedFarm, computer: Computer) -> None:
    """They are installed, and it starts once more, over what that gave."""
    computer.run("machine", "restart", "debian")
    updated = computer.wait_for(guest_tools="2.0", is_healthy=True)
    assert updated["starts"] == 3
    farm.wait_until(
        lambda one: any(event.code == "tools-updated" for event in one.events),
        "the farm did not hear of the tools",
    )


def tools_that_do_not_work_are_put_back(
    farm: SimulatedFarm,
    launched: LaunchedComputer,
    publisher: Publisher,
    first: native.Imported,
) -> None:
    """To those before, and not only to its version; after two starts that came to nothing."""
    computer = launched.computer
    order(farm, "4.0", publisher.brings("4.0", publisher.tools("4.0", broken=True)))
    launched.wait_for(state="current", release="4.0")
    computer.run("machine", "restart", "debian")
    back = computer.wait_for(code="tools-not-healthy", guest_tools="2.0", is_healthy=True)
    assert (back["state"], back["running"], back["starts"]) == ("proven", first.root, 7)
    assert back["needs_tools_by_hand"]
    folder = computer.state / "machines" / "debian@rboston"
    assert [one.name for one in folder.glob("tools-*")] == ["tools-2.0.qcow2"]
