"""What an engine believes, keeps and forgets; without guests, whose starts take long."""

import json
import os
import stat
from pathlib import Path
from uuid import UUID

import corral_native as native
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from demo.processes import wait_until

from corral.wire import engine as wire
from corral.wire.medium import CHUNKS_FOLDER
from tests.integration.engine.computer import Computer
from tests.integration.engine.farm import CODE, FARM, SECONDS, SimulatedFarm

MIB = 1 << 20
OTHER_FARM = UUID(int=7)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk.raw"
    path.write_bytes(os.urandom(6 * MIB))
    return path


def test_a_computer_registers_once_and_its_key_stays_on_it(
    farm: SimulatedFarm, computer: Computer
) -> None:
    key = computer.state / "identity.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(farm.computer_key) == 32
    code, said = computer.try_to_run("register", farm.url, code=CODE)
    assert code == 1
    assert "already-registered" in said


def test_a_farm_that_refuses_or_is_not_there_is_told_apart(
    farm: SimulatedFarm, tmp_path: Path
) -> None:
    computer = Computer.new(tmp_path / "other")
    code, said = computer.try_to_run("register", farm.url, "--json", code="wrong")
    assert code == 1
    assert json.loads(said)["code"] == "farm-refused"
    farm.cut()
    code, said = computer.try_to_run("register", farm.url, "--json", code="x")
    assert code == 4
    assert json.loads(said)["code"] == "farm-unreachable"
    code, said = computer.try_to_run("status", "--json")
    assert code == 4
    assert json.loads(said)["code"] == "agent-away"
    computer.end()


def test_a_version_arrives_over_kills_and_pauses_and_is_fetched_once(
    farm: SimulatedFarm, computer: Computer, disk: Path
) -> None:
    imported = farm.publish(disk)
    # So slow that it is not all here before a busy machine has started an agent twice.
    farm.rate = MIB // 16
    farm.want(farm.order(1, imported))
    computer.start()

    def done() -> int:
        got: int = computer.machine().get("done_bytes", 0)
        return got

    wait_until(lambda: done() > 0, SECONDS, "nothing comes")
    computer.kill_agent()
    computer.start()
    computer.run("pause")
    paused = computer.wait_for(state="paused")
    assert paused["waiting_for"] == "chunks"
    assert computer.status()["is_pausing"]
    computer.kill_agent()
    computer.start()
    assert computer.wait_for(state="paused")
    computer.run("resume-fetch")
    farm.change(lambda one: setattr(one, "rate", None))
    computer.wait_for(state="waiting-for-restart")
    assert computer.roots() == {imported.root}
    # What was on its way when the agent was killed may have come twice; the rest did not.
    assert farm.chunks.sent_bytes() < 8 * MIB


def test_what_its_source_has_not_got_yet_waits_and_what_is_not_wanted_any_more_goes(
    farm: SimulatedFarm, computer: Computer, disk: Path
) -> None:
    """S61: Ready to Download Update."""
    imported = farm.publish(disk)
    farm.not_yet = (imported.root,)
    farm.want(farm.order(1, imported))
    computer.start()
    computer.wait_for(state="ready-to-download")
    farm.wait_until(
        lambda one: (
            bool(one.machines) and one.machines[0].state is wire.MachineState.READY_TO_DOWNLOAD
        ),
        "the farm was not told",
    )
    farm.change(lambda one: setattr(one, "not_yet", ()))
    computer.wait_for(state="waiting-for-restart")
    farm.want()
    wait_until(lambda: computer.machine() == {}, SECONDS, "the machine is still there")
    wait_until(lambda: computer.roots() == set(), SECONDS, "its version is still there")
    assert list((computer.state / "machines").iterdir()) == []


def test_a_version_comes_from_a_medium_while_the_farm_is_away(
    farm: SimulatedFarm, computer: Computer, disk: Path
) -> None:
    imported = farm.publish(disk)
    farm.not_yet = (imported.root,)
    farm.want(farm.order(1, imported))
    computer.start()
    computer.wait_for(state="ready-to-download")
    farm.cut()
    # Put together out of sight, as one that is mounted is whole from the beginning.
    stick = computer.media.with_name("stick")
    carried = native.Store.create(stick / CHUNKS_FOLDER, str(FARM))
    carried.replicate(imported.root, native.Peers(stores=[farm.store]), native.Progress())
    native.Store.create(computer.media / "other" / CHUNKS_FOLDER, str(OTHER_FARM))
    stick.rename(computer.media / "stick")
    wait_until(
        lambda: computer.roots() == {imported.root}, SECONDS, "it did not come from the medium"
    )
    # Nothing on it is held open: it can be taken away.
    wait_until(
        lambda: not any(one.is_relative_to(computer.media) for one in computer.open_files()),
        SECONDS,
        "files of the medium are still open",
    )


