"""The engine's own releases on a computer: real kits of this checkout, and a launcher."""

from pathlib import Path

from demo.processes import wait_until

from corral.engine.domain.slots.stage import KitStage
from tests.gates import Gates
from tests.integration.engine.farm import SECONDS, SimulatedFarm
from tests.integration.engine.kits import LaunchedComputer, Publisher, order


def test_a_release_that_hangs_is_ended_and_tried_again_when_somebody_says_so(
    farm: SimulatedFarm, launched: LaunchedComputer, publisher: Publisher
) -> None:
    launched.prove_within = 2.0
    launched.start()
    package = launched.kit()["release"]
    kit = publisher.hangs("4.0")
    order(farm, "4.0", kit)
    held = launched.wait_for(state="went-back", release=package)
    assert held["code"] == "not-healthy"
    before = launched.slots().given_up
    order(farm, "4.0", kit, attempt=1)
    launched.wait_for(state="went-back", attempt=1, release=package)
    after = launched.slots().given_up
    assert before is not None
    assert after is not None
    assert (before.attempt, after.attempt) == (0, 1)


def test_killed_at_every_stage_it_ends_at_the_ordered_release(
    farm: SimulatedFarm, launched: LaunchedComputer, publisher: Publisher, tmp_path: Path
) -> None:
    """Gates hold each stage until agent, or launcher, was killed there."""
    gates = Gates(tmp_path, "serve", SECONDS)
    launched.start()
    farm.chunks.cut()
    ordered = order(farm, "5.0", publisher.gated("5.0", gates))
    launched.wait_for(wanted="5.0", state="downloading")
    launched.kill_launcher()
    launched.start()
    launched.wait_for(wanted="5.0", state="downloading")
    assert launched.slots().stage is KitStage.FETCHING
    farm.chunks.start()
    farm.change(lambda _: None)

    # It is tried before it is put into its slot. Its agent and its launcher are killed meanwhile.
    gates.wait_until_reached("try")
    assert launched.kit()["state"] == "installing"
    launched.kill_launcher()
    assert launched.slots().stage is KitStage.INSTALLING
    launched.start()
    gates.wait_until_reached("try")
    launched.kill_agent()
    launched.start()
    gates.wait_until_reached("try")
    gates.open("try")

    # It is on trial, and is killed twice before it can do anything.
    gates.wait_until_reached("serve")
    assert launched.slots().stage is KitStage.PROVING
    launched.kill_agent()  # the launcher starts it again
    gates.wait_until_reached("serve")
    launched.kill_launcher()
    assert launched.slots().stage is KitStage.PROVING
    launched.launch()
    gates.wait_until_reached("serve")
    assert launched.slots().tries == 3
    # Out of reach of its farm it stays in force, on trial; as soon as it is heard, it is proven.
    farm.cut()
    gates.open("serve")
    wait_until(lambda: launched.slots().was_healthy, SECONDS, "it does not say that it works")
    assert launched.kit()["state"] == "proving"
    farm.mend()
    launched.computer.run("check-now")
    launched.wait_for(state="current", release="5.0", running=ordered.root)
    slots = launched.slots()
    assert (slots.stage, slots.tries) == (KitStage.RESTING, 0)
    # No machine reads from it: the disk process is exchanged, too.
    wait_until(lambda: b"CORRAL_ENGINE_SLOT=b" in disks_environment(launched), SECONDS, "it is not")
    assert {one.name for one in (launched.computer.state / "slots").iterdir()} == {
        "b",
        "state.json",
    }


def disks_environment(launched: LaunchedComputer) -> list[bytes]:
    pid = launched.computer.disks_pid()
    if pid is None:
        return []
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