def test_an_image_format_that_the_engine_does_not_know_is_held_back(
    farm: SimulatedFarm, computer: Computer, disk: Path
) -> None:
    """S3, S7, S8: not handed to what cannot run it, and not an error."""
    imported = farm.publish(disk)
    farm.want(farm.order(1, imported).model_copy(update={"image_format": 9}))
    computer.start()
    held = computer.wait_for(state="held")
    assert held["code"] == "image-format"
    assert held["version"] is None


def test_orders_that_are_forged_older_or_contradict_are_not_followed(
    farm: SimulatedFarm, computer: Computer, disk: Path
) -> None:
    imported = farm.publish(disk)
    farm.want(farm.order(1, imported))
    farm.change(lambda one: setattr(one, "epoch", 3))
    computer.start()
    computer.wait_for(wanted=imported.root)
    real = farm.key

    def refused(code: str) -> None:
        def is_so() -> bool:
            computer.run("check-now")
            said: str = computer.status()["check_in"]["code"]
            return said == code

        wait_until(is_so, SECONDS, f"not {code}: {computer.status()['check_in']}")
        assert computer.machine()["wanted"] == imported.root

    farm.machines = ()
    refused("orders-contradict")
    farm.epoch = 2
    farm.generation += 10
    refused("orders-older")
    farm.epoch = 3
    farm.key = Ed25519PrivateKey.generate()
    refused("orders-unsigned")
    # Nor after the agent was killed: what is kept is checked anew.
    computer.kill_agent()
    computer.start()
    assert computer.wait_for(wanted=imported.root)
    farm.key = real
    farm.generation += 1
    wait_until(lambda: computer.machine() == {}, SECONDS, "true orders are not followed")


def test_a_check_in_cannot_be_played_again_by_a_computer_that_was_killed(
    farm: SimulatedFarm, computer: Computer
) -> None:
    computer.start()
    farm.wait_until(lambda one: one.generation == farm.generation, "no check-in")
    first = farm.heard[-1].sequence
    computer.kill_agent()
    computer.start()
    farm.wait_until(lambda one: one.sequence > first, "no check-in after the kill")
    sequences = [one.sequence for one in farm.heard]
    assert sequences == sorted(set(sequences))


def test_a_computer_that_is_lost_erases_itself_and_says_so(
    farm: SimulatedFarm, computer: Computer, disk: Path
) -> None:
    imported = farm.publish(disk)
    farm.want(farm.order(1, imported))
    computer.start()
    computer.wait_for(state="waiting-for-restart")
    computer.run("machine", "create", "scratch", "64M", "--memory", "64")
    computer.run("machine", "start", "scratch")
    computer.wait_for("scratch", power="running")
    farm.change(lambda one: setattr(one, "erases", True))
    farm.wait_until(lambda one: one.erased, "the farm did not hear of it")
    assert computer.agent is not None
    computer.agent.process.wait(SECONDS)
    assert computer.machine_pids() == []
    left = {path.name for path in computer.state.iterdir()}
    assert left & {"machines", "store", "orders.json", "identity.key", "farm.json"} == set()


def test_local_machines_are_made_snapshotted_set_back_and_removed(
    farm: SimulatedFarm, computer: Computer
) -> None:
    computer.start()
    for name in ("one", "two"):
        computer.run("machine", "create", name, "64M", "--memory", "64")
        computer.run("machine", "start", name)
    for name in ("one", "two"):
        computer.wait_for(name, power="running", mode="local")
    assert len(computer.machine_pids()) == 2
    code, said = computer.try_to_run("machine", "create", "one", "64M", "--json")
    assert (code, json.loads(said)["code"]) == (1, "machine-taken")
    code, said = computer.try_to_run("machine", "snapshot", "one", "before", "--json")
    assert (code, json.loads(said)["code"]) == (1, "machine-on")
    computer.run("machine", "suspend", "one")
    computer.wait_for("one", power="off", is_suspended=True)
    computer.run("machine", "resume", "one")
    computer.wait_for("one", power="running", is_suspended=False)
    # One is killed, as by the kernel when memory is short: it is started again.
    victim = computer.machine_pids()[0]
    os.kill(victim, 9)
    wait_until(
        lambda: len(computer.machine_pids()) == 2 and victim not in computer.machine_pids(),
        SECONDS,
        "what was killed is not started again",
    )
    computer.run("machine", "create", "three", "64M")
    computer.run("machine", "snapshot", "three", "before")
    assert computer.run("machine", "snapshots", "three").split() == ["before"]
    computer.run("machine", "revert", "three", "before")
    code, said = computer.try_to_run("machine", "revert", "three", "never", "--json")
    assert (code, json.loads(said)["code"]) == (3, "snapshot-unknown")
    computer.run("machine", "remove", "three")
    assert computer.machine("three") == {}
    code, said = computer.try_to_run("machine", "start", "three", "--json")
    assert (code, json.loads(said)["code"]) == (3, "machine-unknown")
